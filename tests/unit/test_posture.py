"""What a process says of itself is what the kernel says, and what it gives up stays given up."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from leadglass_agent.sandbox.posture import Posture, Role, SandboxLevel, Standing, harden, read_posture
from sample_processes import answer_of, become, forked

_SECONDS = 10
_DEATH = """\
import os, signal, sys
from leadglass_agent.sandbox.posture import die_with_parent
parent = os.getpid()
child = os.fork()
if child == 0:
    die_with_parent(signal.SIGKILL)
    print(os.getpid(), flush=True)
    signal.pause()
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def _status(pid: int | str = "self") -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _hardened() -> object:
    harden()
    name = f"/tmp/leadglass-posture-{os.getpid()}"  # removed at once; a folder of pytest's is not open to all users
    descriptor = os.open(name, os.O_CREAT | os.O_WRONLY, 0o666)
    mode = os.fstat(descriptor).st_mode & 0o777
    Path(name).unlink()
    return {
        "posture": msgspec.to_builtins(read_posture(Standing(Role.READER, one_way_glass=False))),
        "no_new_privs": _status()["NoNewPrivs"],
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "mode": mode,
    }


@pytest.mark.parametrize("role", Role)
def test_a_posture_is_what_the_kernel_says(role: Role) -> None:
    posture = read_posture(Standing(role, one_way_glass=True, sandbox_level=SandboxLevel.SECCOMP, landlock_abi=3))
    status = _status()
    assert posture.role is role
    assert posture.pid == os.getpid()
    assert (posture.uid, posture.gid) == (os.geteuid(), os.getegid())
    assert posture.effective_capabilities == int(status["CapEff"], 16)
    assert posture.no_new_privs == (status["NoNewPrivs"] == "1")
    assert (posture.one_way_glass, posture.sandbox_level, posture.landlock_abi) == (True, SandboxLevel.SECCOMP, 3)
    assert posture.threads == len(tuple(Path("/proc/self/task").iterdir()))
    assert (posture.seccomp_filters, posture.threads_filtered) == (0, 0)
    assert posture.resident_bytes > 1_000_000


def test_a_hardened_process_gives_up_privileges_dumps_and_open_files() -> None:
    answer = answer_of(_hardened)
    assert isinstance(answer, dict)
    posture = msgspec.convert(answer["posture"], Posture)
    assert posture.no_new_privs
    assert not posture.dumpable
    assert answer["no_new_privs"] == "1"
    assert answer["core"] == [0, 0]
    assert answer["mode"] == 0o600


def test_a_process_that_is_not_hardened_says_so() -> None:
    def plain() -> object:
        if os.geteuid() == 0:
            become(os.getuid(), os.getgid())
        return msgspec.to_builtins(read_posture(Standing(Role.FRONT, one_way_glass=False)))

    posture = msgspec.convert(answer_of(plain), Posture)
    assert posture.dumpable
    assert posture.pid != os.getpid()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")
def test_a_hardened_process_is_closed_to_its_own_user() -> None:
    with forked(harden) as child:
        for name in ("mem", "environ", "maps"):
            with pytest.raises(PermissionError):
                Path(f"/proc/{child}/{name}").open("rb").close()


def test_a_process_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _DEATH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert _status(child)["PPid"] == str(parent.pid)
            parent.stdin.write("\n")
            parent.stdin.flush()
            parent.wait(timeout=_SECONDS)
            # The child holds the other end of the pipe, so that its end is the child's end.
            ended, _, _ = select.select([parent.stdout], [], [], _SECONDS)
            assert ended, "the child lives on"
            assert parent.stdout.read() == ""
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
