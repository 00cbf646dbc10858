"""The page of metrics: for certificates that a caller could call with alone, and with the names of the table."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leadglass.v1 import agent_pb2, common_pb2, inspect_pb2
from leadglass_agent.telemetry.instruments import INSTRUMENTS, Kind
from leadglass_client.authority import create_authority, issue_client, issue_server
from planted_secrets import plant
from running_agent import CALL_SECONDS, SERVER_NAME, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from running_agent import RunningAgent

_GET = b"GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n"
_DENY = """\
apiVersion: leadglass.dev/v1
kind: DenyList
metadata: {name: test}
spec:
  callers: ["spiffe://test.leadglass/user/mallory"]
"""


def _page(config: str) -> str:
    return config.replace("exporter: none", "prometheusListen: '127.0.0.1:0'")


def _context(agent: RunningAgent, folder: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=agent.authority / "ca.crt")
    if folder is not None:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def _connect(agent: RunningAgent, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, _, port = _address(agent).rpartition(":")
    raw = socket.create_connection((host, int(port)), CALL_SECONDS)
    try:
        return context.wrap_socket(raw, server_hostname=SERVER_NAME)
    except BaseException:
        raw.close()
        raise


def _address(agent: RunningAgent) -> str:
    found = re.search(r'"metrics": "([^"]+)"', agent.output.read_text())
    assert found is not None
    return found[1]


def _ask(agent: RunningAgent, request: bytes = _GET, name: str = "prometheus") -> tuple[int, str]:
    agent.client(name)
    with _connect(agent, _context(agent, agent.folder / "clients" / name)) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def _names(page: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) ", page, re.MULTILINE)) - {"target_info"}


def test_a_caller_s_certificate_reads_the_names_of_the_table_and_nothing_that_anybody_wrote(tmp_path: Path) -> None:
    planted = plant("environment", "argument", "name")
    with (
        running_agent(tmp_path, rewrite=_page) as agent,
        running("--password", planted["argument"], environment={"API_TOKEN": planted["environment"]}) as pid,
    ):
        caller = agent.caller()
        caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
        request = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=pid), names=[planted["name"]])
        caller.call(caller.inspect.ListEnvironment, request)
        status, page = _wait_for_gauges(agent)
        assert status == 200
        assert _names(page) == {instrument.prometheus_name for instrument in INSTRUMENTS}
        assert planted.leaks(page.encode()) == ()
        for text in (caller.session_id, "alice", "prometheus.", str(tmp_path)):
            assert text not in page
        for instrument in INSTRUMENTS:
            names = {label.name.replace(".", "_"): set(label.values) for label in instrument.labels}
            samples = re.findall(rf"^{instrument.prometheus_name}(?:_bucket|_sum|_count)?{{(.*)}} ", page, re.MULTILINE)
            for name, value in re.findall(r'(\w+)="([^"]*)"', "\n".join(samples)):
                if instrument.kind is Kind.HISTOGRAM and name == "le":
                    continue
                assert name in names, (instrument.name, name)
                assert not value or not names[name] or value in names[name], (instrument.name, name)
        assert agent.errors.read_bytes() == b""


def _wait_for_gauges(agent: RunningAgent) -> tuple[int, str]:
    """Asks until the first second is over, after which there are gauges."""
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        status, page = _ask(agent)
        if "leadglass_certificate_expiry_seconds{" in page or time.monotonic() > deadline:
            return status, page
        time.sleep(0.05)


def test_nothing_is_told_to_anybody_else(tmp_path: Path) -> None:
    (tmp_path / "deny.yaml").write_text(_DENY)

    def rewrite(config: str) -> str:
        return _page(config).replace("  audit:", f"  denyList: {tmp_path}/deny.yaml\n  audit:")

    with running_agent(tmp_path, rewrite=rewrite) as agent:
        assert _ask(agent)[0] == 200
        create_authority(tmp_path / "other", "test.leadglass")
        issue_client(tmp_path / "other", "/user/alice", tmp_path / "stranger")
        issue_server(agent.authority, SERVER_NAME, tmp_path / "twin", path="/agent/twin")
        old = _context(agent, agent.folder / "clients" / "prometheus")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        refused = {
            "no certificate": _context(agent, None),
            "another authority": _context(agent, tmp_path / "stranger"),
            "a server's certificate": _context(agent, tmp_path / "twin"),
            "an older TLS": old,
        }
        assert {what: _told(agent, context) for what, context in refused.items()} == dict.fromkeys(refused, b"")
        assert _ask(agent, name="mallory") == (403, "this certificate is not accepted\n")
        assert _ask(agent)[0] == 200
        assert agent.errors.read_bytes() == b""


def _told(agent: RunningAgent, context: ssl.SSLContext) -> bytes:
    """Gives the first bytes of an answer; a handshake that fails is told at the first read in TLS 1.3."""
    try:
        with _connect(agent, context) as connection:
            connection.sendall(_GET)
            return connection.recv(65_536)
    except OSError:
        return b""


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_command_of_the_documentation_shows_what_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
    found = re.search(r"^```sh\n(curl .*?)\n```\n\n```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    with running_agent(tmp_path, rewrite=_page) as agent:
        agent.client("prometheus")
        _wait_for_gauges(agent)
        command = found[1].replace("agent.shop", SERVER_NAME).replace("9464", _address(agent).rpartition(":")[2])
        command = command.replace("prometheus.crt", "tls.crt").replace("prometheus.key", "tls.key")
        folder = agent.folder / "clients" / "prometheus"
        shown = subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, check=True, timeout=30)
    assert shown.stdout.decode() == found[2]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics?name[]=x HTTP/1.1\r\n\r\n", 404),
        (b"GET /../metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 405),
        (b"\x00\xff nonsense\r\n\r\n", 405),
    ],
)
def test_there_is_one_path_and_one_method(tmp_path: Path, request_bytes: bytes, status: int) -> None:
    with running_agent(tmp_path, rewrite=_page) as agent:
        assert _ask(agent, request_bytes)[0] == status


def test_who_sends_nothing_or_too_much_or_too_often_keeps_nobody_out(tmp_path: Path) -> None:
    with running_agent(tmp_path, rewrite=_page) as agent:
        agent.client("prometheus")
        context = _context(agent, agent.folder / "clients" / "prometheus")
        host, _, port = _address(agent).rpartition(":")
        # Without a handshake, and after one without a request.
        idle = [socket.create_connection((host, int(port)), CALL_SECONDS) for _ in range(30)]
        deadline = time.monotonic() + 6 * CALL_SECONDS
        while True:
            try:
                with _connect(agent, context) as connection:
                    connection.sendall(b"GET /metrics HTTP/1.1\r\n" + b"X-Long: " + b"x" * 20_000)
                    assert connection.recv(1) == b""
                break
            except ConnectionError:
                break
            except OSError:
                assert time.monotonic() < deadline
        while True:
            try:
                assert _ask(agent)[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        for silent in idle:
            silent.close()
        crowded = re.search(r'^leadglass_metrics_pages_total{outcome="CROWDED"} (\S+)$', _ask(agent)[1], re.MULTILINE)
        assert crowded is not None
        assert float(crowded[1]) >= len(idle) - 8
        caller = agent.caller()
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
        assert agent.errors.read_bytes() == b""


def test_the_page_shows_the_new_certificate_after_a_rotation(tmp_path: Path) -> None:
    with running_agent(tmp_path, rewrite=_page) as agent:
        assert _ask(agent)[0] == 200
        old = _shown(agent)
        issue_server(agent.authority, SERVER_NAME, tmp_path / "next", path="/agent/test")
        for name in ("tls.crt", "tls.key"):
            fresh = tmp_path / "server" / f".{name}"
            fresh.write_bytes((tmp_path / "next" / name).read_bytes())
            fresh.replace(tmp_path / "server" / name)
        deadline = time.monotonic() + 6 * CALL_SECONDS
        while _shown(agent) == old:
            assert time.monotonic() < deadline, "the page shows the old certificate"
            time.sleep(0.1)
        assert _ask(agent)[0] == 200


def _shown(agent: RunningAgent) -> bytes | None:
    with _connect(agent, _context(agent, agent.folder / "clients" / "prometheus")) as connection:
        return connection.getpeercert(binary_form=True)
