"""One client cannot take the server from the others: streams, sizes, handshakes, resets and half calls are bounded."""

from __future__ import annotations

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import agent_pb2, inspect_pb2
from raw_http2 import RawConnection, Way
from running_agent import SERVER_NAME, RunningAgent, reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

_GET_SELF = "/leadglass.v1.AgentService/GetSelf"
_OK, _RESOURCE_EXHAUSTED, _DEADLINE_EXCEEDED = 0, 8, 4
_MAX_STREAMS = 32
_MAX_MESSAGE = 256 * 1024
_MAX_METADATA = 16 * 1024
_CALLS_AT_ONCE = 200
# Far above what each takes, so that a slow machine is not a failure.
_SOON = 30.0


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture
def way(agent: RunningAgent) -> Way:
    issued = agent.client("alice")
    return Way(agent.address, SERVER_NAME, issued.certificate, issued.key, agent.authority / "ca.crt")


def _others_are_served(agent: RunningAgent) -> None:
    """Calls as Bob, on a connection of his own, until he is answered."""
    deadline = time.monotonic() + _SOON
    caller = agent.caller("bob", session=False)
    while True:
        try:
            assert caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_SOON).version
        except grpc.RpcError:
            assert time.monotonic() < deadline, "another caller is locked out"
            time.sleep(0.1)
        else:
            return


def _finds_no_place(agent: RunningAgent, name: str) -> None:
    """Calls as somebody until there is no place for the call."""
    deadline = time.monotonic() + _SOON
    caller = agent.caller(name, session=False)
    while True:
        try:
            caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_SOON)
        except grpc.RpcError as error:
            if reason_of(error) == "RATE_LIMITED":
                return
        assert time.monotonic() < deadline, "the attack takes no places"


def _resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel, read at once
        return int(file.read().split()[1]) * 4_096


@pytest.mark.parametrize("which", ["address", "health_address"])
def test_a_port_cannot_be_shared(agent: RunningAgent, which: str) -> None:
    host, _, port = str(getattr(agent, which)).rpartition(":")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            thief.bind((host, int(port)))


def test_a_connection_carries_no_more_streams_than_allowed(agent: RunningAgent, way: Way) -> None:
    with RawConnection(way) as connection:
        # Before the server's settings are read, this client does not hold itself to them.
        numbers = [connection.open(_GET_SELF) for _ in range(_MAX_STREAMS + 8)]
        refused = [connection.answer(number).reset_with for number in numbers[_MAX_STREAMS:]]
        assert connection.max_streams == _MAX_STREAMS
        assert connection.closed or None not in refused
    _others_are_served(agent)


@pytest.mark.parametrize("size", [_MAX_MESSAGE + 1, 2**32 - 1])
def test_a_message_that_announces_too_much_is_refused_before_it_comes(way: Way, size: int) -> None:
    with RawConnection(way) as connection:
        number = connection.open(_GET_SELF)
        connection.send_raw(number, struct.pack("!BI", 0, size) + bytes(1_000), end=False)
        answer = connection.answer(number)
    assert answer.status == _RESOURCE_EXHAUSTED
    assert answer.body == b""


def test_a_message_too_large_is_refused_and_the_largest_is_not(agent: RunningAgent) -> None:
    caller = agent.caller()
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(name_glob="a" * _MAX_MESSAGE))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(name_glob="a" * (_MAX_MESSAGE - 10)))
    assert reason_of(caught.value) == "INVALID_REQUEST"


def test_metadata_too_large_is_refused(agent: RunningAgent, way: Way) -> None:
    before = len(agent.records())
    with RawConnection(way) as connection:
        connection.settle()
        number = connection.open(_GET_SELF, [("leadglass-session", "s" * (_MAX_METADATA + 1))])
        answer = connection.answer(number)
    assert answer.status == _RESOURCE_EXHAUSTED
    assert "sss" not in str(answer.headers)
    assert all(record["kind"] != "OUTCOME" for record in agent.records()[before:])
    _others_are_served(agent)


