"""Keeps on disk what must outlive a restart: what grants have spent, who revealed what, who owes a review."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from leadglass_agent.access.accounts import Spent
from leadglass_agent.access.halt_reviews import HaltOwed, HaltReviewed
from leadglass_agent.access.reveals import Begun, Closed, Undone, UsedGrants
from leadglass_agent.audit.file import sync_names
from leadglass_agent.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Entry: TypeAlias = Spent | Begun | Undone | Closed | UsedGrants | HaltOwed | HaltReviewed

MAX_BYTES: Final = 64 * 1024 * 1024
COMPACT_BYTES: Final = 8 * 1024 * 1024
MAX_LINE: Final = 1024 * 1024

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
# A line is {"sha256":"<64 digits>","entries":[...]}: the digest covers the entries and tells a torn line from a whole.
_BEFORE_DIGEST: Final = b'{"sha256":"'
_BEFORE_ENTRIES: Final = b'","entries":'
_DIGEST_DIGITS: Final = 64
_ENTRIES_AT: Final = len(_BEFORE_DIGEST) + _DIGEST_DIGITS + len(_BEFORE_ENTRIES)
_DECODER: Final = msgspec.json.Decoder(tuple[Entry, ...])

# Causes that are no errno.
_SHORT_WRITE: Final = "SHORT_WRITE"
_FILE_REPLACED: Final = "FILE_REPLACED"
_SIZE_CHANGED: Final = "SIZE_CHANGED"
_TOO_LARGE: Final = "TOO_LARGE"


class JournalRefused(Exception):
    """The file cannot be continued as a journal; the text says why."""


class _Failure(Exception):
    """An entry did not become durable; the text is one of the codes above."""


class _Torn(Exception):
    """A line is not whole, or its digest is not that of its entries."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A journal, what it held, and whether there was none before: then whatever was spent until now is forgotten."""

    journal: Journal
    entries: tuple[Entry, ...]
    is_new: bool


def journal_path(audit_path: Path) -> Path:
    """Gives the place of the journal: beside the audit log, on the same volume."""
    return audit_path.with_name(audit_path.name + ".spent")


