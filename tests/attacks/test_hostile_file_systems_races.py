"""Names that lead somewhere else from one moment to the next: what the agent reads is the target's own, or nothing.

Every attack is tried with a plain open beside it, which is won at once: the test is able to fail.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from expecting import until
from leadglass.v1 import inspect_pb2
from looking import Looker, held, lines, reason
from running_agent import OPEN_POLICY, RunningAgent, running_agent
from swapping import app_below, swapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swapping import Swaps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_200),  # so many reads take minutes on a machine with much else to do
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a process its own root"),
]

SESSIONS = 8
READS = 2_000
FEWER = 500
SWAPS = 20_000
STAT_AT_ONCE = 50
OWN = "a line of the application's own"
FOREIGN = "a line that belongs to somebody else"
HIDDEN = "a line of a folder that no rule admits"
# Every text, whatever its name: what keeps foreign content away here is not policy.
POLICY = OPEN_POLICY.replace('paths: ["/**/*.log", "/**/*.yaml"]', 'paths: ["/**"]').replace(
    "    - name: admin\n",
    "        - id: hidden\n"
    "          effect: forbid\n"
    "          permissions: [files.metadata, files.list, text.redacted]\n"
    '          paths: ["/hidden/**"]\n'
    "    - name: admin\n",
    1,
)
# What may come of it: the file has gone, leads out, was refused, or was exchanged too often while it was looked for.
REASONS = {
    "NOT_FOUND",
    "ESCAPES_ROOT",
    "PERMISSION",
    "KERNEL_FILESYSTEM",
    "KERNEL_REFUSED",
    "PATH_TOO_LONG",
    "TIMED_OUT",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was learned of a file: the text of lines, sizes, and reasons."""

    lines: set[str]
    sizes: set[int]
    reasons: set[str]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    (tmp_path / "agent").mkdir()
    with running_agent(tmp_path / "agent", POLICY) as running:
        yield running


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """Lays out the root of an application, and files outside of it."""
    root = tmp_path / "pod"
    for folder in ("proc", "srv", "srv/over/kernel", "srv/shown", "hidden", "links"):
        (root / folder).mkdir(parents=True)
    (root / "srv" / "app.log").write_text(f"{OWN}\n" * 3)
    (root / "srv" / "over" / "kernel" / "fscaps").write_text(f"{OWN}\n" * 3)
    (root / "srv" / "shown" / "app.log").write_text(f"{OWN}\n" * 3)
    (root / "hidden" / "app.log").write_text(f"{HIDDEN}\n" * 5)
    (tmp_path / "srv" / "shown").mkdir(parents=True)
    (tmp_path / "foreign.log").write_text(f"{FOREIGN}\n" * 7)
    (tmp_path / "app.log").write_text(f"{FOREIGN}\n" * 7)
    return root


def _link(root: Path, name: str, target: object) -> Path:
    link = root / "links" / name
    link.symlink_to(str(target))
    return link


def _lookers(agent: RunningAgent, pid: int) -> Iterator[Looker]:
    """Gives one caller's sessions in turn, since each has so many calls a minute."""
    return cycle([Looker(agent.caller(), pid) for _ in range(SESSIONS)])


def _look(lookers: Iterator[Looker], swaps: Swaps, path: str, least: int) -> Seen:
    """Reads, stats and lists until there were at least so many reads, and so many exchanges."""
    seen = Seen(set(), set(), set())
    folder = str(Path(path).parent)
    reads = 0
    first = swaps.number
    while reads < least or (swaps.number - first < SWAPS and reads < 10 * least):
        looker = next(lookers)
        messages = looker.read(path, start=inspect_pb2.TEXT_START_TAIL if reads % 2 else inspect_pb2.TEXT_START_HEAD)
        seen.lines.update(lines(messages))
        seen.reasons.update(reason(message.unavailable) for message in messages if message.unavailable)
        reads += 1
        if reads % 20 == 0:
            rows = looker.stat(*[path] * STAT_AT_ONCE, follow=True)
            seen.sizes.update(row.size_bytes for row in rows if not row.unavailable)
            seen.reasons.update(reason(row.unavailable) for row in rows if row.unavailable)
            page = looker.page(folder)
            seen.reasons.update(reason(page.unavailable) for _ in range(1) if page.unavailable)
            seen.sizes.update(row.size_bytes for row in page.entries if row.type == inspect_pb2.FILE_TYPE_REGULAR)
    assert swaps.number - first >= SWAPS
    return seen


def _until_a_plain_open_reads(plain: str, content: str) -> None:
    """Wins the race with the open that everybody would write first."""

    def leaks() -> bool:
        with suppress(OSError):
            return content in Path(plain).read_text(encoding="utf-8")
        return False

    until(leaks)


