"""Real processes confine themselves, try everything, and are refused by the kernel: as root and as an ordinary user."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from leadglass_agent.sandbox import landlock
from leadglass_agent.sandbox.attempts import Attempt, attempt_all, forbidden_to
from leadglass_agent.sandbox.posture import Role, SandboxLevel
from leadglass_agent.sandbox.syscalls import this_arch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str], dict[str, Any]]

_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = _ROOT / "tests" / "support" / "confined_process.py"
_NOBODY: Final = 65534
_SECONDS: Final = 120
_READERS: Final = (Role.READER, Role.SEALER, Role.FILE_WORKER)

pytestmark = pytest.mark.skipif(this_arch() is None, reason="no filter is written for this architecture")
_needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock, or a profile refuses it")


@pytest.fixture(params=(os.getuid(), _NOBODY) if os.getuid() == 0 else (os.getuid(),), ids=lambda user: f"uid-{user}")
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Runs the program that confines itself, as each user that this machine lets us be."""
    within = Path(tempfile.mkdtemp(prefix="leadglass-confined-"))  # a folder of pytest's is not open to all users
    within.chmod(0o755)

    def run(how: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, str(_PROGRAM), how, str(request.param), str(within)],
            env={"PYTHONPATH": str(_ROOT / "agent"), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.stdout, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    yield run
    shutil.rmtree(within)


def _status(text: str) -> dict[str, str]:
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


@pytest.mark.parametrize("role", Role)
def test_attempts_go_through_where_nothing_confines(role: Role) -> None:
    """Without this, a refusal by the attempt's own clumsiness would pass for one by the kernel."""
    tried = {one.attempt: one.errno for one in attempt_all(role)}
    refused_to_users = {Attempt.BPF, Attempt.MOUNT, Attempt.MODULE, Attempt.CHROOT, Attempt.IO_URING, Attempt.PERF}
    for attempt, number in tried.items():
        if os.geteuid() == 0 or attempt not in refused_to_users:
            assert number not in {errno.EPERM, errno.EACCES}, attempt


@pytest.mark.parametrize("role", _READERS)
@_needs_landlock
def test_a_reader_a_sealer_and_a_file_worker_can_read_and_nothing_else(ask: Ask, role: Role) -> None:
    found = ask(f"role:{role.value}")
    assert found["level"] == "FULL"
    assert found["reason"] == ""
    assert set(found["tried"].values()) == {errno.EPERM}, found["tried"]
    assert set(found["attempts"].values()) == {errno.EPERM}
    assert found["read"] == "content\n"
    status = _status(found["status"])
    assert (status["Seccomp"], status["Seccomp_filters"], status["NoNewPrivs"]) == ("2", "1", "1")


@_needs_landlock
def test_the_front_is_refused_by_its_filter_or_by_its_domain(ask: Ask) -> None:
    found = ask("role:FRONT")
    by_domain = {name for name, number in found["tried"].items() if number == errno.EACCES}
    assert by_domain == {"write", "append", "rename", "unlink", "mkdir", "memory file"}
    # A file in memory, for a library that takes a key from a file alone; it can neither be executed nor reach a disk.
    by_filter = found["tried"].keys() - by_domain - {"memfd"}
    assert {found["tried"][name] for name in by_filter} == {errno.EPERM}
    assert found["abi"] == landlock.abi()


@_needs_landlock
def test_the_front_does_its_work_and_sees_certificates_that_are_swapped(ask: Ask) -> None:
    found = ask("front")
    assert found["level"] == "FULL"
    assert found["read"] == ["..1", "..2"]
    assert found["own status"]
    assert found["imported"]
    assert found["random"] == 8
    outside = ("outside", "make outside", "write outside", "write what is read", "other environ")
    assert {found[name] for name in outside} == {errno.EACCES}
    assert found["to connect"] == errno.EPERM


@_needs_landlock
def test_the_supervisor_starts_ends_and_connects_and_its_children_narrow_its_filter(ask: Ask) -> None:
    found = ask("supervisor")
    assert found["connect"] == errno.ECONNREFUSED
    assert (found["stop"], found["everybody"], found["ended"]) == (errno.EPERM, errno.EPERM, -9)
    for child in found["children"].values():
        assert child["level"] == "FULL"
        assert set(child["tried"].values()) == {errno.EPERM}
        assert _status(child["status"])["Seccomp_filters"] == "2"
    # "append" and the like: it neither writes nor executes, whatever it starts.
    may = {"fork", "socket", "udp", "connect", "bind", "kill", "kill the parent", "executable memory"}
    assert {number for name, number in found["tried"].items() if name not in may} == {errno.EPERM}


@pytest.mark.parametrize("how", ["no-landlock", "landlock-refused", "domain-refused"])
@pytest.mark.parametrize("role", [Role.FRONT, Role.FILE_WORKER])
@_needs_landlock
def test_a_machine_without_landlock_reaches_a_lower_level_and_says_why(ask: Ask, how: str, role: Role) -> None:
    found = ask(f"{how}:{role.value}")
    assert (found["level"], found["abi"]) == ("SECCOMP", 0)
    assert "Landlock" in found["reason"]


@pytest.mark.parametrize("role", Role)
def test_a_machine_without_seccomp_reaches_no_level_and_says_why(ask: Ask, role: Role) -> None:
    found = ask(f"no-seccomp:{role.value}")
    assert found["level"] == "NONE"
    assert "seccomp" in found["reason"]


@pytest.mark.parametrize("role", Role)
def test_a_kernel_that_says_yes_and_filters_nothing_is_not_believed(ask: Ask, role: Role) -> None:
    found = ask(f"false-seccomp:{role.value}")
    assert "the sandbox did not refuse it" in found["refused"]


@pytest.mark.parametrize("role", [Role.FRONT, Role.FILE_WORKER])
@_needs_landlock
def test_a_kernel_that_says_yes_and_makes_no_domain_is_not_believed(ask: Ask, role: Role) -> None:
    found = ask(f"false-landlock:{role.value}")
    assert "did not refuse it" in found["refused"]


def test_the_filter_holds_for_threads_of_before_and_of_afterwards(ask: Ask) -> None:
    found = ask("threads")
    assert found["before"] == errno.EPERM
    assert found["after"] == errno.EPERM
    assert found["clone3"] == errno.ENOSYS
    assert len(found["filters"]) == 2
    assert set(found["filters"]) == {1}


@_needs_landlock
def test_a_domain_is_entered_before_the_second_thread_or_not_at_all(ask: Ask) -> None:
    assert "threads" in ask("late-fence")["refused"]


@_needs_landlock
def test_nothing_changes_what_openat2_is_asked_with(ask: Ask) -> None:
    found = ask("pinned")
    assert found.pop("opened") == 0
    assert found.pop("read into") == errno.EFAULT
    assert set(found.values()) == {errno.EPERM}


def test_a_reader_reads_no_memory_of_others(ask: Ask) -> None:
    """The front of /proc/PID/mem is never mapped, and a reader cannot get further."""
    found = ask("memory")
    assert found.pop("read") == errno.EIO
    assert set(found.values()) == {errno.EPERM}


def test_a_confined_process_that_aborts_ends(ask: Ask) -> None:
    """abort() may send itself no signal; the instruction after that ends the process all the same."""
    assert ask("ends:abort")["status"] < 0


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 is an ABI of x86_64")
def test_a_call_of_another_abi_ends_the_process(ask: Ask) -> None:
    assert ask("ends:x32")["status"] == -31  # SIGSYS


@pytest.mark.parametrize("role", Role)
def test_no_level_forbids_nothing_and_each_higher_one_forbids_more(role: Role) -> None:
    none, seccomp, full = (forbidden_to(role, level) for level in SandboxLevel)
    assert not none
    assert {Attempt.EXEC, Attempt.PTRACE, Attempt.CHMOD} <= seccomp.keys() <= full.keys()
    assert {tried.attempt for tried in attempt_all(role)} == full.keys()
