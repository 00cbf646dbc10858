"""Handshakes that fail are seen, by what failed, and cost one record a minute however many there are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import certificates
from certificates import BAD_RECIPES, Authority, Recipe, issue, new_authority, self_signed
from leadglass.v1 import agent_pb2
from leadglass_client.authority import issue_server
from raw_http2 import RawConnection, Way, tls_context
from running_agent import SERVER_NAME, RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 60.0
_GET_SELF = "/leadglass.v1.AgentService/GetSelf"
_FLOOD = 500
_NOT_FAULTS = {"since_boot_ns"}


def _failed(agent: RunningAgent) -> list[dict[str, Any]]:
    return [record for record in agent.records() if record["kind"] == "HANDSHAKES_FAILED"]


def _counts(agent: RunningAgent) -> Counter[str]:
    counts: Counter[str] = Counter()
    for record in _failed(agent):
        counts.update({name: count for name, count in record["facts"].items() if name not in _NOT_FAULTS})
    return counts


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def _is_served(agent: RunningAgent) -> None:
    alice = agent.caller("alice", session=False)
    assert alice.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_PATIENCE).version


def _connect(agent: RunningAgent) -> socket.socket:
    host, _, port = agent.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=_PATIENCE)


def _read_to_the_end(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(4_096):
            pass


def _say(agent: RunningAgent, words: bytes) -> None:
    with _connect(agent) as connection:
        connection.sendall(words)
        _read_to_the_end(connection)


def _shake(agent: RunningAgent, folder: Path, made: certificates.Certificate | None, **changes: object) -> None:
    """Shakes hands with a certificate and waits until the agent lets go."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    for name, value in changes.items():
        setattr(context, name, value)
    if made is not None:
        file = folder / "leaf.pem"
        file.write_bytes(made.pem + made.key)
        context.load_cert_chain(file)
    with suppress(OSError), context.wrap_socket(_connect(agent)) as tls:
        _read_to_the_end(tls)


def _authority(agent: RunningAgent) -> Authority:
    key = serialization.load_pem_private_key((agent.authority / "ca.key").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((agent.authority / "ca.crt").read_bytes())
    return Authority(certificate, key)  # type: ignore[arg-type] # the client's authority makes keys of one of its kinds


def _is_rotated(agent: RunningAgent) -> bool:
    return any(record["kind"] == "RELOADED" and record["facts"]["part"] == "TLS" for record in agent.records())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's ssl warns of the old version
def test_every_way_to_fail_is_counted_under_its_name_and_no_word_of_it_leaves(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        ours, good = _authority(agent), issue(_authority(agent), Recipe())
        _shake(agent, tmp_path, None)
        _shake(agent, tmp_path, issue(new_authority(), Recipe()))
        _shake(agent, tmp_path, self_signed())
        _shake(agent, tmp_path, issue(ours, BAD_RECIPES["expired"]))
        _shake(agent, tmp_path, issue(ours, BAD_RECIPES["not yet valid"]))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with suppress(OSError):
            old.wrap_socket(_connect(agent)).close()
        _say(agent, b"GET /private/path HTTP/1.1\r\nHost: agent\r\n\r\n")
        _say(agent, b"SSH-2.0-someone\r\n")
        # A client that trusts another authority tells so.
        _shake(agent, tmp_path, good, verify_mode=ssl.CERT_REQUIRED)
        with _connect(agent) as hasty:
            hasty.shutdown(socket.SHUT_WR)
            _read_to_the_end(hasty)
        with _connect(agent) as silent:
            _read_to_the_end(silent)
        _is_served(agent)
        assert agent.stop() == 0
        assert _counts(agent) == {
            "NO_CERTIFICATE": 1,
            "UNTRUSTED": 2,
            "EXPIRED": 2,
            "PROTOCOL_VERSION": 1,
            "NOT_TLS": 2,
            "ALERT": 1,
            "HUNG_UP": 1,
            "TIMEOUT": 1,
        }
        written = agent.audit_log.read_bytes() + agent.output.read_bytes() + agent.errors.read_bytes()
        for word in (b"OPENSSL", b"SSL_ERROR", b"private/path", b"SSH-2.0", b"ssl_transport_security"):
            assert word not in written
        assert agent.errors.read_bytes() == b""


def test_a_client_of_tls_1_2_alone_is_refused_by_name_at_its_first_call(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        issued = agent.client("alice")
        way = Way(agent.address, SERVER_NAME, issued.certificate, issued.key, agent.authority / "ca.crt")
        with RawConnection(way, tls_context(way, ssl.TLSVersion.TLSv1_2)) as connection:
            connection.call(_GET_SELF, b"")
        assert agent.records()[-1]["refusal"] == "IDENTITY_REFUSED"


def test_a_flood_of_failing_handshakes_costs_one_record_a_minute_that_tells_its_size(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        _say(agent, b"the first\r\n")
        _wait(lambda: _counts(agent)["NOT_TLS"] == 1)  # long before the minute is over
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: _say(agent, b"GET / HTTP/1.0\r\n\r\n"), range(_FLOOD)))
        _is_served(agent)
        assert agent.stop() == 0
        # Each is counted as long as the reading keeps up; on a busy machine lines are dropped, and nothing waits.
        counts = _counts(agent)
        assert set(counts) == {"NOT_TLS"}
        assert _FLOOD // 10 < counts["NOT_TLS"] <= 1 + _FLOOD
        seconds = (agent.records()[-1]["boot_ns"] - agent.records()[0]["boot_ns"]) // 1_000_000_000
        assert len(_failed(agent)) <= 2 + seconds // 60


def test_calls_that_succeed_and_a_rotation_leave_no_record_of_a_failure(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        for _ in range(3):
            _is_served(agent)
        issue_server(agent.authority, SERVER_NAME, tmp_path / "next", path="/agent/test")
        for name in ("tls.key", "tls.crt"):
            shutil.copy(tmp_path / "next" / name, tmp_path / "server" / f"{name}.new")
            (tmp_path / "server" / f"{name}.new").rename(tmp_path / "server" / name)
        _wait(lambda: _is_rotated(agent))
        _is_served(agent)
        assert agent.stop() == 0
        assert _failed(agent) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can open the pipe of a process that is not dumpable")
def test_why_the_library_ended_the_front_is_told_by_the_process_that_outlives_it(tmp_path: Path) -> None:
    fatal = b"F1122 12:12:06.237181    3160 server.cc:80] Check failed: listener != nullptr\n"
    with running_agent(tmp_path) as agent:
        os.kill(agent.front_pid, signal.SIGSTOP)  # so that it cannot say so itself
        Path(f"/proc/{agent.front_pid}/fd/2").write_bytes(fatal)
        os.kill(agent.front_pid, signal.SIGKILL)
        agent.process.wait(_PATIENCE)
        assert agent.errors.read_bytes().startswith(fatal)