def test_a_file_that_is_a_link_every_other_moment_shows_no_byte_from_elsewhere(
    agent: RunningAgent, pod: Path, tmp_path: Path
) -> None:
    key = agent.folder / "server" / "tls.key"
    foreign = tmp_path / "foreign.log"
    with app_below(pod, with_proc=True) as pid:
        links = [
            _link(pod, "key", key),
            _link(pod, "absolute", foreign),
            _link(pod, "upwards", "../" * 40 + str(foreign).lstrip("/")),
            _link(pod, "self", f"/proc/self/root{foreign}"),
            _link(pod, "first", f"/proc/1/root{foreign}"),
            _link(pod, "agent", f"/proc/{agent.front_pid}/root{key}"),
            _link(pod, "folder", f"/proc/{agent.reader_pid}/cwd/{os.path.relpath(foreign)}"),
            _link(pod, "environ", f"/proc/{agent.reader_pid}/environ"),
            _link(pod, "hidden", "../hidden/app.log"),
            _link(pod, "loop", "/srv/app.log"),
        ]
        lookers = _lookers(agent, pid)
        swapped = pod / "srv" / "app.log"
        with swapping(tmp_path, *[(swapped, link) for link in links]) as swaps:
            seen = _look(lookers, swaps, "/srv/app.log", READS)
            _until_a_plain_open_reads(f"/proc/{pid}/root/srv/app.log", FOREIGN)
            _until_a_plain_open_reads(f"/proc/{pid}/root/srv/app.log", "PRIVATE KEY")
            _until_a_plain_open_reads(f"/proc/{pid}/root/srv/app.log", HIDDEN)

    assert seen.lines == {OWN}
    assert seen.sizes == {len(f"{OWN}\n" * 3)}
    assert {"NOT_FOUND", "ESCAPES_ROOT"} <= seen.reasons <= REASONS


def test_a_folder_on_the_way_that_is_a_link_every_other_moment_shows_no_byte_from_elsewhere(
    agent: RunningAgent, pod: Path, tmp_path: Path
) -> None:
    with app_below(pod) as pid:
        links = [
            _link(pod, "outside", tmp_path),
            _link(pod, "upwards", "../" * 40 + str(tmp_path).lstrip("/")),
            _link(pod, "hidden", "../hidden"),
        ]
        lookers = _lookers(agent, pid)
        swapped = pod / "srv" / "shown"
        with swapping(tmp_path, *[(swapped, link) for link in links]) as swaps:
            seen = _look(lookers, swaps, "/srv/shown/app.log", FEWER)
            _until_a_plain_open_reads(f"/proc/{pid}/root/srv/shown/app.log", FOREIGN)
            _until_a_plain_open_reads(f"/proc/{pid}/root/srv/shown/app.log", HIDDEN)

    assert seen.lines == {OWN}
    assert seen.sizes <= {len(f"{OWN}\n" * 3)}
    assert "NOT_FOUND" in seen.reasons
    assert seen.reasons <= REASONS


def test_folders_above_a_file_that_are_renamed_without_end_harm_nobody(
    agent: RunningAgent, pod: Path, tmp_path: Path
) -> None:
    """Exchanges the folder on the way with one that is not below the application's root at all."""
    other = tmp_path / "other"
    (other / "shown").mkdir(parents=True)
    (other / "shown" / "app.log").write_text(f"{OWN}\n" * 3)
    (pod / "links" / "above").symlink_to("../srv/shown/../shown/app.log")
    with app_below(pod) as pid:
        lookers = _lookers(agent, pid)
        with swapping(tmp_path, (pod / "srv", other)) as swaps:
            seen = _look(lookers, swaps, "/links/above", FEWER)

    # Either folder may be in the place, but while it leaves, the kernel says that it lies outside.
    assert seen.lines == {OWN}
    assert seen.sizes <= {len(f"{OWN}\n" * 3)}
    assert seen.reasons <= REASONS


def test_a_mount_over_a_folder_shows_no_byte_of_the_kernel(agent: RunningAgent, pod: Path) -> None:
    path = "/srv/over/kernel/fscaps"  # which has a size, unlike what lies in /proc
    kernel = Path("/sys/kernel/fscaps").read_text(encoding="utf-8")
    with app_below(pod, mounts_over="/srv/over") as pid:
        lookers = _lookers(agent, pid)
        read: set[str] = set()
        reasons: set[str] = set()
        for _ in range(FEWER):
            messages = next(lookers).read(path)
            read.update(lines(messages))
            reasons.update(reason(message.unavailable) for message in messages if message.unavailable)
        _until_a_plain_open_reads(f"/proc/{pid}/root{path}", kernel)

    assert read <= {OWN}
    assert "KERNEL_FILESYSTEM" in reasons
    assert reasons <= REASONS


def test_races_leave_no_descriptor_behind(agent: RunningAgent, pod: Path, tmp_path: Path) -> None:
    with app_below(pod) as pid:
        looker = Looker(agent.caller(), pid)
        looker.read("/srv/app.log")
        swapped = pod / "srv" / "app.log"
        links = [_link(pod, "absolute", tmp_path / "foreign.log"), _link(pod, "hidden", "/hidden/app.log")]
        looker.page("/srv")
        before = held(agent.process.pid)
        with swapping(tmp_path, *[(swapped, link) for link in links]):
            for _ in range(STAT_AT_ONCE):
                looker.stat(*["/srv/app.log"] * STAT_AT_ONCE, follow=True)
                looker.read("/srv/app.log")
                looker.page("/srv")
        until(lambda: held(agent.process.pid).descriptors <= before.descriptors)