def test_a_caller_who_sends_headers_alone_is_ended_by_the_deadline(agent: RunningAgent, way: Way) -> None:
    with RawConnection(way) as connection:
        number = connection.open(_GET_SELF)
        answer = connection.answer(number, _SOON)
    assert (answer.status, answer.reason) == (_DEADLINE_EXCEEDED, "TIMED_OUT")
    assert agent.records()[-1]["refusal"] == "TIMED_OUT"


def test_calls_that_never_send_their_request_do_not_lock_others_out(agent: RunningAgent, way: Way) -> None:
    with ExitStack() as stack:
        for _ in range(_CALLS_AT_ONCE // _MAX_STREAMS + 1):
            connection = stack.enter_context(RawConnection(way))
            for _ in range(_MAX_STREAMS):
                connection.open(_GET_SELF)
        # Of the places that there are for all, one caller gets a third.
        _finds_no_place(agent, "alice")
        bob = agent.caller("bob", session=False)
        assert bob.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_SOON).version
    refused = [record for record in agent.records() if record.get("detail") == "too many calls at once"]
    assert {record["caller"] for record in refused} == {"spiffe://test.leadglass/user/alice"}


def test_half_a_message_does_not_hold_a_call_for_ever(way: Way) -> None:
    with RawConnection(way) as connection:
        number = connection.open(_GET_SELF)
        connection.send_raw(number, struct.pack("!BI", 0, 1_000) + b"half", end=False)
        answer = connection.answer(number, _SOON)
    assert answer.status == _DEADLINE_EXCEEDED


def test_rapid_resets_leave_others_alone_and_memory_bounded(agent: RunningAgent, way: Way) -> None:
    before = _resident_bytes(agent.front_pid)
    for _ in range(5):
        with RawConnection(way) as connection:
            for _ in range(500):
                if connection.closed:
                    break
                number = connection.open(_GET_SELF)
                connection.send(number, b"")
                connection.reset(number)
            _others_are_served(agent)
    assert _resident_bytes(agent.front_pid) - before < 64 * 1024 * 1024


def test_connections_that_never_shake_hands_are_dropped_and_lock_nobody_out(agent: RunningAgent) -> None:
    host, _, port = agent.address.rpartition(":")
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((host, int(port)), timeout=_SOON)) for _ in range(100)]
        _others_are_served(agent)
        for connection in idle:
            # The end of the stream, or a reset: the server let go of it. A timeout of ours fails the test.
            try:
                assert connection.recv(1) == b""
            except ConnectionResetError:
                continue


def test_bursts_of_connections_that_are_dropped_do_not_end_the_agent(agent: RunningAgent) -> None:
    # They once did within a second: grpc's dynamic TLS credentials are freed under one another's handshakes.
    with ThreadPoolExecutor(8) as callers:
        for _ in range(60):
            list(callers.map(_knock, [agent.address] * 8))
            assert agent.process.poll() is None
    _others_are_served(agent)


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    with ExitStack() as stack, suppress(OSError):
        for _ in range(25):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=_SOON))
        time.sleep(0.05)  # so that their handshakes have begun


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 2_000, bytes(4_000)],
    ids=["plain http", "a broken hello", "zeros"],
)
def test_noise_in_place_of_a_handshake_ends_the_connection(agent: RunningAgent, noise: bytes) -> None:
    host, _, port = agent.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_SOON) as connection:
        connection.sendall(noise)
        received = b""
        try:
            while data := connection.recv(1_000):
                received += data
        except ConnectionResetError:
            pass
    assert b"200" not in received
    assert len(received) < 200
    _others_are_served(agent)


def test_noise_after_the_handshake_ends_the_connection_alone(agent: RunningAgent, way: Way) -> None:
    with RawConnection(way) as connection:
        connection.tls.sendall(b"\xff" * 5_000)
        deadline = time.monotonic() + _SOON
        while not connection.closed:
            assert time.monotonic() < deadline
            connection.pump()
    _others_are_served(agent)


@pytest.mark.slow
def test_five_hundred_idle_connections_lock_nobody_out_for_long(agent: RunningAgent) -> None:
    host, _, port = agent.address.rpartition(":")
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=_SOON))
        _others_are_served(agent)
