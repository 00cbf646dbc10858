"""Connections that the supervisor makes for the front: to our own port and to configured peers, and to nobody else."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.config import Audit, Config, Sink, Telemetry, Tls
from leadglass_agent.processes.children import Children, Common
from leadglass_agent.processes.dialling import Dial, Dialler, Peer, address_of, decode_dial, run_dialler
from leadglass_agent.sandbox.posture import SandboxLevel
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors
from sample_processes import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = Config(
    listen="127.0.0.1:7443",
    health_listen="127.0.0.1:7444",
    trust_domain="test.leadglass",
    tls=Tls("tls.crt", "tls.key", "ca.crt"),
    policy="policy.yaml",
    audit=Audit("audit.jsonl"),
)
_SINK = msgspec.structs.replace(_CONFIG.audit, sink=Sink(endpoint="https://sink.example:4318"))
_EXPORTING = msgspec.structs.replace(
    _CONFIG, audit=_SINK, telemetry=Telemetry(exporter="otlp", endpoint="https://metrics.example")
)

_REDACTORS = build_redactors()


@pytest.mark.parametrize(
    ("listen", "port", "address"),
    [
        ("127.0.0.1:7443", 0, ("127.0.0.1", 7443)),
        ("127.0.0.1:7443", 9, ("127.0.0.1", 7443)),  # a port is taken from the front where the kernel chose it alone
        ("127.0.0.1:0", 40_001, ("127.0.0.1", 40_001)),
        ("0.0.0.0:7443", 0, ("127.0.0.1", 7443)),
        ("[::]:7443", 0, ("::1", 7443)),
        ("[fd00::1]:7443", 0, ("fd00::1", 7443)),
        ("localhost:7443", 0, ("localhost", 7443)),
    ],
)
def test_our_own_port_is_the_configured_one(listen: str, port: int, address: tuple[str, int]) -> None:
    config = msgspec.structs.replace(_CONFIG, listen=listen)
    assert address_of(config, Dial(Peer.OWN_PORT, port)) == address


def test_other_peers_are_those_of_the_configuration_whatever_port_is_asked_for() -> None:
    assert address_of(_EXPORTING, Dial(Peer.SINK, 22)) == ("sink.example", 4318)
    assert address_of(_EXPORTING, Dial(Peer.TELEMETRY, 22)) == ("metrics.example", 443)
    assert address_of(_CONFIG, Dial(Peer.SINK)) is None
    assert address_of(_CONFIG, Dial(Peer.TELEMETRY)) is None


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ours, theirs
    ours.close()
    theirs.close()


def _taken(end: socket.socket) -> tuple[Dial | None, socket.socket]:
    packet, descriptors, _, _ = socket.recv_fds(end, 256, 1)
    return decode_dial(packet), socket.socket(fileno=descriptors[0])


def test_a_connection_comes_through_the_supervisor(ends: tuple[socket.socket, socket.socket]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def supervise() -> None:
            asked, answer = _taken(ends[1])
            assert asked == Dial(Peer.OWN_PORT, 4711)
            pid = os.fork()
            if pid == 0:
                run_dialler(answer, server.getsockname(), floor=SandboxLevel.NONE)
            answer.close()
            os.waitpid(pid, 0)

        supervisor = threading.Thread(target=supervise)
        supervisor.start()
        with Dialler(ends[0]).dial_own_port("127.0.0.1:4711") as connection:
            accepted, _ = server.accept()
            with accepted:
                connection.sendall(b"hello")
                assert accepted.recv(16) == b"hello"
        supervisor.join()


def test_a_supervisor_without_a_connection_is_an_error_of_the_network(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    def refuse() -> None:
        _taken(ends[1])[1].close()

    supervisor = threading.Thread(target=refuse)
    supervisor.start()
    with pytest.raises(ConnectionError):
        Dialler(ends[0]).dial(Peer.SINK)
    supervisor.join()


def test_without_a_supervisor_nobody_is_reached(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    with pytest.raises(OSError, match=r"\w"):
        Dialler(ends[0]).dial(Peer.SINK)


def _children(port: int) -> Children:
    config = msgspec.structs.replace(_CONFIG, listen=f"127.0.0.1:{port}")
    return Children(Common(config, open_proc(), _REDACTORS, one_way_glass=False, floor=SandboxLevel.NONE, parent_pid=0))


def _asked(children: Children, answer: int) -> frozenset[int]:
    """Asks for a connection to our own port; gives the processes that make it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        socket.send_fds(ours, [msgspec.msgpack.encode(Dial(Peer.OWN_PORT))], [answer])
        assert children.take_dial(theirs)
    return frozenset(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()))


def test_an_answer_that_is_no_socket_makes_no_second_supervisor() -> None:
    """The copy raised what took it back into the supervisor's loop, with all that the supervisor holds."""

    def ask() -> object:
        own, null = os.getpid(), os.open(os.devnull, os.O_RDONLY)
        (pid,) = _asked(_children(9), null)
        if os.getpid() != own:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert answer_of(ask) == 1


def test_a_dialler_that_somebody_stops_is_ended() -> None:
    """Its alarm stops with it, so that a few of them would take all room."""

    def stop() -> object:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
            for _ in range(4):  # the kernel answers no further one, so that the dialler waits
                one = waiting.enter_context(socket.socket())
                one.settimeout(0)
                one.connect_ex(full.getsockname())
            children = _children(full.getsockname()[1])
            ours, theirs = socket.socketpair()
            with ours, theirs:
                (pid,) = _asked(children, theirs.fileno())
            os.kill(pid, signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
            children.stopped(os.getpid())  # of others it takes no notice
            children.stopped(pid)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert answer_of(stop) == -signal.SIGKILL


@given(st.binary(max_size=100))
def test_no_bytes_are_more_than_a_request_or_nothing(packet: bytes) -> None:
    assert isinstance(decode_dial(packet), Dial | None)


def test_a_peer_that_is_none_of_ours_is_no_request() -> None:
    assert decode_dial(msgspec.msgpack.encode({"peer": "EVERYBODY", "port": 1})) is None
    assert decode_dial(msgspec.msgpack.encode({"peer": "SINK", "port": 1, "host": "elsewhere"})) is None
