"""Reading and parsing of /proc."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.views import procfs
from leadglass_agent.views.kernel_refusal import explain, why_refused
from leadglass_agent.views.proc_text import (
    ProcParseError,
    Status,
    parse_boot_time,
    parse_descriptor_info,
    parse_proc_options,
    parse_stat,
    parse_status,
)
from leadglass_agent.views.procfs import ProcessGone
from leadglass_agent.views.rows import Unavailable
from sample_processes import (
    CLONE_NEWUSER,
    LIBC,
    PR_SET_DUMPABLE,
    OnDisk,
    answer_of,
    become,
    forked,
    lay_out,
    running,
    stat_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.views.procfs import ProcRoot

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to start processes of other users")
APP = 12_345

# Texts that are almost right reach deeper than arbitrary ones.
_NEARLY = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from([b"1", b"S", b"(", b")", b" ", b"\n", b"-1", b"9" * 30, b"Uid:", b"Tgid:", b"\xff", b"btime"])
    ).map(b" ".join),
    st.tuples(st.integers(0, 400), st.binary(max_size=3)).map(
        lambda cut: stat_line(OnDisk(5))[: cut[0]] + cut[1] + stat_line(OnDisk(5))[cut[0] :]
    ),
)


@pytest.fixture
def proc() -> Iterator[ProcRoot]:
    opened = procfs.open_proc()
    yield opened
    opened.close()


@given(_NEARLY)
def test_arbitrary_texts_parse_or_raise_the_one_error(data: bytes) -> None:
    for parse in (parse_stat, parse_status, parse_boot_time, parse_descriptor_info):
        try:
            parse(data)
        except ProcParseError as error:
            assert str(error) in {"stat", "status", "stat of the system", "fdinfo"}  # noqa: PT017 - it may or may not raise
    parse_proc_options(data, b"/proc")


@given(
    name=st.binary(max_size=64),
    parent=st.integers(0, 2**22),
    start=st.integers(0, 2**63),
    state=st.sampled_from("RSDTtZXI"),
)
def test_a_name_of_any_bytes_does_not_shift_the_fields_behind_it(
    name: bytes, parent: int, start: int, state: str
) -> None:
    stat = parse_stat(stat_line(OnDisk(9, parent=parent, name=name, state=state, start_ticks=start)))
    assert (stat.name, stat.parent_pid, stat.start_ticks, stat.state) == (name, parent, start, state)
    assert (stat.cpu_ticks, stat.threads, stat.virtual_bytes, stat.resident_pages) == (12, 3, 4096, 2)


@pytest.mark.parametrize("number", [b"+7", b"1_0", b"-1", b"7.5", b"9" * 21, "٣".encode()])
def test_only_plain_decimal_numbers_are_taken_from_stat(number: bytes) -> None:
    with pytest.raises(ProcParseError):
        parse_stat(stat_line(OnDisk(5, start_ticks=424242)).replace(b"424242", number))


def test_a_name_that_forges_lines_of_status_is_overruled_by_the_real_ones() -> None:
    forged = b"Name:\tx\nTgid:\t1\nUid:\t0\t0\t0\t0\n"
    real = b"Tgid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nCapPrm:\t00ff\nCapEff:\t000f\n"
    assert parse_status(forged + real) == Status(9, (1, 2, 3, 4), (5, 6, 7, 8), 0xFF, 0xF)


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (b"22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible", {b"rw", b"hidepid=invisible"}),
        (b"22 27 0:21 / /proc rw shared:1 master:2 - proc proc rw,hidepid=2", {b"rw", b"hidepid=2"}),
        (b"22 27 0:21 / /proc rw - tmpfs proc rw", set()),
        (b"22 27 0:21 / /proc/sys rw - proc proc rw", set()),
    ],
)
def test_mount_options_are_those_of_proc_itself(line: bytes, options: set[bytes]) -> None:
    assert parse_proc_options(b"1 1 0:1 / / rw - ext4 d rw\n" + line + b"\n", b"/proc") == options


@pytest.mark.parametrize(
    ("option", "hides"),
    [
        ("hidepid=invisible", True),
        ("hidepid=1", True),
        ("hidepid=off", False),
        ("rw", False),
        ("hidepid=ptraceable", True),
    ],
)
def test_hidepid_is_noticed_unless_we_may_trace_everything(tmp_path: Path, option: str, hides: bool) -> None:  # noqa: FBT001
    for effective, expected in (("0", hides), ("80000", False)):
        path = lay_out(tmp_path / effective)
        (tmp_path / effective / "self" / "mountinfo").write_text(
            f"1 1 0:1 / {path} rw - proc proc rw,gid=99999,{option}\n"
        )
        status = (tmp_path / effective / "self" / "status").read_text()
        (tmp_path / effective / "self" / "status").write_text(status.replace("CapEff:\t0", f"CapEff:\t{effective}"))
        opened = procfs.open_proc(path)
        assert opened.hides is expected
        opened.close()


def test_a_real_process_is_read_as_psutil_reads_it(proc: ProcRoot) -> None:
    with running() as pid, procfs.open_process(proc, pid) as process:
        oracle = psutil.Process(pid)
        stat = procfs.read_stat(process)
        assert stat.name.decode() == oracle.name()
        assert stat.parent_pid == os.getpid()
        assert stat.threads == oracle.num_threads()
        start = proc.boot_unix_ns + stat.start_ticks * procfs.NANOSECONDS_PER_TICK
        assert start == pytest.approx(oracle.create_time() * 1e9, abs=2e7)
        assert procfs.owner(process) == (oracle.uids().effective, oracle.gids().effective)
        assert procfs.read_executable(process).decode() == oracle.exe()
        assert procfs.read_command_line(process, 4096).data.split(b"\0")[:-1] == [
            part.encode() for part in oracle.cmdline()
        ]
        assert pid in procfs.pids(proc)


def test_every_read_below_a_held_directory_fails_once_the_process_has_ended(proc: ProcRoot) -> None:
    with running() as pid:
        process = procfs.open_process(proc, pid)
    with process:
        reads: tuple[Callable[[], object], ...] = (
            lambda: procfs.read_stat(process),
            lambda: procfs.read_status(process),
            lambda: procfs.read_uid_map(process),
            lambda: procfs.read_command_line(process, 10),
            lambda: procfs.read_environment(process, 10),
            lambda: procfs.read_executable(process),
            lambda: procfs.memory_owner(process),
            lambda: procfs.open_root(process),
            lambda: procfs.root_identity(process),
            lambda: why_refused(proc, process),
        )
        for read in reads:
            with pytest.raises(ProcessGone):
                read()
    with pytest.raises(ProcessGone):
        procfs.open_process(proc, pid)


@given(size=st.integers(0, 200_000), limit=st.integers(0, 200_000))
def test_no_read_exceeds_its_limit_and_a_cut_is_told(
    tmp_path_factory: pytest.TempPathFactory, size: int, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("proc")
    opened = procfs.open_proc(lay_out(folder, OnDisk(5, arguments=b"x" * size)))
    with procfs.open_process(opened, 5) as process:
        block = procfs.read_command_line(process, limit)
    opened.close()
    assert block.data == b"x" * min(size, limit)
    assert block.cut == (size > limit)
    assert "x" not in repr(block)


def test_a_pipe_or_link_in_place_of_a_file_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    opened = procfs.open_proc(lay_out(tmp_path, OnDisk(5)))
    (tmp_path / "5" / "stat").unlink()
    os.mkfifo(tmp_path / "5" / "stat")
    (tmp_path / "5" / "cmdline").unlink()
    (tmp_path / "5" / "cmdline").symlink_to("/etc/passwd")
    with procfs.open_process(opened, 5) as process:
        with pytest.raises(ProcParseError):
            procfs.read_stat(process)
        with pytest.raises(OSError, match="symbolic links"):
            procfs.read_command_line(process, 100)
    opened.close()


def test_a_process_that_is_not_dumpable_keeps_its_owner(proc: ProcRoot) -> None:
    script = f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_DUMPABLE}, 0, 0, 0, 0)"
    with running(script=script) as pid, procfs.open_process(proc, pid) as process:
        assert procfs.owner(process) == (os.geteuid(), os.getegid())


def test_the_identity_of_a_root_is_shared_in_one_mount_namespace_and_differs_below_another_root(proc: ProcRoot) -> None:
    with procfs.open_process(proc, os.getpid()) as own, running() as pid, procfs.open_process(proc, pid) as other:
        mount, inode = procfs.root_identity(own)
        assert mount.isdigit()
        assert inode
        assert procfs.root_identity(other) == (mount, inode)


@AS_ROOT
def test_a_process_below_another_root_has_another_identity(proc: ProcRoot, tmp_path: Path) -> None:
    with forked(lambda: os.chroot(tmp_path)) as pid, procfs.open_process(proc, pid) as process:
        inside = procfs.root_identity(process)
    with procfs.open_process(proc, os.getpid()) as own:
        assert procfs.root_identity(own) != inside


_OWN = Status(1, (7, 7, 7, 7), (8, 8, 8, 8), 0b11, 0b01)


@pytest.mark.parametrize(
    ("target", "same_namespace", "memory_owner", "reason"),
    [
        (Status(2, (9, 9, 9, 9), (8, 8, 8, 8), 0, 0), True, 9, Unavailable.UID_MISMATCH),
        (Status(2, (7, 7, 9, 7), (8, 8, 8, 8), 0, 0), True, 7, Unavailable.UID_MISMATCH),
        (Status(2, (65534, 65534, 65534, 0), (8, 8, 8, 8), 0, 0), False, 0, Unavailable.USERNS),
        (Status(2, (65534, 65534, 65534, 0), (8, 8, 8, 8), 0, 0), True, 0, Unavailable.UID_MISMATCH),
        (Status(2, (7, 7, 7, 7), (8, 9, 8, 8), 0, 0), True, 7, Unavailable.GID_MISMATCH),
        (Status(2, (7, 7, 7, 7), (65534, 65534, 65534, 0), 0, 0), False, 7, Unavailable.USERNS),
        (Status(2, (7, 7, 7, 7), (8, 8, 8, 8), 0, 0), False, 7, Unavailable.USERNS),
        (Status(2, (7, 7, 7, 0), (8, 8, 8, 0), 0b10, 0), True, 7, Unavailable.CAPS_SUPERSET),
        (Status(2, (7, 7, 7, 7), (8, 8, 8, 8), 0b01, 0), True, 0, Unavailable.NOT_DUMPABLE),
        (Status(2, (7, 7, 7, 7), (8, 8, 8, 8), 0b01, 0), True, 7, Unavailable.KERNEL_REFUSED),
    ],
)
def test_the_reason_is_the_first_condition_of_the_kernel_that_does_not_hold(
    target: Status,
    same_namespace: bool,  # noqa: FBT001 - a parameter of the table
    memory_owner: int,
    reason: Unavailable,
) -> None:
    assert explain(_OWN, target, same_namespace=same_namespace, memory_owner=memory_owner) is reason


def _reasons(pids: list[int]) -> list[str]:
    """Looks at processes as an unprivileged agent does."""
    proc = procfs.open_proc()
    answers = []
    for pid in pids:
        with procfs.open_process(proc, pid) as process:
            try:
                procfs.read_environment(process, 10)
                answers.append("READABLE")
            except PermissionError:
                answers.append(str(why_refused(proc, process)))
    return answers


def _reasons_for_app(pids: list[int]) -> object:
    def compute() -> list[str]:
        become(APP, APP)
        return _reasons(pids)

    return answer_of(compute)


@AS_ROOT
@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda: become(APP, APP), "READABLE"),
        (lambda: become(APP + 1, APP), "UID_MISMATCH"),
        (lambda: become(APP, APP + 1), "GID_MISMATCH"),
        (lambda: become(APP, APP, keep_capabilities=True), "CAPS_SUPERSET"),
        (lambda: become(APP, APP, dumpable=False), "NOT_DUMPABLE"),
    ],
    ids=["same", "uid", "gid", "capability", "not dumpable"],
)
def test_the_kernel_and_the_reason_agree_on_real_processes(prepare: Callable[[], None], reason: str) -> None:
    with forked(prepare) as pid:
        assert _reasons_for_app([pid]) == [reason]


def _into_a_user_namespace() -> None:
    """Becomes root of a user namespace that root made and mapped to the app's user, as a container runtime does."""
    waits, unshared = os.pipe()
    mapped, has_mapped = os.pipe()
    if os.fork() == 0:
        os.read(waits, 1)
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{os.getppid()}/{file}").write_text(f"0 {APP} 1")
        os.write(has_mapped, b"1")
        os._exit(0)
    assert LIBC.unshare(CLONE_NEWUSER) == 0
    os.write(unshared, b"1")
    os.read(mapped, 1)
    os.wait()
    become(0, 0)


def _gives_user_namespaces() -> bool:
    return answer_of(lambda: LIBC.unshare(CLONE_NEWUSER)) == 0


@AS_ROOT
def test_a_process_in_another_user_namespace_is_named_so() -> None:
    if not _gives_user_namespaces():
        pytest.skip("this machine gives no user namespaces")
    with forked(_into_a_user_namespace) as pid:
        assert _reasons_for_app([pid]) == ["USERNS"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads the memory of its processes, dumpable or not")
def test_an_ordinary_user_learns_that_a_process_of_its_own_is_not_dumpable() -> None:
    with forked(lambda: None if LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else os._exit(1)) as pid:
        assert _reasons([pid]) == ["NOT_DUMPABLE"]


def test_an_ended_process_that_nobody_collected_has_no_user_memory(proc: ProcRoot) -> None:
    with forked(lambda: None) as pid, procfs.open_process(proc, pid) as process:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert why_refused(proc, process) is Unavailable.NO_USER_MEMORY
