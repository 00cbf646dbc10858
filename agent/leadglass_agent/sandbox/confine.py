"""Confines each process of the agent to what its role needs, and proves it before the process goes on.

What is applied, and when: Landlock before a process has a second thread, the system call filter last, since nothing can
be loaded after it. A kernel that lacks one of them gives a lower level and the reason, never an error; a kernel that
says yes and then lets something through that the level forbids ends the start.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadglass_agent.sandbox import landlock, resolving, seccomp
from leadglass_agent.sandbox.attempts import attempt_all, forbidden_to
from leadglass_agent.sandbox.bpf import assemble
from leadglass_agent.sandbox.filters import filter_for
from leadglass_agent.sandbox.landlock import READ, WRITE, Grant
from leadglass_agent.sandbox.posture import Role, SandboxLevel
from leadglass_agent.sandbox.syscalls import this_arch
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of the machine, and none of them is secret: grpc ends the process without the first; then where the libraries lie that
# a module needs, and time zones.
_OF_THE_SYSTEM: Final = (
    "/dev/urandom",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/sys/devices/system/cpu/online",  # how many threads are worth while
    "/usr/share/zoneinfo",
)
# A rule holds for an inode, and the kernel makes that of a /proc entry anew once nobody holds it: these stay open for
# good. The process itself, for its posture; how many may wait to be accepted; which start of the machine this is.
_OF_PROC: Final = ("/proc/self", "/proc/sys/net/core/somaxconn", "/proc/sys/kernel/random/boot_id")
_OWN_THREADS: Final = Path("/proc/self/task")


class NotConfined(StartRefused):
    """The kernel let through what it said that it would refuse."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far this process is confined; the reason says in a few words why no further, and is empty at FULL."""

    level: SandboxLevel
    landlock_abi: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FrontPaths:
    """What the front may use: folders or files to read, and folders to make, write, rename and remove files below."""

    read: tuple[str, ...]
    write: tuple[str, ...]


def confine_supervisor() -> Reached:
    """Confines the supervisor; what it forks later begins with its filter and narrows it. Raises NotConfined."""
    return _filtered(Role.SUPERVISOR, landlock_abi=0)


def confine_reader() -> Reached:
    """Confines the reader; no Landlock, inside of which nobody could read the environment of others.

    Raises NotConfined.
    """
    return _filtered(Role.READER, landlock_abi=0)


def confine_sealer() -> Reached:
    """Confines a sealer, as the reader; what it imports is imported before. Raises NotConfined."""
    return _filtered(Role.SEALER, landlock_abi=0)


def confine_dialler() -> Reached:
    """Confines what makes a connection for the front: it parses the answers of name servers. Raises NotConfined."""
    return _filtered(Role.DIALLER, landlock_abi=0)


def confine_file_worker(root_fd: int) -> Reached:
    """Confines a file worker to reading below a root, given as an O_PATH descriptor. Raises NotConfined."""
    version = landlock.abi()
    if version:
        _alone(Role.FILE_WORKER)
        try:
            landlock.restrict(version, (Grant(root_fd, READ),))
        except OSError as error:
            return _filtered(Role.FILE_WORKER, landlock_abi=0, why=f"Landlock: {error.strerror}")
    reached = _filtered(Role.FILE_WORKER, landlock_abi=version)
    if reached.level is SandboxLevel.FULL:
        _prove_below(root_fd)
    return reached


def fence_front(paths: FrontPaths) -> int:
    """Confines the front to its files, before its first thread; gives the Landlock ABI, 0 if there is none.

    Paths that are not there are passed over: nothing can be read from them. Raises NotConfined.
    """
    version = landlock.abi()
    if not version:
        return 0
    _alone(Role.FRONT)
    with ExitStack() as opened:
        readable, kept = _opened((*_OF_THE_SYSTEM, *_code(), *paths.read)), _opened(_OF_PROC)
        writable = _opened(paths.write)
        for descriptor in (*readable, *writable):
            opened.callback(os.close, descriptor)
        grants = [Grant(descriptor, READ) for descriptor in (*readable, *kept)]
        grants += [Grant(descriptor, WRITE) for descriptor in writable]
        try:
            landlock.restrict(version, grants)
        except OSError:
            return 0
    return version


def confine_front(landlock_abi: int) -> Reached:
    """Filters the calls of all threads of the front, once it listens. Raises NotConfined."""
    return _filtered(Role.FRONT, landlock_abi=landlock_abi, tsync=True)


def _filtered(role: Role, *, landlock_abi: int, tsync: bool = False, why: str = "") -> Reached:
    """Installs the filter of a role and tries what it forbids."""
    arch = this_arch()
    if arch is None:
        return Reached(SandboxLevel.NONE, landlock_abi, f"there is no filter for {os.uname().machine}")
    try:
        resolving.pin()
    except OSError as error:
        message = f"the {role.value.lower()} cannot be confined: {error.strerror}"
        raise NotConfined(message) from None
    try:
        seccomp.install(assemble(filter_for(role), arch), tsync=tsync)
    except OSError as error:
        return Reached(SandboxLevel.NONE, landlock_abi, f"seccomp: {error.strerror}")
    lacks = role in {Role.FRONT, Role.FILE_WORKER} and not landlock_abi
    reached = Reached(
        SandboxLevel.SECCOMP if lacks else SandboxLevel.FULL,
        landlock_abi,
        (why or "the kernel, or the container runtime around us, offers no Landlock") if lacks else "",
    )
    _prove(role, reached.level)
    return reached


def _prove(role: Role, level: SandboxLevel) -> None:
    forbidden = forbidden_to(role, level)
    for tried in attempt_all(role):
        if tried.attempt in forbidden and tried.errno not in forbidden[tried.attempt]:
            how = os.strerror(tried.errno) if tried.errno else "it went through"
            message = f"the {role.value.lower()} tried {tried.attempt.value}, and the sandbox did not refuse it: {how}"
            raise NotConfined(message)


def _prove_below(root_fd: int) -> None:
    """Tries to read the agent's own root, unless that is the root which a file worker was given."""
    if os.path.samestat(os.fstat(root_fd), Path("/").stat()):
        return
    with suppress(PermissionError):
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        message = "the file worker opened the agent's own root, and Landlock did not refuse it"
        raise NotConfined(message)


def _opened(paths: Iterable[str]) -> tuple[int, ...]:
    """Opens what is there, without the right to read it."""
    descriptors: list[int] = []
    for path in paths:
        with suppress(OSError):
            descriptors.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
    return tuple(descriptors)


def _alone(role: Role) -> None:
    """Raises NotConfined if there is a second thread, which a Landlock domain of ours would not hold for."""
    if sum(1 for _ in _OWN_THREADS.iterdir()) > 1:
        message = f"the {role.value.lower()} has threads before its Landlock domain"
        raise NotConfined(message)


def _code() -> Iterable[str]:
    """Gives where Python finds modules, since some are imported when they are first needed.

    The folder that a program happens to be started in is none of them, even where Python looks there.
    """
    own = Path(__file__).resolve().parents[1]
    passed_over = {"/", os.environ.get("HOME", "/")}
    with suppress(OSError):  # a folder that is gone
        passed_over.add(str(Path.cwd()))
    searched = {str(Path(entry).resolve()) for entry in sys.path if entry}
    return sorted((searched | {str(own)}) - passed_over)
