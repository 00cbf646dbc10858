"""Opens the file of the log so that nobody else writes it, and finds where its chain ends."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.chain import GENESIS, Fault, Head, read_line
from leadglass_agent.audit.record import RECORD_BYTES

if TYPE_CHECKING:
    from pathlib import Path

# A torn record is shorter than a record, so the last complete line lies within the last two.
_TAIL_BYTES: Final = 2 * RECORD_BYTES

# O_RDWR: the tail is read through the same descriptor; and a named pipe opens at once, to be refused.
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class AuditLogRefused(Exception):
    """The file cannot be continued as an audit log; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open, locked log file and the identity that its path must keep."""

    path: Path
    fd: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a log: the head of its chain, where its last complete line ends, what is torn after it."""

    head: Head
    end: int
    torn: bytes


def open_file(path: Path) -> LogFile:
    """Opens or creates (0600) the file and locks it; raises OSError or AuditLogRefused."""
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        fd = _create(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "is a symbolic link") from error
        raise
    try:
        return _locked(path, fd)
    except BaseException:
        os.close(fd)
        raise


def read_tail(file: LogFile) -> Tail:
    """Finds the end of the chain by reading 48 KiB at most, whatever the size of the log; raises AuditLogRefused."""
    size = os.fstat(file.fd).st_size
    start = max(0, size - _TAIL_BYTES)
    window = read_at(file, start, size)
    last_newline = window.rfind(b"\n")
    torn = window[last_newline + 1 :]
    if len(torn) >= RECORD_BYTES:
        raise _refused(file.path, f"ends in {len(torn)} bytes without a line break, more than a torn record can be")
    if last_newline < 0:
        return Tail(GENESIS, 0, torn)
    line_start = window.rfind(b"\n", 0, last_newline) + 1
    record = read_line(window[line_start:last_newline])
    if isinstance(record, Fault):
        raise _refused(file.path, f"does not end in a valid record ({record})")
    return Tail(record.head, start + last_newline + 1, torn)


def read_at(file: LogFile, start: int, end: int) -> bytes:
    """Reads the bytes from `start` to `end`, fewer if the file ends before."""
    parts: list[bytes] = []
    while start < end:
        part = os.pread(file.fd, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def is_in_place(file: LogFile) -> bool:
    """Says whether the path still leads to the open file; False if it was removed, replaced or moved away."""
    try:
        found = os.lstat(file.path)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (file.device, file.inode)


def sync_names(path: Path) -> None:
    """Makes what was renamed, made or removed beside `path` durable: else it may be gone or back after a power cut."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _create(path: Path) -> int:
    fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whatever the umask is
        os.fsync(fd)
        sync_names(path)  # else the file's name may be gone after a power cut, records and all
    except BaseException:
        os.close(fd)
        raise
    return fd


def _locked(path: Path, fd: int) -> LogFile:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is not a regular file")
    if found.st_uid != os.geteuid():
        raise _refused(path, f"belongs to user {found.st_uid}, and the agent runs as {os.geteuid()}")
    if found.st_mode & 0o077:
        raise _refused(path, f"has mode {stat.S_IMODE(found.st_mode):04o}, open to others: chmod 600 it")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _refused(path, "is being written by another agent") from error
    file = LogFile(path, fd, found.st_dev, found.st_ino)
    if not is_in_place(file):
        raise _refused(path, "was replaced while the agent opened it")
    return file


def _refused(path: Path, what: str) -> AuditLogRefused:
    return AuditLogRefused(
        f"the audit log {path} {what}; look at it with `leadglass audit verify {path}`, "
        "and move it away if a new one shall begin"
    )
