"""Files and folders that are larger than whoever looks at them can take in: a part of them, or a reason, in time."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest

from expecting import until
from leadglass.v1 import inspect_pb2
from looking import Looker, held, lines, reason
from running_agent import RunningAgent, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

HEAD, TAIL, OFFSET = (
    inspect_pb2.TEXT_START_HEAD,
    inspect_pb2.TEXT_START_TAIL,
    inspect_pb2.TEXT_START_OFFSET,
)
TERABYTE: Final = 1 << 40
MILLION: Final = 1_000_000
DEEP: Final = 2_000
# What the processes may keep after looking, of all that they looked at: allocators give back late.
KEPT_BYTES: Final = 48 << 20


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as started:
        yield started


@pytest.fixture(scope="module")
def looker(agent: RunningAgent) -> Iterator[Looker]:
    with running() as pid:
        yield Looker(agent.caller(), pid)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Gives a folder in memory, where there is one: a disk may take minutes for so many entries."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


def _fill(folder: Path, count: int, length: int = 0) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(count):
            os.symlink("x", f"{number:0>7}".ljust(length, "n"), dir_fd=descriptor)
    finally:
        os.close(descriptor)


def test_a_folder_of_a_million_entries_is_paged_up_to_the_bound_and_says_that_it_has_more(
    agent: RunningAgent, looker: Looker, memory: Path
) -> None:
    _fill(memory, MILLION)
    looker.page("/etc")
    before = held(agent.process.pid)
    page = looker.page(str(memory), size=1_000)
    seen = 0
    while not page.unavailable:
        assert page.truncated
        seen += len(page.entries)
        if not page.next_page_token:
            break
        page = looker.page(str(memory), size=1_000, token=page.next_page_token)
    # A machine too slow to sort so many names gives the reason instead.
    assert seen == 100_000 or reason(page.unavailable) == "TIMED_OUT"
    until(lambda: not looker.stat(str(memory))[0].unavailable)
    assert looker.stat(f"{memory}/0999999")[0].link_target.text == "x"
    after = held(agent.process.pid)
    assert after.processes <= before.processes
    assert after.resident_bytes - before.resident_bytes < KEPT_BYTES


def test_the_longest_names_of_a_large_folder_are_bounded_by_their_bytes(
    agent: RunningAgent, looker: Looker, memory: Path
) -> None:
    """A hundred thousand names of 255 bytes were kept by each worker once."""
    _fill(memory, 100_000, 255)
    looker.page("/etc")
    before = held(agent.process.pid)
    page = looker.page(str(memory), size=1_000)
    assert page.unavailable or (page.truncated and len(page.entries) == 1_000)
    assert held(agent.process.pid).resident_bytes - before.resident_bytes < KEPT_BYTES


def test_a_tree_that_is_deeper_than_a_path_can_say_is_looked_at_as_far_as_one_can(
    looker: Looker, tmp_path: Path
) -> None:
    # Twice as deep as a path reaches, from a folder in its middle.
    descriptor = os.open(tmp_path, os.O_RDONLY)
    opened = [descriptor]
    for _ in range(2 * DEEP):
        os.mkdir("d", dir_fd=opened[-1])
        opened.append(os.open("d", os.O_RDONLY, dir_fd=opened[-1]))
        if len(opened) > 2:
            os.close(opened.pop(-2))
    try:
        (tmp_path / "middle").symlink_to("/".join("d" * 1_000))
        (tmp_path / "deeper").symlink_to("middle/" + "/".join("d" * 1_000))
        # An entry, too, has a path of its own, which has to fit.
        within = (4_096 - len(str(tmp_path)) - len("/d") - 1) // 2
        assert looker.stat(f"{tmp_path}{'/d' * within}")[0].type == inspect_pb2.FILE_TYPE_DIRECTORY
        assert [row.name.text for row in looker.page(f"{tmp_path}{'/d' * within}").entries] == ["d"]
        assert len(looker.page(f"{tmp_path}/middle").entries) == 1
        for path in (f"{tmp_path}/deeper{'/d' * 100}", f"{tmp_path}/deeper{'/d' * 900}"):
            assert reason(looker.stat(path, follow=True)[0].unavailable) == "PATH_TOO_LONG"
            assert reason(looker.page(path).unavailable) == "PATH_TOO_LONG"
    finally:
        for one in opened:
            os.close(one)
        _remove_deep(tmp_path)


def _remove_deep(top: Path) -> None:
    """Removes folder in folder from above: what clears up after tests goes down by calling itself."""
    aside = top / "aside"
    while (top / "d").exists():
        if (top / "d" / "d").exists():
            (top / "d" / "d").rename(aside)
        (top / "d").rmdir()
        if aside.exists():
            aside.rename(top / "d")


@pytest.mark.parametrize("head", [b"", b"a line of text\n" * 2_000, b"x" * 100_000])
def test_a_terabyte_of_nothing_costs_its_window_alone(
    agent: RunningAgent, looker: Looker, tmp_path: Path, head: bytes
) -> None:
    path = tmp_path / "app.log"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(TERABYTE)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast but one\nlast\n")
    looker.stat(str(path))
    before = held(agent.process.pid)
    assert looker.stat(str(path))[0].size_bytes == TERABYTE + 19

    end = looker.read(str(path), start=TAIL, max_lines=2)
    if head:
        assert lines(end) == ["last but one", "last"]
        assert looker.first(str(path), start=HEAD).file.size_bytes == TERABYTE + 19
    else:
        assert reason(end[-1].unavailable) == "BINARY_FILE"
    for window in (
        {"start": HEAD, "max_lines": 10},
        {"start": OFFSET, "offset_bytes": TERABYTE // 2, "max_bytes": 1 << 20},
        {"start": TAIL, "max_lines": 1_000, "max_bytes": 128 << 20},
        {"start": HEAD, "filter": inspect_pb2.TextFilter(pattern="absent")},
        {"start": TAIL, "filter": inspect_pb2.TextFilter(pattern="last"), "max_bytes": 1 << 30},
        {"start": HEAD, "follow": True},
    ):
        first = looker.first(str(path), **window)
        assert first.HasField("file") or first.unavailable
    until(lambda: held(agent.process.pid).descriptors <= before.descriptors)
    after = held(agent.process.pid)
    assert after.processes <= before.processes
    assert after.resident_bytes - before.resident_bytes < KEPT_BYTES


def test_a_line_of_a_gigabyte_is_shown_by_its_beginning_and_a_search_through_it_ends(
    agent: RunningAgent, looker: Looker, tmp_path: Path
) -> None:
    path = tmp_path / "app.log"
    block = b"lorem ipsum dolor sit amet " * 40_000
    with path.open("wb") as file:
        for _ in range((1 << 30) // len(block)):
            file.write(block)
    looker.stat(str(path))
    before = held(agent.process.pid)
    for start in (HEAD, TAIL, OFFSET):
        messages = looker.read(str(path), start=start, offset_bytes=(1 << 29) * (start == OFFSET), max_bytes=1 << 20)
        assert len(lines(messages)) == 1
        assert len(lines(messages)[0]) <= 16_384
    first = looker.first(str(path), filter=inspect_pb2.TextFilter(pattern="absent"))
    assert first.HasField("file")
    assert looker.stat("/etc/passwd")[0].size_bytes
    until(lambda: held(agent.process.pid).descriptors <= before.descriptors)
    assert held(agent.process.pid).resident_bytes - before.resident_bytes < KEPT_BYTES
