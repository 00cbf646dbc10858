"""Orders to the supervisor: what follows one, what has no room, and what is no order."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from children_process import children_process
from leadglass_agent.barrier.fingerprints import Fingerprints
from leadglass_agent.barrier.mounts import Wanted
from leadglass_agent.processes import file_worker
from leadglass_agent.processes.frames import FrameBuffer
from leadglass_agent.processes.messages import AgentAnswer, decode_answer, decode_part
from leadglass_agent.processes.secret_files import SecretFiles
from leadglass_agent.processes.spawning import End, SpawnSealer, SpawnWorker, decode_order
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.views.procfs import identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from children_process import ChildrenProcess

_SECONDS = 30.0
_ROOM_OF_ONE_ROOT = 5


@pytest.fixture
def started() -> Iterator[ChildrenProcess]:
    with children_process() as one:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def _posture(channel: socket.socket) -> AgentAnswer:
    """Reads what a worker says when it is ready."""
    channel.settimeout(_SECONDS)
    buffer, pieces = FrameBuffer(), b""
    while data := channel.recv(65_536):
        for payload in buffer.feed(data):
            part = decode_part(payload)
            assert part.id == file_worker.READY
            pieces += part.piece
            if part.last:
                answer = decode_answer(pieces)
                assert isinstance(answer, AgentAnswer)
                return answer
    pytest.fail("the worker ended before it was ready")


def _ends(channel: socket.socket) -> bool:
    channel.settimeout(_SECONDS)
    try:
        while channel.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


def _wait_for(started: ChildrenProcess, count: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while len(started.children()) != count:
        assert time.monotonic() < deadline, f"{started.children()} are not {count}"
        time.sleep(0.01)


def test_a_worker_is_a_process_of_the_supervisor_and_ends_by_order(started: ChildrenProcess, root: int) -> None:
    number, channel = started.spawner.start_worker("root", root)
    with channel:
        (posture,) = _posture(channel).postures
        assert posture.role is Role.FILE_WORKER
        assert started.children() == {posture.pid}
        started.spawner.end(number)
        assert _ends(channel)
    _wait_for(started, 0)


def test_a_worker_goes_when_nobody_holds_its_channel_any_more(started: ChildrenProcess, root: int) -> None:
    _, channel = started.spawner.start_worker("root", root)
    with channel:
        _posture(channel)
    _wait_for(started, 0)


def test_one_root_does_not_use_up_the_room_of_the_others(started: ChildrenProcess, root: int) -> None:
    channels = [started.spawner.start_worker("one", root)[1] for _ in range(_ROOM_OF_ONE_ROOT)]
    for channel in channels:
        _posture(channel)
    with started.spawner.start_worker("one", root)[1] as refused:
        assert _ends(refused)
    with started.spawner.start_worker("another", root)[1] as other:
        _posture(other)
    for channel in channels:
        channel.close()
    _wait_for(started, 0)
    with started.spawner.start_worker("one", root)[1] as again:
        _posture(again)


def test_the_end_of_what_is_gone_or_never_was_costs_nothing(started: ChildrenProcess, root: int) -> None:
    started.spawner.end(4_711)
    number, channel = started.spawner.start_worker("root", root)
    channel.close()
    _wait_for(started, 0)
    started.spawner.end(number)
    with started.spawner.start_worker("root", root)[1] as channel:
        _posture(channel)


def test_noise_and_orders_without_their_descriptors_start_nothing(started: ChildrenProcess, root: int) -> None:
    packets = (b"\xff" * 40, b"\0", *map(msgspec.msgpack.encode, (SpawnWorker(7, "x"), SpawnSealer(8))))
    for packet in packets:
        started.orders.send(packet)
    watched, carried = socket.socketpair()
    spare = [os.dup(carried.fileno()) for _ in range(4)]
    carried.close()
    socket.send_fds(started.orders, [msgspec.msgpack.encode(SpawnWorker(9, "x"))], spare)  # more than an order has
    for descriptor in spare:
        os.close(descriptor)
    with started.spawner.start_worker("root", root)[1] as channel:
        (posture,) = _posture(channel).postures
        assert started.children() == {posture.pid}
        assert _ends(watched), "a descriptor that came with an order was kept"
    watched.close()


@pytest.mark.parametrize("task", ["files", "secrets", "seal"])
def test_a_channel_that_is_no_socket_makes_no_second_supervisor(
    started: ChildrenProcess, root: int, task: Literal["files", "secrets", "seal"]
) -> None:
    """The copy raised what took it back into the supervisor's loop, with all that the supervisor holds."""
    for number in range(101, 104):  # beyond those of the spawner
        order = SpawnSealer(number) if task == "seal" else SpawnWorker(number, "x", task)
        given_ends = [root] if task == "seal" else [root, root]
        socket.send_fds(started.orders, [msgspec.msgpack.encode(order)], given_ends)
    with started.spawner.start_worker("root", root)[1] as channel:
        (posture,) = _posture(channel).postures
        _wait_for(started, 1)
        assert started.children() == {posture.pid}


