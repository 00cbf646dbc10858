"""The sockets of a port are found among all descriptors of a process, with their peers and the bytes that came."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from leadglass_agent import clock
from leadglass_agent.access.abuse import AbuseCause, AbuseLedger
from leadglass_agent.access.crowd import Bounds
from leadglass_agent.api.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 60.0
_FLOOD = 12 * 1024 * 1024


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


def _listening(stack: ExitStack, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = stack.enter_context(socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::"))
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    listener.settimeout(_PATIENCE)
    return listener


def _accepted(stack: ExitStack, listener: socket.socket, host: str) -> tuple[socket.socket, socket.socket]:
    """Gives both ends: the client's, and the one that the watched process holds."""
    client = stack.enter_context(socket.create_connection((host, listener.getsockname()[1]), timeout=_PATIENCE))
    return client, stack.enter_context(listener.accept()[0])


@pytest.mark.parametrize(
    ("bound", "dialled", "peer"),
    [
        ("127.0.0.1", "127.0.0.1", "ipv4:127.0.0.1"),
        ("::", "127.0.0.1", "ipv4:127.0.0.1"),
        ("::1", "::1", "ipv6:%5B::1%5D"),
    ],
)
def test_a_flood_is_shut_down_and_told_under_its_address(stack: ExitStack, bound: str, dialled: str, peer: str) -> None:
    listener = _listening(stack, bound)
    abuse = AbuseLedger()
    connections = Connections(listener.getsockname()[1], Bounds(crowded=100, share=1), abuse, clock.now)
    client, ours = _accepted(stack, listener, dialled)
    other, _ = _accepted(stack, listener, dialled)
    assert not connections.look()
    sent = 0
    while sent < _FLOOD:
        sent += client.send(bytes(64 * 1024))
        ours.recv(64 * 1024)
    assert connections.look()
    assert [(one.source, one.connections) for one in abuse.close()] == [(peer, ((AbuseCause.FLOODING, 1),))]
    # Ours are open still, and the connection is not: its descriptor stays that of who opened it.
    assert ours.fileno() >= 0
    with pytest.raises(BrokenPipeError):
        ours.send(b"x")
    other.sendall(b"still there")


def test_a_crowd_is_told_under_its_callers_and_who_is_silent_under_its_address(stack: ExitStack) -> None:
    listener = _listening(stack, "127.0.0.1")
    abuse = AbuseLedger()
    connections = Connections(listener.getsockname()[1], Bounds(crowded=10, share=4), abuse, clock.now)
    pairs = [_accepted(stack, listener, "127.0.0.1") for _ in range(12)]
    for client, _ in pairs[:6]:
        connections.called(f"ipv4:127.0.0.1:{client.getsockname()[1]}", "spiffe://test.leadglass/user/alice")
    connections.look()
    deadline = time.monotonic() + _PATIENCE
    told: dict[str, int] = {}
    while len(told) < 2:
        assert time.monotonic() < deadline
        connections.look()
        told |= {one.source: sum(count for _, count in one.connections) for one in abuse.close()}
        time.sleep(0.05)
    assert told == {"spiffe://test.leadglass/user/alice": 2, "ipv4:127.0.0.1": 6}


def test_sockets_of_other_ports_and_other_files_are_left_alone(stack: ExitStack) -> None:
    watched, other = _listening(stack, "127.0.0.1"), _listening(stack, "127.0.0.1")
    connections = Connections(watched.getsockname()[1], Bounds(crowded=1, share=0), AbuseLedger(), clock.now)
    pairs = [_accepted(stack, other, "127.0.0.1") for _ in range(5)]
    one, two = socket.socketpair()
    with one, two:
        for _ in range(3):
            connections.look()
        one.sendall(b"x")
        assert two.recv(1) == b"x"
    for client, ours in pairs:
        ours.sendall(b"x")
        assert client.recv(1) == b"x"
