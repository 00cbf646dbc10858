"""Files that are made to hold up, fool or swell whoever looks at them: an answer or a reason, and nothing else."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from expecting import until
from leadglass.v1 import inspect_pb2
from leadglass_agent.views.files import list_directory, stat_files
from leadglass_agent.views.open_texts import OpenTexts
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.redactors import build_redactors
from leadglass_agent.views.rows import FileRow, TextQuery, TextStart
from looking import Looker, held, lines, reason
from planted_secrets import plant
from running_agent import OPEN_POLICY, RunningAgent, running_agent
from sample_processes import EVERY_PATH, answer_of, become
from swapping import app_below

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices, and gives a process its own root")

HEAD, TAIL, OFFSET = (
    inspect_pb2.TEXT_START_HEAD,
    inspect_pb2.TEXT_START_TAIL,
    inspect_pb2.TEXT_START_OFFSET,
)
# Every text, whatever its name: what keeps content away here is not policy.
POLICY: Final = OPEN_POLICY.replace('paths: ["/**/*.log", "/**/*.yaml"]', 'paths: ["/**"]')
DEVICES: Final = {
    "null": (stat.S_IFCHR, 1, 3),
    "zero": (stat.S_IFCHR, 1, 5),
    "urandom": (stat.S_IFCHR, 1, 9),
    "kmsg": (stat.S_IFCHR, 1, 11),
    "tty": (stat.S_IFCHR, 5, 0),
    "ptmx": (stat.S_IFCHR, 5, 2),
    "fuse": (stat.S_IFCHR, 10, 229),
    "watchdog": (stat.S_IFCHR, 10, 130),  # opening it starts a clock that ends in a reboot
    "nobody": (stat.S_IFCHR, 4_000, 7),
    "loop0": (stat.S_IFBLK, 7, 0),
    "no-disk": (stat.S_IFBLK, 4_000, 7),
}
NAMES: Final = (
    b"n" * 255,
    "ü".encode() * 127,
    b"\xff\xfe\x80",
    b"\xff" * 255,
    b"\x01\x02\x1b[2J\x07\x7f",
    b"two\nlines\r",
    b" ",
    b"-rf",
    b"...",
    b"*",
    b"a (deleted)",
    b"back\\slash\\x41",
    "\u202egol.ppa".encode(),
    "\u2066isolated\u2069\u200b\ufeff".encode(),
    "\U000e0041tag".encode(),
    "e\u0301".encode(),
    "\u00e9".encode(),
)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent"), POLICY) as started:
        yield started


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pod")


@pytest.fixture(scope="module")
def looker(agent: RunningAgent, pod: Path) -> Iterator[Looker]:
    with app_below(pod) as pid:
        yield Looker(agent.caller(), pid)


def _why(messages: list[inspect_pb2.ReadTextResponse]) -> str:
    return reason(messages[-1].unavailable) if messages[-1].unavailable else ""


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_described_and_never_opened(looker: Looker, pod: Path, name: str) -> None:
    kind, major, minor = DEVICES[name]
    os.mknod(pod / f"{name}.log", kind | 0o666, os.makedev(major, minor))
    (row,) = looker.stat(f"/{name}.log")
    is_block = kind == stat.S_IFBLK
    assert row.type == (inspect_pb2.FILE_TYPE_BLOCK_DEVICE if is_block else inspect_pb2.FILE_TYPE_CHARACTER_DEVICE)
    for start in (HEAD, TAIL, OFFSET):
        assert _why(looker.read(f"/{name}.log", start=start)) == "NOT_A_FILE"
    assert reason(looker.page(f"/{name}.log").unavailable) == "NOT_A_DIRECTORY"


def test_a_pipe_and_a_socket_are_described_and_nobody_comes_to_their_other_end(looker: Looker, pod: Path) -> None:
    os.mkfifo(pod / "pipe.log")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(pod / "socket.log"))
        listening.listen()
        listening.settimeout(0)
        assert [row.type for row in looker.stat("/pipe.log", "/socket.log")] == [
            inspect_pb2.FILE_TYPE_FIFO,
            inspect_pb2.FILE_TYPE_SOCKET,
        ]
        for name in ("pipe", "socket"):
            assert _why(looker.read(f"/{name}.log", follow=True)) == "NOT_A_FILE"
        with pytest.raises(BlockingIOError):
            listening.accept()
    with pytest.raises(OSError, match="No such device"):  # ENXIO: nobody reads
        os.open(pod / "pipe.log", os.O_WRONLY | os.O_NONBLOCK)


def test_names_of_every_kind_are_shown_plain_and_apart(looker: Looker, pod: Path) -> None:
    folder = pod / "names"
    folder.mkdir()
    for name in NAMES:
        (folder / os.fsdecode(name)).write_bytes(b"x")
        (folder / os.fsdecode(b"l" + name[:200])).symlink_to(os.fsdecode(name))
    page = looker.page("/names")

    shown = [row.name.text for row in page.entries]
    assert len(set(shown)) == len(shown) == 2 * len(NAMES)
    for text in (*shown, *(row.link_target.text for row in page.entries)):
        assert text.isprintable(), ascii(text)
    assert all(row.size_bytes for row in page.entries)
    # What a caller can write is found again by what was shown, and what no request can hold is listed alone.
    (row,) = looker.stat("/names/" + "n" * 255)
    assert row.size_bytes == 1
    assert looker.stat("/names/a (deleted)")[0].size_bytes == 1


@pytest.mark.parametrize("seconds", [2**40, 2**63 - 1, -(2**62), 253_402_300_800, -62_135_596_801, 0])
def test_a_time_that_no_calendar_has_is_shown_as_the_nearest_that_can_be(looker: Looker, seconds: int) -> None:
    """Any user may set one; it once ended the worker, for as long as the file was there."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        pytest.skip("only some file systems keep such times")
    path = memory / f"leadglass-{os.getpid()}.log"
    path.write_text("a line\n")
    try:
        os.utime(path, (0, seconds))
        here = Looker(looker.caller, os.getpid())
        (row,) = here.stat(str(path))
        assert row.size_bytes == 7
        # 1677 to 2262
        assert row.modify_time.seconds == min(max(seconds, -9_223_372_037), 9_223_372_036)
        assert lines(here.read(str(path))) == ["a line"]
        assert not here.page(str(memory)).unavailable
    finally:
        path.unlink()


