"""What the kernel says of the agent's own processes, and the little that each gives up at start.

Confinement by Landlock and seccomp is not built yet: the level is reported as `none`, not as a promise.
"""

from __future__ import annotations

import ctypes
import os
import resource
from enum import StrEnum
from pathlib import Path

import msgspec

# Numbers from linux/prctl.h, as prctl(2) names them.
_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_MAX_STATUS = 16 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Role(StrEnum):
    """The part that one of the agent's processes plays."""

    READER = "READER"
    FRONT = "FRONT"
    FILE_WORKER = "FILE_WORKER"


class SandboxLevel(StrEnum):
    """How far the kernel confines a process beyond its user and capabilities."""

    NONE = "NONE"


class Posture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process of the agent as /proc/PID/status describes it; memory in bytes."""

    role: Role
    pid: int
    uid: int
    gid: int
    effective_capabilities: int
    no_new_privs: bool
    dumpable: bool
    seccomp_filters: int
    sandbox_level: SandboxLevel
    resident_bytes: int
    threads: int


def harden() -> None:
    """Gives up what this process never needs: new privileges, core dumps, and being looked into by its own user.

    An app of the same user can still win the race before this line (the design measured it); only an execute-only
    interpreter closes that. Raises OSError if the kernel refuses.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)


def die_with_parent(signal_number: int) -> None:
    """Asks the kernel for a signal when the parent ends; raises OSError if the kernel refuses."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def read_posture(role: Role) -> Posture:
    """Reads the posture of the calling process."""
    status = _status()
    return Posture(
        role=role,
        pid=os.getpid(),
        uid=os.geteuid(),
        gid=os.getegid(),
        effective_capabilities=int(status.get("CapEff", "0"), 16),
        no_new_privs=status.get("NoNewPrivs") == "1",
        dumpable=_libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 1,
        seccomp_filters=int(status.get("Seccomp_filters", "0")),
        sandbox_level=SandboxLevel.NONE,
        resident_bytes=int(status.get("VmRSS", "0 kB").split()[0]) * 1024,
        threads=int(status.get("Threads", "1")),
    )


def _status() -> dict[str, str]:
    with Path("/proc/self/status").open("rb") as file:
        text = file.read(_MAX_STATUS).decode("ascii", "replace")
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl({option})")
