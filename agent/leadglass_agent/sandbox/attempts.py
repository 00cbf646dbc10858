"""Tries what the agent never does, so that the kernel's refusals are seen and not assumed.

Each attempt is harmless where nothing refuses it: what it names does not exist, is invalid, or is what is so already. A
filter answers before the kernel looks at any of that, so the error number tells which of them it was.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.sandbox.posture import Role, SandboxLevel
from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_HERE: Final = -100  # AT_FDCWD
_NO_DESCRIPTOR: Final = -1
_NOWHERE: Final = b""  # a path that no file has: ENOENT
_NULL: Final = b"/dev/null"
_PAGE: Final = 4_096
_CLONE_SIGHAND: Final = 0x800  # without CLONE_VM: EINVAL


class Attempt(StrEnum):
    """Something that a process of the agent tries in vain."""

    EXEC = "EXEC"
    FORK = "FORK"
    SOCKET = "SOCKET"
    RAW_SOCKET = "RAW_SOCKET"
    CONNECT = "CONNECT"
    BIND = "BIND"
    KILL = "KILL"
    PTRACE = "PTRACE"
    MEMORY = "MEMORY"
    MEMORY_WRITE = "MEMORY_WRITE"
    PIDFD = "PIDFD"
    WRITE = "WRITE"
    WRITE_OPENAT2 = "WRITE_OPENAT2"
    READ_OUTSIDE = "READ_OUTSIDE"
    TRUNCATE = "TRUNCATE"
    CHMOD = "CHMOD"
    CHOWN = "CHOWN"
    UTIME = "UTIME"
    XATTR = "XATTR"
    RENAME = "RENAME"
    LINK = "LINK"
    SYMLINK = "SYMLINK"
    UNLINK = "UNLINK"
    MKDIR = "MKDIR"
    MKNOD = "MKNOD"
    MPROTECT_EXEC = "MPROTECT_EXEC"
    WRITE_AND_EXEC = "WRITE_AND_EXEC"
    MEMFD = "MEMFD"
    MOUNT = "MOUNT"
    CHROOT = "CHROOT"
    UNSHARE = "UNSHARE"
    SETNS = "SETNS"
    SETUID = "SETUID"
    LIMITS = "LIMITS"
    PRIORITY = "PRIORITY"
    PERSONALITY = "PERSONALITY"
    KEYCTL = "KEYCTL"
    BPF = "BPF"
    PERF = "PERF"
    USERFAULTFD = "USERFAULTFD"
    IO_URING = "IO_URING"
    MODULE = "MODULE"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt and the error number that answered it; 0: it went through."""

    attempt: Attempt
    errno: int


_REFUSED: Final = frozenset({errno.EPERM})
_BY_LANDLOCK: Final = frozenset({errno.EACCES})
_TO_ALL: Final = frozenset(Attempt) - {
    Attempt.FORK, Attempt.SOCKET, Attempt.CONNECT, Attempt.BIND, Attempt.KILL, Attempt.WRITE, Attempt.READ_OUTSIDE,
    Attempt.RENAME, Attempt.UNLINK, Attempt.MKDIR, Attempt.MPROTECT_EXEC,
}  # fmt: skip
_TO_READERS: Final = frozenset(Attempt) - {Attempt.READ_OUTSIDE}
_BY_SECCOMP: Final[Mapping[Role, frozenset[Attempt]]] = {
    Role.SUPERVISOR: _TO_ALL | {Attempt.WRITE, Attempt.RENAME, Attempt.UNLINK, Attempt.MKDIR},
    Role.READER: _TO_READERS,
    Role.FRONT: _TO_READERS - {Attempt.WRITE, Attempt.RENAME, Attempt.UNLINK, Attempt.MKDIR, Attempt.MEMFD},
    Role.FILE_WORKER: _TO_READERS,
    Role.SEALER: _TO_READERS,
    Role.DIALLER: _TO_READERS - {Attempt.SOCKET, Attempt.CONNECT, Attempt.BIND},
}


def forbidden_to(role: Role, level: SandboxLevel) -> Mapping[Attempt, frozenset[int]]:
    """Gives what a role may not do at a level, with the error numbers that a refusal may have."""
    if level is SandboxLevel.NONE:
        return {}
    by_landlock = {Attempt.WRITE, Attempt.READ_OUTSIDE} if role is Role.FRONT and level is SandboxLevel.FULL else set()
    return dict.fromkeys(sorted(_BY_SECCOMP[role]), _REFUSED) | dict.fromkeys(sorted(by_landlock), _BY_LANDLOCK)


def attempt_all(role: Role) -> tuple[Tried, ...]:
    """Tries everything that the role may not do at its highest level; takes well below 5 ms."""
    return tuple(Tried(attempt, _ATTEMPTS[attempt]()) for attempt in forbidden_to(role, SandboxLevel.FULL))


def _call(name: str, *arguments: int | bytes | None) -> int:
    """Makes one system call; gives its error number or 0, and closes what it opened."""
    arch = this_arch()
    number = -1 if arch is None else NUMBERS[arch][name]
    words = (argument if isinstance(argument, bytes) else ctypes.c_long(argument or 0) for argument in arguments)
    answer: int = _LIBC.syscall(ctypes.c_long(number), *words)
    if answer < 0:
        return ctypes.get_errno()
    if name in _OPENING:
        os.close(answer)
    return 0


