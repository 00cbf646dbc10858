"""The files of recordings in one folder: created, appended to, read, destroyed; each change durable on return.

Everything goes through the folder's own descriptor, which is locked: another folder in its place changes nothing, and
no second agent writes here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections import OrderedDict
from contextlib import suppress
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.recordings.format import is_session_id
from leadglass_agent.recordings.keys import KEY_HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_DESCRIPTORS: Final = 64  # as many recordings are written without opening a file again
MAX_SMALL: Final = 256

_MODE: Final = 0o600
_OTHERS: Final = 0o077
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW: Final = ".new"
_MAX_FILES: Final = 100_000


class Part(StrEnum):
    """The files that a recording may consist of; the value ends the file's name."""

    RECORDING = ".rec"
    KEY = ".key"
    END = ".end"
    HOLD = ".hold"
    GONE = ".gone"


_PARTS: Final = {str(part): part for part in Part}
_UNFINISHED: Final = frozenset(part + _NEW for part in (Part.KEY, Part.END, Part.HOLD, Part.GONE))


class FolderRefused(Exception):
    """The folder cannot be used for recordings; the text says why and what to do."""


class FileChanged(Exception):
    """A file is not as it was left: removed, replaced, cut or written by somebody else."""


class NotDurable(Exception):
    """The disk took the bytes and lost them, perhaps: after that nothing in this file is to be relied on."""


class Folder:
    """The folder and at most 64 open descriptors. For one thread: every method may wait for the disk."""

    def __init__(self, path: Path) -> None:
        """Opens, or creates (0700), and locks; raises FolderRefused."""
        self._path = path
        try:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        except OSError as error:
            message = f"the folder of recordings {path} cannot be opened: {error.strerror}"
            raise FolderRefused(message) from None
        self._open: OrderedDict[str, int] = OrderedDict()
        try:
            self._check()
        except BaseException:
            os.close(self._fd)
            raise

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Gives the files that are there, as session id and part; what was not finished is removed.

        Raises OSError or FolderRefused.
        """
        with os.scandir(self._fd) as found:
            names = [one.name for one in islice(found, _MAX_FILES + 1)]
        if len(names) > _MAX_FILES:
            message = f"the folder of recordings {self._path} holds more than {_MAX_FILES} files"
            raise FolderRefused(message)
        for name in names:
            stem, dot, ending = name.partition(".")
            if not is_session_id(stem):
                continue
            if dot + ending in _UNFINISHED:
                os.unlink(name, dir_fd=self._fd)
            elif dot + ending in _PARTS:
                yield stem, _PARTS[dot + ending]

    def create(self, session_id: str, content: bytes) -> None:
        """Makes a recording with its first bytes; raises OSError, and then there is none."""
        name = session_id + Part.RECORDING
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, _MODE, dir_fd=self._fd)
        try:
            os.fchmod(fd, _MODE)  # whatever the umask is
            _write(fd, content, 0)
            os.fsync(fd)
            os.fsync(self._fd)
        except BaseException:
            os.close(fd)
            self.remove(session_id, Part.RECORDING)
            raise
        self._keep(session_id, fd)

    def append(self, session_id: str, content: bytes, at: int) -> None:
        """Adds bytes where the file ends; raises OSError and leaves it as it was, FileChanged or NotDurable."""
        fd = self._writable(session_id)
        found = os.fstat(fd)
        if found.st_size != at or not found.st_nlink:
            message = f"the recording has {found.st_size} bytes and {found.st_nlink} names, and not {at} and one"
            raise FileChanged(message)
        try:
            _write(fd, content, at)
        except OSError:
            with suppress(OSError):  # else the next write finds the file changed
                os.ftruncate(fd, at)
            raise
        try:
            os.fdatasync(fd)
        except OSError as error:
            message = errno.errorcode.get(error.errno or 0, "OSError")
            raise NotDurable(message) from error

    def put(self, session_id: str, part: Part, content: bytes) -> None:
        """Writes a small file as a whole, in the place of an older one; raises OSError."""
        name = session_id + part
        fd = os.open(name + _NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, _MODE, dir_fd=self._fd)
        try:
            os.fchmod(fd, _MODE)
            _write(fd, content, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(name + _NEW, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        os.fsync(self._fd)

    def small(self, session_id: str, part: Part) -> bytes:
        """Reads a small file, at most 256 bytes of it; raises OSError."""
        return self.read(session_id, part, 0, MAX_SMALL)

    def read(self, session_id: str, part: Part, at: int, size: int) -> bytes:
        """Reads so many bytes, fewer if the file ends before; raises OSError."""
        fd = os.open(session_id + part, os.O_RDONLY | _FLAGS, dir_fd=self._fd)
        try:
            parts: list[bytes] = []
            while size and (piece := os.pread(fd, size, at)):
                parts.append(piece)
                at, size = at + len(piece), size - len(piece)
            return b"".join(parts)
        finally:
            os.close(fd)

    def stat(self, session_id: str, part: Part) -> os.stat_result:
        """Gives what the file system says of a file; raises OSError."""
        return os.stat(session_id + part, dir_fd=self._fd, follow_symlinks=False)

    def destroy_key(self, session_id: str) -> None:
        """Overwrites the wrapped key, then removes it; raises OSError. One that is not there is destroyed already.

        What tells that the file is a recording's key stays until then: an agent that is killed now knows it again.
        """
        name = session_id + Part.KEY
        try:
            fd = os.open(name, os.O_WRONLY | _FLAGS, dir_fd=self._fd)
        except FileNotFoundError:
            return
        try:
            size = min(os.fstat(fd).st_size, MAX_SMALL)
            _write(fd, os.urandom(max(0, size - KEY_HEAD_BYTES)), KEY_HEAD_BYTES)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.unlink(name, dir_fd=self._fd)
        os.fsync(self._fd)

    def remove(self, session_id: str, *parts: Part) -> None:
        """Removes files, also such as are not there; raises OSError."""
        if Part.RECORDING in parts:
            self.let_go(session_id)
        for part in parts:
            with suppress(FileNotFoundError):
                os.unlink(session_id + part, dir_fd=self._fd)
        os.fsync(self._fd)

    def let_go(self, session_id: str) -> None:
        """Closes a recording that is not written any more."""
        held = self._open.pop(session_id, None)
        if held is not None:
            os.close(held)

    def close(self) -> None:
        """Closes all; nothing is buffered, so nothing is lost."""
        while self._open:
            os.close(self._open.popitem()[1])
        os.close(self._fd)

    def _check(self) -> None:
        found = os.fstat(self._fd)
        if found.st_uid != os.geteuid():
            message = f"the folder of recordings {self._path} belongs to user {found.st_uid}, not {os.geteuid()}"
            raise FolderRefused(message)
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            message = f"the folder of recordings {self._path} has mode {mode:04o}, open to others: chmod 700 it"
            raise FolderRefused(message)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"the folder of recordings {self._path} is being written by another agent"
            raise FolderRefused(message) from None

    def _writable(self, session_id: str) -> int:
        held = self._open.get(session_id)
        if held is not None:
            self._open.move_to_end(session_id)
            return held
        fd = os.open(session_id + Part.RECORDING, os.O_RDWR | _FLAGS, dir_fd=self._fd)
        self._keep(session_id, fd)
        return fd

    def _keep(self, session_id: str, fd: int) -> None:
        self._open[session_id] = fd
        while len(self._open) > MAX_DESCRIPTORS:
            os.close(self._open.popitem(last=False)[1])


def _write(fd: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written