def test_a_file_that_was_removed_is_gone_and_one_that_is_being_read_is_read_to_its_end(
    looker: Looker, pod: Path
) -> None:
    """A window whose file was renamed once ended without saying why."""
    path = pod / "removed.log"
    path.write_text("before\n")
    with path.open("ab") as kept:
        stream = looker.caller.inspect.ReadText(
            inspect_pb2.ReadTextRequest(process=looker.process, path="/removed.log", follow=True),
            **(looker.call | {"timeout": 60}),
        )
        first = next(stream)
        assert [line.text.text for line in first.lines] == ["before"]
        path.unlink()
        assert _why(looker.read("/removed.log")) == "NOT_FOUND"
        rest = list(stream)
        assert kept.write(b"too late\n")
    assert rest[-1].end == inspect_pb2.TEXT_END_FILE_ROTATED


@pytest.mark.parametrize(
    ("path", "mode", "content", "entries"),
    [
        ("/own.log", 0o000, "PERMISSION", "NOT_A_DIRECTORY"),
        ("/own.log", 0o200, "PERMISSION", "NOT_A_DIRECTORY"),
        ("/own.log", 0o400, "", "NOT_A_DIRECTORY"),
        ("/own", 0o000, "NOT_A_FILE", "PERMISSION"),
        ("/own", 0o100, "NOT_A_FILE", "PERMISSION"),
        ("/own", 0o500, "NOT_A_FILE", ""),
    ],
)
def test_what_is_closed_to_its_own_owner_is_closed_to_the_agent_of_the_same_user(
    tmp_path: Path, path: str, mode: int, content: str, entries: str
) -> None:
    """Asks the views in a process of that user, without root's right to pass over modes."""
    tmp_path.chmod(0o755)
    (tmp_path / "own.log").write_text("a line\n")
    (tmp_path / "own").mkdir()
    for name in ("own.log", "own"):
        os.chown(tmp_path / name, 65_534, 65_534)
    (tmp_path / path[1:]).chmod(mode)
    root = TargetRoot(os.open(tmp_path, os.O_PATH))
    redactors = build_redactors()
    query = TextQuery(path, TextStart.HEAD, 0, 10, 1_000, follow=False, filter=None)

    def ask() -> list[str]:
        become(65_534, 65_534)
        os.chdir("/")
        text = OpenTexts(root, redactors).page(1, 0, EVERY_PATH, query)
        page = list_directory(root, redactors.balanced, EVERY_PATH, EVERY_PATH, path, 0, 10)
        (row,) = stat_files(root, redactors.balanced, EVERY_PATH, [path], follow_symlinks=True)
        return [
            text.unavailable or "",
            page.unavailable or "",
            oct(row.mode) if isinstance(row, FileRow) else row.reason,
        ]

    assert answer_of(ask) == [content, entries, oct(mode)]
    os.close(root.fd)


