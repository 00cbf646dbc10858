"""What the kernel says of the agent's own processes, and the little that each gives up at start."""

from __future__ import annotations

import ctypes
import os
import resource
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

# Numbers from linux/prctl.h, as prctl(2) names them.
_PR_SET_PDEATHSIG: Final = 1
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_DUMPABLE: Final = 1
_MAX_STATUS: Final = 16 * 1024
_STATUS: Final = Path("/proc/self/status")
_TASKS: Final = Path("/proc/self/task")

_libc = ctypes.CDLL(None, use_errno=True)


class Role(StrEnum):
    """The part that one of the agent's processes plays."""

    SUPERVISOR = "SUPERVISOR"
    READER = "READER"
    FRONT = "FRONT"
    FILE_WORKER = "FILE_WORKER"
    SEALER = "SEALER"
    DIALLER = "DIALLER"


class SandboxLevel(StrEnum):
    """How far the kernel confines a process beyond its user and capabilities, from the least to the most."""

    NONE = "NONE"
    SECCOMP = "SECCOMP"
    FULL = "FULL"

    def is_below(self, other: SandboxLevel) -> bool:
        """Says whether this level holds less than another."""
        levels = tuple(SandboxLevel)
        return levels.index(self) < levels.index(other)


class Attempted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a process tried: the kernel's error by name (empty if it went through), and whose answer it is."""

    attempt: str
    error_name: str
    forbidden: bool
    refused: bool


class Posture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process of the agent as the kernel describes it; memory in bytes.

    `one_way_glass`: its own user could never look into it, since its interpreter is execute-only. `seccomp_filters` is
    the smallest number on any thread, and `threads_filtered` how many threads have one at all.
    """

    role: Role
    pid: int
    uid: int
    gid: int
    effective_capabilities: int
    no_new_privs: bool
    dumpable: bool
    one_way_glass: bool
    seccomp_filters: int
    landlock_abi: int
    sandbox_level: SandboxLevel
    resident_bytes: int
    threads: int
    threads_filtered: int
    attempts: tuple[Attempted, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a process knows of itself and the kernel does not tell afterwards."""

    role: Role
    one_way_glass: bool
    sandbox_level: SandboxLevel = SandboxLevel.NONE
    landlock_abi: int = 0


def is_opaque() -> bool:
    """Says whether processes of the same user are kept from looking into this one.

    Before `harden` it is true only where the kernel decided so at exec, for an interpreter that cannot be read.
    """
    return bool(_libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != _DUMPABLE)


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


def open_status() -> BinaryIO:
    """Opens what the kernel tells of this process, for one that may open nothing there later."""
    return _STATUS.open("rb", buffering=0)


def read_posture(standing: Standing, opened: BinaryIO | None = None) -> Posture:
    """Reads the posture of the calling process; with `opened` that of its one thread, from what was opened before."""
    if opened is not None:
        status = _fields(opened.read(_MAX_STATUS))
        filters = [int(status.get("Seccomp_filters", "0"))]
    else:
        status = _status(_STATUS)
        filters = [int(_status(task / "status").get("Seccomp_filters", "0")) for task in _TASKS.iterdir()]
    return Posture(
        role=standing.role,
        pid=os.getpid(),
        uid=os.geteuid(),
        gid=os.getegid(),
        effective_capabilities=int(status.get("CapEff", "0"), 16),
        no_new_privs=status.get("NoNewPrivs") == "1",
        dumpable=not is_opaque(),
        one_way_glass=standing.one_way_glass,
        seccomp_filters=min(filters, default=0),
        landlock_abi=standing.landlock_abi,
        sandbox_level=standing.sandbox_level,
        resident_bytes=int(status.get("VmRSS", "0 kB").split()[0]) * 1024,
        threads=int(status.get("Threads", "1")),
        threads_filtered=sum(number > 0 for number in filters),
    )


def _status(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            return _fields(file.read(_MAX_STATUS))
    except (FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
        return {}


def _fields(content: bytes) -> dict[str, str]:
    text = content.decode("ascii", "replace")
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl({option})")
