"""Looks at a /proc on disk: what is read of it, and what is left alone when nothing was started."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.views import procfs
from leadglass_agent.views.lineage import Finding
from leadglass_agent.views.proc_text import ProcParseError
from leadglass_agent.views.process_scan import ProcessScan
from sample_processes import OnDisk, lay_out, stat_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.views.procfs import ProcRoot

_APP, _AGENT = "b" * 64, "d" * 64


class _Pod:
    """A pod on disk: an app 10, the agent 40 with its reader 41."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lay_out(folder)
        self.started = 0
        self.start(10, _APP, 20)
        self.start(40, _AGENT, 30)
        self.start(41, _AGENT, 30, parent=40)

    def start(self, pid: int, container: str, mount: int, *, parent: int = 0, name: bytes = b"app") -> None:
        self.started += 1
        directory = self.folder / str(pid)
        directory.mkdir()
        process = OnDisk(pid, parent, name, start_ticks=100 + self.started)
        # The session is the process itself, as runtimes have it.
        line = stat_line(process).replace(b" 0 0 0 -1 ", b" 0 %d 0 -1 " % pid)
        (directory / "stat").write_bytes(line)
        (directory / "mountinfo").write_text(
            f"{mount} 5 0:40 / / rw - overlay overlay rw\n{mount + 1} {mount} 0:41 / /proc rw - proc proc rw\n"
        )
        (directory / "cgroup").write_text(f"0::/kubepods.slice/cri-containerd-{container}.scope\n")
        self.tell_last(pid)

    def tell_last(self, pid: int) -> None:
        (self.folder / "loadavg").write_text(f"0.10 0.20 0.30 1/99 {pid}\n")

    def end(self, pid: int) -> None:
        shutil.rmtree(self.folder / str(pid))


@pytest.fixture
def pod(tmp_path: Path) -> _Pod:
    return _Pod(tmp_path / "proc")


@pytest.fixture
def proc(pod: _Pod) -> Iterator[ProcRoot]:
    opened = procfs.open_proc(str(pod.folder))
    yield opened
    opened.close()


def _found(scan: ProcessScan) -> dict[int, tuple[Finding, bytes]]:
    return {one.origin.pid: (one.finding, one.origin.name) for one in scan.look()}


def test_a_shell_that_is_put_into_the_app_is_found_at_the_next_look(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    assert _found(scan) == {}
    pod.start(50, _APP, 20, name=b"sh")

    assert _found(scan) == {50: (Finding.NOT_DESCENDED, b"sh")}


def test_a_foreign_process_has_the_name_of_what_it_runs_now(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.start(50, _APP, 20, name=b"runc:[2:INIT]")
    scan.look()
    stat = pod.folder / "50" / "stat"
    stat.write_bytes(stat.read_bytes().replace(b"runc:[2:INIT]", b"sh"))

    assert _found(scan) == {50: (Finding.NOT_DESCENDED, b"sh")}


def test_what_ended_is_found_no_more(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.start(50, _APP, 20)
    scan.look()
    pod.end(50)

    assert _found(scan) == {}


def test_while_no_number_was_given_most_looks_do_not_list_the_processes(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.start(50, _APP, 20)
    pod.tell_last(41)  # a container may see another loadavg than the kernel's

    assert [bool(_found(scan)) for _ in range(3)] == [False, False, True]


def test_a_number_that_was_given_anew_is_looked_at_when_the_counter_began_again(pod: _Pod, proc: ProcRoot) -> None:
    for pid in range(100, 300):
        pod.start(pid, _APP, 20, parent=10)
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.end(299)
    pod.start(299, _APP, 20, name=b"sh")
    pod.tell_last(7)

    assert _found(scan) == {299: (Finding.NOT_DESCENDED, b"sh")}


def test_a_number_that_was_given_anew_unnoticed_is_found_in_the_course_of_some_looks(pod: _Pod, proc: ProcRoot) -> None:
    for pid in range(100, 300):
        pod.start(pid, _APP, 20, parent=10)
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.end(299)
    pod.start(299, _APP, 20, name=b"sh")

    looks = 0
    while not _found(scan):
        looks += 1
        pod.tell_last(1_000 + looks)
        assert looks < 10


def test_a_process_whose_mounts_cannot_be_read_accuses_nobody(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    scan.look()
    pod.start(50, _APP, 20)
    (pod.folder / "50" / "mountinfo").unlink()
    (pod.folder / "50" / "cgroup").unlink()

    assert _found(scan) == {}


def test_a_proc_that_is_none_is_an_error_and_no_finding(pod: _Pod, proc: ProcRoot) -> None:
    scan = ProcessScan(proc, 41)
    (pod.folder / "loadavg").write_text("nothing of the kind\n")

    with pytest.raises(ProcParseError):
        scan.look()


def test_on_this_machine_nothing_is_found_of_what_a_test_starts_itself() -> None:
    proc = procfs.open_proc()
    try:
        scan = ProcessScan(proc, os.getpid())
        before = {one.key for one in scan.look()}
        child = os.posix_spawn(shutil.which("sleep") or "sleep", ["sleep", "60"], {})
        try:
            found = {one.key for look in range(2) for one in scan.look()}
            assert child not in {pid for pid, _ in found - before}
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    finally:
        proc.close()
