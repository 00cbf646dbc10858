"""Keeps room on the disk behind the log's last record, so that the log can still say that the disk is full."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.file import LogFile

# An AUDIT_HALT record takes 500 bytes; the checkpoint after it as many, and twice its origin of 512 at most.
HALT_BYTES: Final = 4_096
_STEP_BYTES: Final = 262_144  # reserved at once, where a sixteenth of what is free is as much
_SHARE: Final = 16
_KEEP_SIZE: Final = 0x01  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_STAND_IN_BYTES: Final = 4 * HALT_BYTES  # a file system that copies on write needs room for more than the record
_NOT_THERE: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class NoRoom(Exception):
    """The room for the last record would have to be used; the text is the errno's name, or NO_ROOM."""


class Reserve:
    """The room behind the end of one log file: an extent of the file itself, or a file beside it.

    The extent is reserved with fallocate and does not change the file's size. Where the file system has no fallocate a
    file of random bytes stands in, and is given up when the last record is written.
    """

    def __init__(self, path: Path) -> None:
        self._stand_in = path.with_name(f"{path.name}.reserve")
        self._inode = (0, 0)
        self._end = 0
        self._has_extents = True

    def ensure(self, file: LogFile, end: int, more: int) -> None:
        """Makes sure that `more` bytes can follow `end`, and the last record after them; raises NoRoom or OSError."""
        raise_limit(resource.RLIMIT_FSIZE, end + more + HALT_BYTES)
        if self._has_extents:
            if (file.device, file.inode) != self._inode:
                self._inode, self._end = (file.device, file.inode), 0
            needed = end + more + HALT_BYTES
            if needed <= self._end:
                return
            self._has_extents = self._extend(file, end, needed)
        if not self._has_extents:
            self._ensure_beside(file, more)

    def forget(self) -> None:
        """Takes note that the file was cut: that gives reserved extents back."""
        self._end = 0

    def give_up(self) -> None:
        """Makes room for the last record."""
        with suppress(OSError):
            self._stand_in.unlink(missing_ok=True)

    def _extend(self, file: LogFile, end: int, needed: int) -> bool:
        """Reserves up to `needed` and some more if the disk is not nearly full; False if it reserves nothing at all."""
        space = os.fstatvfs(file.fd)
        spare = min(_STEP_BYTES, space.f_bavail * space.f_frsize // _SHARE)
        for upto in (needed + spare, needed):
            code = _fallocate(file.fd, end, upto - end)
            if code == 0:
                self._end = upto
                return True
            if code in _NOT_THERE:
                return False
            if code not in {errno.ENOSPC, errno.EDQUOT}:
                raise OSError(code, os.strerror(code))
        raise NoRoom(errno.errorcode[code])

    def _ensure_beside(self, file: LogFile, more: int) -> None:
        space = os.fstatvfs(file.fd)
        if space.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        # A file system without blocks (some network and FUSE ones) does not count them: only a write can tell.
        if space.f_blocks != 0 and space.f_bavail * space.f_frsize < more + HALT_BYTES:
            raise NoRoom(errno.errorcode[errno.ENOSPC])
        if not self._stand_in.exists():
            _write_new(self._stand_in, secrets.token_bytes(_STAND_IN_BYTES))


def raise_limit(limit: int, needed: int) -> None:
    """Raises this process' own soft limit to its hard one if it is below `needed`: any neighbour may have lowered it.

    Whoever runs as the same user can do that (prlimit), and a log that stops is what an attacker wants.
    """
    soft, hard = resource.getrlimit(limit)
    if soft != resource.RLIM_INFINITY and soft < needed and soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (hard, hard))


def _fallocate(fd: int, start: int, length: int) -> int:
    """Returns 0 or an errno."""
    call = getattr(_LIBC, "fallocate", None)
    if call is None:
        return errno.ENOSYS
    while call(fd, _KEEP_SIZE, ctypes.c_int64(start), ctypes.c_int64(length)) != 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            return code
    return 0


def _write_new(path: Path, data: bytes) -> None:
    """Writes the stand-in as far as the disk takes it: half of it is better than none."""
    with suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