@pytest.mark.parametrize("order", [SpawnSealer(7), SpawnWorker(7, "x")], ids=["sealer", "worker"])
def test_orders_under_one_number_start_one_process(
    started: ChildrenProcess, root: int, order: SpawnSealer | SpawnWorker
) -> None:
    """Each of them but the first would run without a number to end it by, and a sealer without being counted."""
    kept = []
    for _ in range(3):
        ours, theirs = socket.socketpair()
        kept.append(ours)
        ends = [theirs.fileno()] if isinstance(order, SpawnSealer) else [theirs.fileno(), root]
        socket.send_fds(started.orders, [msgspec.msgpack.encode(order)], ends)
        theirs.close()
    assert all(_ends(one) for one in kept[1:])
    assert len(started.children()) == 1
    started.spawner.end(7)
    assert _ends(kept[0])
    _wait_for(started, 0)
    for one in kept:
        one.close()


def test_a_moment_without_room_for_a_process_costs_one_answer(root: int) -> None:
    """The app shares the limit with the agent: a fork that failed used to end the reader's channel for good."""
    with children_process(starved=True) as started:
        with started.spawner.start_worker("root", root)[1] as refused:
            assert _ends(refused)
        with started.spawner.start_worker("root", root)[1] as channel:
            _posture(channel)


def test_secret_mounts_that_hang_take_no_room_from_those_of_another_root(
    started: ChildrenProcess, root: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever hung held one room for all: after five of one target, no reply about another one could leave."""
    gather = SecretFiles(started.spawner).gather
    wanted = Wanted((b"/run/secrets",), frozenset(), Fingerprints(large=False))
    hung = [started.spawner.start_worker(" ".join(identity(root)), root, "secrets") for _ in range(_ROOM_OF_ONE_ROOT)]
    _wait_for(started, _ROOM_OF_ONE_ROOT)
    assert gather(root, wanted) is None
    other = os.open(tmp_path_factory.mktemp("other"), os.O_PATH | os.O_DIRECTORY)
    assert gather(other, wanted) == ()
    os.close(other)
    for _, channel in hung:
        channel.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot look into a worker: it is not dumpable")
def test_a_worker_cannot_write_into_the_container_s_log(started: ChildrenProcess, root: int) -> None:
    with started.spawner.start_worker("root", root)[1] as channel:
        (posture,) = _posture(channel).postures
        for stream in range(3):
            info = Path(f"/proc/{posture.pid}/fdinfo/{stream}").read_text(encoding="ascii")
            (flags,) = (int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags:"))
            assert flags & os.O_ACCMODE == os.O_RDONLY
            assert Path(f"/proc/{posture.pid}/fd/{stream}").readlink() == Path(os.devnull)


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_an_order_or_nothing(packet: bytes) -> None:
    assert isinstance(decode_order(packet), SpawnWorker | SpawnSealer | End | None)


@pytest.mark.parametrize("order", [SpawnWorker(1, "mnt 7"), SpawnWorker(1, "s", "secrets"), SpawnSealer(2), End(3)])
def test_an_order_arrives_as_it_was_given(order: SpawnWorker | SpawnSealer | End) -> None:
    wire = msgspec.msgpack.encode(order)
    assert decode_order(wire) == order
    assert decode_order(wire + b"\0") is None
    assert decode_order(wire[:-1]) is None
