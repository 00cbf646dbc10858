"""Reads /proc, the only module that does: bounded reads below one held directory for each process.

A held directory answers "no such process" once its process has ended, even if another one has the number by then, so
nothing of two processes is ever mixed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from leadglass_agent.views.proc_text import (
    Origin,
    ProcParseError,
    Stat,
    Status,
    parse_boot_time,
    parse_descriptor_info,
    parse_origin,
    parse_proc_options,
    parse_stat,
    parse_status,
)

if TYPE_CHECKING:
    from types import TracebackType

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
NANOSECONDS_PER_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

_MAX_STAT: Final = 4096  # 52 numbers of at most 20 digits and a name of at most 64 bytes
_MAX_STATUS: Final = 64 * 1024  # the line of supplementary groups grows with them, up to 65,536
_MAX_SYSTEM_STAT: Final = 1024 * 1024  # a line for each processor and a number for each interrupt
_MAX_MOUNTINFO: Final = 4 * 1024 * 1024  # fs.mount-max is 100,000 by default; pods have hundreds
_MAX_UID_MAP: Final = 32 * 1024  # at most 340 lines, user_namespaces(7)
_PIECE: Final = 64 * 1024
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_SYS_PTRACE: Final = 1 << 19  # CAP_SYS_PTRACE, capabilities(7)


class ProcessGone(Exception):
    """The process ended, or never was."""


@dataclass(frozen=True, slots=True)
class ProcRoot:
    """An open /proc: the boot time, and who the agent itself is in its eyes.

    `hides` tells that the mount option hidepid keeps processes of others from the agent.
    """

    fd: int
    boot_unix_ns: int
    hides: bool
    own: Status
    own_uid_map: bytes

    def close(self) -> None:
        """Closes the directory."""
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class ProcessDirectory:
    """An open /proc/PID, to be closed by leaving its with-block."""

    pid: int
    fd: int

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the directory."""
        os.close(self.fd)


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """Raw bytes of a process' memory as /proc gives them; cut if there are more than were asked for."""

    data: bytes
    cut: bool

    def __repr__(self) -> str:
        """Says nothing of the content."""
        return "Block(...)"


def open_proc(path: str = "/proc") -> ProcRoot:
    """Opens a proc file system; raises OSError or ProcParseError if it is not one that the agent can work with."""
    fd = os.open(path, _DIRECTORY)
    try:
        own = parse_status(_whole(fd, "self/status", _MAX_STATUS))
        options = parse_proc_options(_whole(fd, "self/mountinfo", _MAX_MOUNTINFO), os.fsencode(path))
        return ProcRoot(
            fd=fd,
            boot_unix_ns=parse_boot_time(_whole(fd, "stat", _MAX_SYSTEM_STAT)) * 1_000_000_000,
            hides=_hides(options, own),
            own=own,
            own_uid_map=_whole(fd, "self/uid_map", _MAX_UID_MAP),
        )
    except BaseException:
        os.close(fd)
        raise


def pids(proc: ProcRoot, path: str = ".") -> list[int]:
    """Lists the process numbers in order, or the threads in PID/task; pid_max bounds them, at most 4,194,304."""
    listing = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc.fd)
    try:
        with os.scandir(listing) as entries:
            return sorted(int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdigit())
    finally:
        os.close(listing)


def open_process(proc: ProcRoot, pid: int) -> ProcessDirectory:
    """Opens the directory of a process; raises ProcessGone.

    The number of a thread opens as well although it is never listed: whoever has the number from outside compares it
    with `read_status(...).group_leader`.
    """
    try:
        return ProcessDirectory(pid, os.open(str(pid), _DIRECTORY | os.O_NOFOLLOW, dir_fd=proc.fd))
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None


def open_self(proc: ProcRoot) -> ProcessDirectory:
    """Opens the directory of the process that asks."""
    return ProcessDirectory(os.getpid(), os.open("self", _DIRECTORY, dir_fd=proc.fd))


def owner(process: ProcessDirectory) -> tuple[int, int]:
    """Reads the effective user and group id.

    The kernel gives /proc/PID itself to them whether or not the process is dumpable, unlike the files in it. Of an
    ended process it says (0, 0) without an error, so a caller believes it only after a later read has succeeded.
    """
    found = os.fstat(process.fd)
    return found.st_uid, found.st_gid


def read_stat(process: ProcessDirectory) -> Stat:
    """Reads /proc/PID/stat; raises ProcessGone, or PermissionError where hidepid forbids."""
    return parse_stat(_line(process.fd, "stat", _MAX_STAT))


def read_small(proc: ProcRoot, path: str) -> bytes:
    """Reads a file that fits in 64 KiB, PID/NAME of a process; raises ProcessGone or PermissionError."""
    return _whole(proc.fd, path, _MAX_STATUS)


def read_origin(proc: ProcRoot, path: str) -> Origin:
    """Reads PID/stat or PID/task/TID/stat for where it comes from; raises ProcessGone or PermissionError."""
    return parse_origin(_line(proc.fd, path, _MAX_STAT))


def read_status(process: ProcessDirectory) -> Status:
    """Reads /proc/PID/status; raises ProcessGone, or PermissionError where hidepid forbids."""
    return parse_status(_whole(process.fd, "status", _MAX_STATUS))


def read_uid_map(process: ProcessDirectory) -> bytes:
    """Reads /proc/PID/uid_map, which differs from our own in another user namespace; raises ProcessGone."""
    return _whole(process.fd, "uid_map", _MAX_UID_MAP)


def read_status_text(process: ProcessDirectory) -> bytes:
    """Reads /proc/PID/status as it is; raises ProcessGone, or PermissionError where hidepid forbids."""
    return _whole(process.fd, "status", _MAX_STATUS)