def test_files_that_change_while_they_are_read_end_every_window(looker: Looker, pod: Path) -> None:
    path = pod / "growing.log"
    path.write_bytes(b"")
    writer = os.fork()
    if writer == 0:
        try:
            with path.open("ab", buffering=0) as growing:
                for number in range(200_000):
                    growing.write(b"line of the log\n" * 64)
                    if number % 50 == 49:
                        growing.truncate(0)
                    if number % 500 == 499:
                        path.rename(pod / "growing.log.1")
                        growing = path.open("ab", buffering=0)  # noqa: PLW2901 - as a logger rotates
        finally:
            os._exit(0)
    try:
        ends = set()
        for start in (HEAD, TAIL, OFFSET) * 20:
            messages = looker.read("/growing.log", start=start, offset_bytes=512 if start == OFFSET else 0)
            ends.add(messages[-1].end)
            assert set(lines(messages)) <= {"line of the log"} | {"line of the log"[at:] for at in range(15)}
            looker.stat("/growing.log", "/growing.log.1")
    finally:
        os.kill(writer, 9)
        os.waitpid(writer, 0)
    assert ends <= {
        inspect_pb2.TEXT_END_END_OF_FILE,
        inspect_pb2.TEXT_END_FILE_TRUNCATED,
        inspect_pb2.TEXT_END_LINE_LIMIT,
        inspect_pb2.TEXT_END_UNAVAILABLE,
    }


def test_no_look_at_anything_hostile_leaves_descriptors_processes_or_memory_behind(
    agent: RunningAgent, looker: Looker, pod: Path
) -> None:
    planted = plant("hostile")
    (pod / "kept.log").write_text(f"API_TOKEN={planted['hostile']}\n" * 1_000)
    (pod / "binary.log").write_bytes(bytes(100_000))
    os.mkfifo(pod / "again.log")
    (pod / "out.log").symlink_to("/../../etc/passwd")

    def look() -> None:
        for path in ("/kept.log", "/binary.log", "/again.log", "/out.log", "/absent.log", "/"):
            looker.read(path)
            looker.first(path, follow=True)
            looker.stat(path, path, follow=True)
            looker.page(path)
        with pytest.raises(grpc.RpcError):
            looker.stat("/a/../b")

    for _ in range(3):
        look()
    before = held(agent.process.pid)
    for _ in range(40):
        look()
    until(lambda: held(agent.process.pid).descriptors <= before.descriptors)
    after = held(agent.process.pid)
    assert after.processes == before.processes
    assert after.resident_bytes - before.resident_bytes < 8 << 20