def _map(protection: int) -> int:
    """Maps a page without a file, and lets go of it again."""
    arch = this_arch()
    numbers = {} if arch is None else NUMBERS[arch]
    answer: int = _LIBC.syscall(
        *map(ctypes.c_long, (numbers.get("mmap", -1), 0, _PAGE, protection, _MAP_PRIVATE_ANONYMOUS, -1, 0))
    )
    if answer == -1:
        return ctypes.get_errno()
    _LIBC.syscall(*map(ctypes.c_long, (numbers["munmap"], answer, _PAGE)))
    return 0


def _open_for_writing() -> int:
    """Opens the device that takes all and keeps nothing, in the way whose flags a filter cannot see."""
    how = (ctypes.c_uint64 * 3)(os.O_WRONLY | os.O_CLOEXEC, 0, 0)
    return _call("openat2", _HERE, _NULL, ctypes.addressof(how), ctypes.sizeof(how))


_MAP_PRIVATE_ANONYMOUS: Final = 0x22
_OPENING: Final = frozenset({"socket", "openat", "openat2", "pidfd_open", "memfd_create", "userfaultfd"})
_ATTEMPTS: Final[Mapping[Attempt, Callable[[], int]]] = {
    Attempt.EXEC: lambda: _call("execve", _NOWHERE, None, None),
    Attempt.FORK: lambda: _call("clone", _CLONE_SIGHAND, 0, 0, 0, 0),
    Attempt.SOCKET: lambda: _call("socket", 2, 1, 0),
    Attempt.RAW_SOCKET: lambda: _call("socket", 16, 3, 0),
    Attempt.CONNECT: lambda: _call("connect", _NO_DESCRIPTOR, 0, 0),
    Attempt.BIND: lambda: _call("bind", _NO_DESCRIPTOR, 0, 0),
    Attempt.KILL: lambda: _call("kill", os.getpid(), 0),
    Attempt.PTRACE: lambda: _call("ptrace", 2, 0, 0, 0),
    Attempt.MEMORY: lambda: _call("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0),
    Attempt.MEMORY_WRITE: lambda: _call("process_vm_writev", os.getpid(), 0, 0, 0, 0, 0),
    Attempt.PIDFD: lambda: _call("pidfd_open", os.getpid(), 0),
    Attempt.WRITE: lambda: _call("openat", _HERE, _NULL, os.O_WRONLY | os.O_CLOEXEC, 0),
    Attempt.WRITE_OPENAT2: _open_for_writing,
    Attempt.READ_OUTSIDE: lambda: _call("openat", _HERE, b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0),
    Attempt.TRUNCATE: lambda: _call("truncate", _NOWHERE, 0),
    Attempt.CHMOD: lambda: _call("fchmodat", _HERE, _NOWHERE, 0o600),
    Attempt.CHOWN: lambda: _call("fchownat", _HERE, _NOWHERE, os.geteuid(), os.getegid(), 0),
    Attempt.UTIME: lambda: _call("utimensat", _HERE, _NOWHERE, None, 0),
    Attempt.XATTR: lambda: _call("setxattr", _NOWHERE, _NOWHERE, _NOWHERE, 0, 0),
    Attempt.RENAME: lambda: _call("renameat2", _HERE, _NOWHERE, _HERE, _NOWHERE, 0),
    Attempt.LINK: lambda: _call("linkat", _HERE, _NOWHERE, _HERE, _NOWHERE, 0),
    Attempt.SYMLINK: lambda: _call("symlinkat", _NOWHERE, _HERE, _NOWHERE),
    Attempt.UNLINK: lambda: _call("unlinkat", _HERE, _NOWHERE, 0),
    Attempt.MKDIR: lambda: _call("mkdirat", _HERE, _NOWHERE, 0o700),
    Attempt.MKNOD: lambda: _call("mknodat", _HERE, _NOWHERE, 0o600, 0),
    Attempt.MPROTECT_EXEC: lambda: _map(5),
    Attempt.WRITE_AND_EXEC: lambda: _map(7),
    Attempt.MEMFD: lambda: _call("memfd_create", _NOWHERE, 1),
    Attempt.MOUNT: lambda: _call("mount", _NOWHERE, _NOWHERE, _NOWHERE, 0, None),
    Attempt.CHROOT: lambda: _call("chroot", _NOWHERE),
    Attempt.UNSHARE: lambda: _call("unshare", 0),
    Attempt.SETNS: lambda: _call("setns", _NO_DESCRIPTOR, 0),
    Attempt.SETUID: lambda: _call("setuid", os.getuid()),
    Attempt.LIMITS: lambda: _call("prlimit64", 0, 4, 1, 0),
    Attempt.PRIORITY: lambda: _call("setpriority", 0, 0, os.getpriority(os.PRIO_PROCESS, 0)),
    Attempt.PERSONALITY: lambda: _call("personality", 0xFFFF_FFFF),
    Attempt.KEYCTL: lambda: _call("keyctl", 0xFFFF, 0, 0, 0, 0),
    Attempt.BPF: lambda: _call("bpf", 0xFFFF, None, 0),
    Attempt.PERF: lambda: _call("perf_event_open", None, 0, 0, 0, 0),
    Attempt.USERFAULTFD: lambda: _call("userfaultfd", 0x4000_0000),
    Attempt.IO_URING: lambda: _call("io_uring_setup", 0, None),
    Attempt.MODULE: lambda: _call("init_module", None, 0, _NOWHERE),
}