def read_gid_map(process: ProcessDirectory) -> bytes:
    """Reads /proc/PID/gid_map; raises ProcessGone."""
    return _whole(process.fd, "gid_map", _MAX_UID_MAP)


def read_security_label(process: ProcessDirectory) -> bytes:
    """Reads the label that a security module gives the process, empty if there is none; raises ProcessGone."""
    try:
        return _whole(process.fd, "attr/current", PAGE_BYTES)
    except OSError:  # EINVAL without a module; some refuse to tell
        return b""


def read_setting(proc: ProcRoot, name: str) -> int | None:
    """Reads a number below /proc/sys/fs; None where it cannot be read."""
    try:
        text = _whole(proc.fd, f"sys/fs/{name}", PAGE_BYTES).strip()
    except (OSError, ProcessGone):
        return None
    return int(text) if text.isdigit() else None


def read_command_line(process: ProcessDirectory, limit: int) -> Block:
    """Reads at most `limit` bytes of the arguments, each ended by NUL; raises ProcessGone."""
    return _block(process.fd, "cmdline", limit)


def read_environment(process: ProcessDirectory, limit: int) -> Block:
    """Reads at most `limit` bytes of the environment as it was at exec; raises ProcessGone or PermissionError."""
    return _block(process.fd, "environ", limit)


def read_executable(process: ProcessDirectory) -> bytes:
    """Reads the path of the executable in its own root; raises ProcessGone, PermissionError or FileNotFoundError."""
    try:
        return os.readlink(b"exe", dir_fd=process.fd)
    except ProcessLookupError:
        raise ProcessGone from None


def mount_namespace(process: ProcessDirectory) -> str:
    """Reads which mount namespace a process is in; raises ProcessGone or PermissionError."""
    try:
        return os.readlink("ns/mnt", dir_fd=process.fd)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None


def read_mounts(process: ProcessDirectory) -> bytes:
    """Reads /proc/PID/mountinfo; raises ProcessGone or PermissionError."""
    return _whole(process.fd, "mountinfo", _MAX_MOUNTINFO)


def memory_owner(process: ProcessDirectory) -> int:
    """Reads the owner of /proc/PID/environ: another than the effective user if the process is not dumpable."""
    try:
        return os.stat("environ", dir_fd=process.fd, follow_symlinks=False).st_uid
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None


def open_root(process: ProcessDirectory) -> int:
    """Opens the root of a process as an O_PATH descriptor; raises ProcessGone or PermissionError."""
    try:
        return os.open("root", _DIRECTORY, dir_fd=process.fd)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None


def root_identity(process: ProcessDirectory) -> tuple[str, str]:
    """Reads which mount and which inode the root of a process is, without asking its file system.

    Both hold while a descriptor of that root is open: then neither number can be given anew, unlike that of a mount
    namespace. Raises ProcessGone or PermissionError.
    """
    root = open_root(process)
    try:
        return identity(root)
    finally:
        os.close(root)


def identity(root: int) -> tuple[str, str]:
    """Reads which mount and which inode an open root is, as root_identity."""
    mount, inode = parse_descriptor_info(_whole(root, f"/proc/self/fdinfo/{root}", _MAX_STAT))
    # Kernels before 5.14 do not tell the inode.
    return mount, inode or os.fsdecode(descriptor_path(root))


def reopen_for_reading(fd: int) -> int:
    """Opens the very file that an O_PATH descriptor of our own names, for reading; raises OSError.

    The caller has made sure that it is a regular file. O_NONBLOCK, or a lease on it would make us wait; open(2).
    """
    return os.open(b"/proc/self/fd/%d" % fd, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def descriptor_path(fd: int) -> bytes:
    """Reads where an open descriptor of our own lies, as the kernel sees it now; raises OSError."""
    return os.readlink(b"/proc/self/fd/%d" % fd)  # noqa: PTH115 - bytes, which pathlib does not take


def _hides(options: frozenset[bytes], own: Status) -> bool:
    """Decides whether the mount hides processes from us; kernels before 5.8 print numbers, later ones words."""
    if own.effective & _SYS_PTRACE:
        return False
    if b"hidepid=ptraceable" in options or b"hidepid=4" in options:
        return True
    if options.isdisjoint({b"hidepid=1", b"hidepid=2", b"hidepid=noaccess", b"hidepid=invisible"}):
        return False
    # Members of one group see everything; it is 0 unless the option gid says otherwise.
    seeing = next((option for option in options if option.startswith(b"gid=")), b"gid=0")
    return seeing not in {b"gid=%d" % group for group in (own.gids[3], *os.getgroups())}


def _line(directory: int, name: str, limit: int) -> bytes:
    """Reads a file of one line in one call, as it is asked of every process."""
    try:
        fd = os.open(name, _FILE, dir_fd=directory)
        try:
            data = os.read(fd, limit)
        finally:
            os.close(fd)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None
    if not data.endswith(b"\n"):
        raise ProcParseError(name)
    return data


def _whole(directory: int, name: str, limit: int) -> bytes:
    """Reads a small file that must fit in its limit."""
    block = _block(directory, name, limit)
    if block.cut:
        raise ProcParseError(name)
    return block.data


def _block(directory: int, name: str, limit: int) -> Block:
    try:
        fd = os.open(name, _FILE, dir_fd=directory)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGone from None
    data = bytearray()
    try:
        # A short read is not the end: the kernel may stop at a page that it has to fetch.
        while len(data) <= limit and (piece := os.read(fd, min(limit + 1 - len(data), _PIECE))):
            data += piece
    except ProcessLookupError:
        raise ProcessGone from None
    finally:
        os.close(fd)
    return Block(bytes(data[:limit]), len(data) > limit)
