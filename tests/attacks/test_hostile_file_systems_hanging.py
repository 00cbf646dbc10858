"""A file system that never answers one kind of question, or lies, costs a reason and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import faulty_fs
from expecting import until
from faulty_fs import Claims, Operation
from leadglass.v1 import inspect_pb2
from looking import Looker, held, lines, reason
from running_agent import running_agent
from sample_processes import running
from swapping import app_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faulty_fs import FaultyFileSystem
    from running_agent import Caller, RunningAgent

pytestmark = [
    pytest.mark.fuse,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse"),
]

TAIL: Final = inspect_pb2.TEXT_START_TAIL
# Which views ask the question, each as the paths' last component; the others are answered in full.
STUCK: Final = {
    Operation.LOOKUP: {"stat", "read", "link", "through"},
    Operation.GETATTR: {"stat", "read", "list", "link", "through"},
    Operation.STATFS: {"stat", "read", "list", "link", "through"},
    Operation.OPEN: {"read", "through"},
    Operation.READ: {"read", "through"},
    Operation.OPENDIR: {"list"},
    Operation.READDIR: {"list"},
    Operation.READLINK: {"link", "through"},
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as started:
        yield started


@pytest.fixture(scope="module")
def alice(agent: RunningAgent) -> Caller:
    return agent.caller()


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[FaultyFileSystem]:
    """Mounts a file system with a file, and a link to it."""
    folder = tmp_path / "hung"
    folder.mkdir()
    with faulty_fs.mounted(folder) as file_system:
        (folder / "app.log").write_text("one line\n")
        (folder / "link.log").symlink_to("app.log")
        yield file_system


def _why(unavailable: int) -> str:
    return reason(unavailable) if unavailable else ""


def _asked(looker: Looker, view: str, folder: Path) -> str:
    """Asks one of the views for something on the file system; gives the reason, or nothing if it was answered."""
    match view:
        case "stat":
            (row,) = looker.stat(f"{folder}/app.log")
            return _why(row.unavailable)
        case "link":
            (row,) = looker.stat(f"{folder}/link.log")
            return _why(row.unavailable)
        case "list":
            page = looker.page(str(folder))
            return _why(page.unavailable)
        case _:
            *_, last = looker.read(f"{folder}/{'app' if view == 'read' else 'link'}.log")
            return _why(last.unavailable)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "view"), [(operation, view) for operation, views in STUCK.items() for view in sorted(views)]
)
def test_a_question_that_is_never_answered_is_timed_out_while_all_else_goes_on(
    agent: RunningAgent, alice: Caller, hung: FaultyFileSystem, tmp_path: Path, operation: Operation, view: str
) -> None:
    pod = tmp_path / "pod"
    pod.mkdir()
    (pod / "app.log").write_text("another root\n")
    (tmp_path / "sound.log").write_text("the same root\n")
    with running(environment={"APP_NAME": "shop"}) as pid, app_below(pod) as other_pid, ThreadPoolExecutor(1) as apart:
        looker, other = Looker(alice, pid), Looker(alice, other_pid)
        assert lines(looker.read(f"{tmp_path}/sound.log")) == ["the same root"]
        assert lines(other.read("/app.log")) == ["another root"]
        before = held(agent.process.pid)

        hung.deaf_to = frozenset({operation})
        waiting = apart.submit(_asked, looker, view, tmp_path / "hung")
        rounds = 0
        while not waiting.done() or not rounds:
            assert looker.processes() == [pid]
            assert looker.variables() == ["APP_NAME"]
            assert lines(other.read("/app.log")) == ["another root"]
            assert other.stat("/app.log")[0].size_bytes > 0
            rounds += 1
            wait([waiting], timeout=0.1)  # a session has so many calls a minute
        assert waiting.result() == "TIMED_OUT"
        # What lies beside the mount is answered, or waited for as long as the rest.
        (row,) = looker.stat(f"{tmp_path}/sound.log")
        assert row.size_bytes or reason(row.unavailable) == "TIMED_OUT"

        faulty_fs.unmount(tmp_path / "hung")
        until(lambda: lines(looker.read(f"{tmp_path}/sound.log")) == ["the same root"])
        until(lambda: held(agent.process.pid).processes <= before.processes)
        until(lambda: held(agent.process.pid).descriptors <= before.descriptors)


def test_the_other_questions_are_answered_although_one_never_is(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path
) -> None:
    with running() as pid:
        looker = Looker(alice, pid)
        hung.deaf_to = frozenset({Operation.READ, Operation.READLINK})
        assert not _asked(looker, "stat", tmp_path / "hung")
        hung.deaf_to = frozenset({Operation.OPENDIR, Operation.READDIR})
        assert lines(looker.read(f"{tmp_path}/hung/app.log")) == ["one line"]


@pytest.mark.parametrize("operation", list(STUCK))
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ENODEV])
def test_a_file_system_that_fails_is_answered_with_a_reason(
    agent: RunningAgent, alice: Caller, hung: FaultyFileSystem, tmp_path: Path, operation: Operation, number: int
) -> None:
    """EIO in a read was "internal error" once."""
    with running() as pid:
        looker = Looker(alice, pid)
        workers = held(agent.process.pid).processes
        hung.errors = {operation: number}
        for view in sorted(STUCK[operation]):
            assert _asked(looker, view, tmp_path / "hung") == "KERNEL_REFUSED"
        hung.errors = {}
        assert not _asked(looker, "read", tmp_path / "hung")
        assert held(agent.process.pid).processes <= workers + 1


def test_a_window_on_a_file_that_fails_later_ends_with_a_reason(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path
) -> None:
    path = tmp_path / "hung" / "app.log"
    with running() as pid:
        looker = Looker(alice, pid)
        request = inspect_pb2.ReadTextRequest(process=looker.process, path=str(path), follow=True)
        stream = alice.inspect.ReadText(request, **(looker.call | {"timeout": 60}))
        assert [line.text.text for line in next(stream).lines] == ["one line"]
        hung.errors = {Operation.READ: errno.EIO}
        with path.open("ab") as file:
            file.write(b"another\n")
        *_, last = stream
    assert (last.end, _why(last.unavailable)) == (inspect_pb2.TEXT_END_UNAVAILABLE, "KERNEL_REFUSED")


@pytest.mark.parametrize(
    "claims",
    [
        Claims(size=2**63 - 1),
        Claims(blocks=2**63),
        Claims(blocks=2**56),
        Claims(seconds=2**63),
        Claims(seconds=2**63 - 1),
        Claims(seconds=2**40),
        Claims(links=2**32 - 1),
        Claims(mode=stat.S_IFREG | 0o7777),
        Claims(size=2**63 - 1, blocks=2**64 - 1, seconds=2**64 - 1, links=0),
    ],
)
def test_numbers_that_no_file_has_are_shown_as_the_nearest_that_one_can_have(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path, claims: Claims
) -> None:
    """A count of blocks or a time above 64 bits ended the worker once, and with it what others read."""
    folder = tmp_path / "hung"
    with running() as pid:
        looker = Looker(alice, pid)
        looker.stat("/etc/passwd")
        follower = looker.caller.inspect.ReadText(
            inspect_pb2.ReadTextRequest(process=looker.process, path=f"{folder}/app.log", follow=True),
            **(looker.call | {"timeout": 60}),
        )
        assert [line.text.text for line in next(follower).lines] == ["one line"]
        hung.claims = claims
        assert not _asked(looker, "stat", folder)
        assert not _asked(looker, "link", folder)
        assert not _asked(looker, "list", folder)
        assert lines(looker.read(f"{folder}/app.log"))[:1] == ["one line"]
        assert not looker.read(f"{folder}/app.log", start=TAIL, max_lines=2)[-1].unavailable
        hung.claims = Claims()
        until(lambda: not _asked(looker, "stat", folder))
        follower.cancel()


def test_a_file_without_an_end_is_read_as_far_as_was_asked_for(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path
) -> None:
    path = f"{tmp_path}/hung/app.log"
    with running() as pid:
        looker = Looker(alice, pid)
        hung.claims, hung.endless = Claims(size=2**63 - 1), True
        *_, head = looker.read(path, max_bytes=1 << 20)
        *_, tail = looker.read(path, start=TAIL, max_bytes=1 << 20)
        *_, middle = looker.read(path, start=inspect_pb2.TEXT_START_OFFSET, offset_bytes=2**62, max_bytes=1 << 20)
    assert head.end == middle.end == inspect_pb2.TEXT_END_BYTE_LIMIT
    assert tail.end == inspect_pb2.TEXT_END_END_OF_FILE
    assert head.position_bytes <= (1 << 20) + (64 << 10)


def test_a_file_that_comes_byte_by_byte_is_timed_out(alice: Caller, hung: FaultyFileSystem, tmp_path: Path) -> None:
    with running() as pid:
        looker = Looker(alice, pid)
        hung.claims, hung.endless, hung.read_at_most = Claims(size=2**40), True, 1
        assert _asked(looker, "read", tmp_path / "hung") == "TIMED_OUT"


def test_whoever_waits_behind_slow_answers_gets_one_or_a_reason_in_time(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path
) -> None:
    """Each answer takes a little less than a worker may: those behind it waited for theirs once, and then in vain."""
    with running() as pid:
        looker = Looker(alice, pid)
        request = inspect_pb2.StatFilesRequest(process=looker.process, paths=[f"{tmp_path}/hung/app.log"])
        hung.takes_seconds = 1.7
        waiting = [alice.inspect.StatFiles.future(request, **(looker.call | {"timeout": 4.5})) for _ in range(5)]
        rows = [one.result().files[0] for one in waiting]
        hung.takes_seconds = 0
    assert {_why(row.unavailable) for row in rows} <= {"", "TIMED_OUT"}
    assert "TIMED_OUT" in {_why(row.unavailable) for row in rows}


def test_an_application_whose_memory_lies_on_it_holds_nobody_up(
    alice: Caller, hung: FaultyFileSystem, tmp_path: Path
) -> None:
    """Puts its arguments and its environment onto pages of a file that is never read to its end."""
    page = tmp_path / "hung" / "page"
    page.write_bytes(b"x" * 65_536)
    script = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
numbers = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
first, last = int(numbers[45]) & ~4095, (int(numbers[48]) + 4095) & ~4095
file = os.open({str(page)!r}, os.O_RDONLY)
# PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED
at = libc.mmap(ctypes.c_void_p(first), ctypes.c_size_t(last - first), 3, 18, file, ctypes.c_long(0))
assert at == first
"""
    hung.deaf_to = frozenset({Operation.READ})
    with running() as sound, running(script=script, environment={"LANG": "C.UTF-8", "PAD": "y" * 9_000}) as pid:
        looker = Looker(alice, pid)
        assert looker.processes() == [pid]
        assert looker.variables() == []
        assert Looker(alice, sound).variables() == ["LANG"]
        faulty_fs.unmount(tmp_path / "hung")