class Journal:
    """One file of lines, each durable before the next. For one thread: every method may wait for the disk.

    At the start, after any failure and when the file has grown it takes nothing but `compact`, which writes all anew:
    no line ever stands behind a torn one, and a failed fdatasync is not trusted twice.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd
        self._size = 0
        self._needs_all = True
        self._closed = False

    @classmethod
    def open(cls, path: Path) -> Opened:
        """Opens or creates (0600) the file and reads it; a torn last line was never acknowledged and is dropped.

        Raises JournalRefused if the file is not the agent's own, is in use, is damaged before its end, or cannot be
        read.
        """
        try:
            fd, is_new = _open(path)
        except OSError as error:
            message = f"the journal {path} cannot be opened: {_code(error)}"
            raise JournalRefused(message) from error
        try:
            _lock(path, fd)
            return Opened(cls(path, fd), tuple(_entries(path, fd)), is_new)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OSError):
                message = f"the journal {path} cannot be read: {_code(error)}"
                raise JournalRefused(message) from error
            raise

    @property
    def wants_compaction(self) -> bool:
        """Whether the next thing to write has to be everything, by `compact`."""
        return self._needs_all or self._size > COMPACT_BYTES

    def append(self, entries: Iterable[Entry]) -> None:
        """Writes entries; they are durable on return, else AuditUnavailable is raised, and nothing may be shown."""
        line = _line(entries)
        if self._needs_all or self._closed:
            message = f"the journal {self._path} is {'closed' if self._closed else 'to be written anew'}"
            raise AuditUnavailable(message)
        try:
            self._check_untouched()
            _write_all(self._fd, line, self._size)
            os.fdatasync(self._fd)
        except (OSError, _Failure) as error:
            self._needs_all = True
            raise self._unavailable(error) from error
        self._size += len(line)

    def compact(self, snapshot: Iterable[Entry]) -> None:
        """Writes all entries to a new file in the place of the old one; raises AuditUnavailable, and keeps the old."""
        if self._closed:
            message = f"the journal {self._path} is closed"
            raise AuditUnavailable(message)
        try:
            self._replace(snapshot)
        except (OSError, _Failure) as error:
            raise self._unavailable(error) from error
        self._needs_all = False

    def close(self) -> None:
        """Closes the file; nothing is buffered, so nothing is lost."""
        if not self._closed:
            self._closed = True
            os.close(self._fd)

    def _replace(self, snapshot: Iterable[Entry]) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        beside.unlink(missing_ok=True)  # left by an agent that was killed here
        fd = os.open(beside, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            size = 0
            for entry in snapshot:
                line = _line((entry,))
                _write_all(fd, line, size)
                size += len(line)
            os.fsync(fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            beside.replace(self._path)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd, self._size = fd, size
        self._needs_all = True  # until the new name is durable, too
        sync_names(self._path)

    def _check_untouched(self) -> None:
        if not _is_in_place(self._path, self._fd):
            raise _Failure(_FILE_REPLACED)
        if os.fstat(self._fd).st_size != self._size:
            raise _Failure(_SIZE_CHANGED)

    def _unavailable(self, error: Exception) -> AuditUnavailable:
        return AuditUnavailable(f"the journal {self._path} cannot be written: {_code(error)}")


def _line(entries: Iterable[Entry]) -> bytes:
    encoded = msgspec.json.encode(tuple(entries))
    return _BEFORE_DIGEST + _digest(encoded) + _BEFORE_ENTRIES + encoded + b"}\n"


def _entries(path: Path, fd: int) -> Iterator[Entry]:
    """Reads the entries of all lines; only the last line may be torn."""
    if os.fstat(fd).st_size > MAX_BYTES:
        raise _refused(path, f"is larger than {MAX_BYTES} bytes")
    with os.fdopen(os.dup(fd), "rb") as file:
        line = file.readline(MAX_LINE + 1)
        while line:
            after = file.readline(MAX_LINE + 1)
            try:
                yield from _read(line)
            except _Torn as error:
                if after:
                    raise _refused(path, "is damaged before its end") from error
            except msgspec.MsgspecError as error:
                raise _refused(path, "holds an entry that this agent does not know") from error
            line = after


def _read(line: bytes) -> tuple[Entry, ...]:
    """Reads one line with its newline; raises _Torn, or MsgspecError for whole lines of another kind."""
    encoded = line[_ENTRIES_AT:-2]
    if line != _BEFORE_DIGEST + _digest(encoded) + _BEFORE_ENTRIES + encoded + b"}\n":
        raise _Torn
    return _DECODER.decode(encoded)


def _digest(encoded: bytes) -> bytes:
    return hashlib.sha256(encoded).hexdigest().encode("ascii")


def _open(path: Path) -> tuple[int, bool]:
    try:
        return os.open(path, _FLAGS), False
    except FileNotFoundError:
        fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whatever the umask is
        os.fsync(fd)
        sync_names(path)
    except BaseException:
        os.close(fd)
        raise
    return fd, True


def _lock(path: Path, fd: int) -> None:
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
    if not _is_in_place(path, fd):
        raise _refused(path, "was replaced while the agent opened it")


def _is_in_place(path: Path, fd: int) -> bool:
    held = os.fstat(fd)
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def _write_all(fd: int, line: bytes, size: int) -> None:
    if len(line) > MAX_LINE or size + len(line) > MAX_BYTES:
        raise _Failure(_TOO_LARGE)
    if os.write(fd, line) != len(line):
        raise _Failure(_SHORT_WRITE)


def _code(error: Exception) -> str:
    """Returns the errno's name, or our own code."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSERROR")
    return str(error)


def _refused(path: Path, what: str) -> JournalRefused:
    return JournalRefused(f"the journal {path} {what}; without it every grant would begin anew")
