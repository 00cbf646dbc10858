"""Appends events to the log durably, fails closed, and goes on by itself once the disk takes records again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.audit.chain import Head, append
from leadglass_agent.audit.file import AuditLogRefused, LogFile, has_room, is_in_place, open_file, read_tail
from leadglass_agent.audit.recovery import (
    Broken,
    Cuts,
    Writing,
    left_of_attempt,
    next_head,
    no_cuts,
    recovered,
    repaired,
)
from leadglass_agent.clock import Instant
from leadglass_agent.errors import AuditUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.record import Event

Clock: TypeAlias = Callable[[], Instant]

# Causes that are no errno; they are written to the log.
_SHORT_WRITE: Final = "SHORT_WRITE"
_FILE_REPLACED: Final = "FILE_REPLACED"
_SIZE_CHANGED: Final = "SIZE_CHANGED"
_NO_ROOM: Final = "NO_ROOM"
_CLOSED: Final = "CLOSED"


class _Failure(Exception):
    """A record did not become durable; the text is one of the codes above."""


class AuditLog:
    """One log file and its head. For one thread: every method may wait for the disk."""

    def __init__(self, clock: Clock, state: Writing) -> None:
        self._clock = clock
        self._state: Writing | Broken = state
        self._cuts: Cuts = no_cuts()
        self._closed = False

    @classmethod
    def open(cls, path: Path, clock: Clock) -> AuditLog:
        """Opens or creates the log and cuts off a torn last line, with a record of it.

        Raises AuditLogRefused if the file is not the agent's own, is in use, does not end in a valid record, or cannot
        be read or repaired.
        """
        try:
            file = open_file(path)
        except OSError as error:
            message = f"the audit log {path} cannot be opened: {_code(error)}"
            raise AuditLogRefused(message) from error
        try:
            tail = read_tail(file)
            log = cls(clock, Writing(file, tail.head, tail.end))
            log._cut(file, tail.end, tail.torn)
        except BaseException as error:
            os.close(file.fd)
            if isinstance(error, OSError | _Failure):
                message = f"the end of the audit log {path} cannot be read or repaired: {_code(error)}"
                raise AuditLogRefused(message) from error
            raise
        try:
            log._report_cuts()
        except (OSError, _Failure) as error:
            message = f"the repair of the audit log {path} cannot be recorded: {_code(error)}"
            raise AuditLogRefused(message) from error
        return log

    @property
    def head(self) -> Head:
        """Number and hash of the last durable record."""
        return self._last.head

    @property
    def writable(self) -> bool:
        """Whether the last write succeeded; asks no disk."""
        return isinstance(self._state, Writing)

    def append(self, event: Event) -> None:
        """Writes the event: it is durable on return; else AuditUnavailable is raised, and nothing may be shown."""
        try:
            self.recover()
        except AuditUnavailable:
            if isinstance(self._state, Broken):
                self._state = replace(self._state, refused=self._state.refused + 1)
            raise
        try:
            self._write(event)
        except (OSError, _Failure) as error:
            message = f"the audit log {self._last.file.path} cannot be written: {_code(error)}"
            raise AuditUnavailable(message) from error

    def recover(self) -> None:
        """Opens a broken log again and continues its chain; a few system calls, so that every append may try.

        Raises AuditUnavailable while the log stays broken.
        """
        broken = self._state
        if isinstance(broken, Writing):
            return
        if self._closed:
            message = "the audit log is closed"
            raise AuditUnavailable(message)
        try:
            self._reopen(broken)
        except (OSError, AuditLogRefused, _Failure) as error:
            message = f"the audit log {self._last.file.path} broke ({broken.cause}) and is not back: {_code(error)}"
            raise AuditUnavailable(message) from error

    def probe(self) -> bool:
        """Says whether a call could be recorded now: tries to recover a broken log, looks for room in a healthy one."""
        try:
            self.recover()
            self._check_untouched(self._last)
            return has_room(self._last.file)
        except AuditUnavailable:
            return False
        except (OSError, _Failure) as error:
            self._break(_code(error), b"", refused=0)
            return False

    def close(self) -> None:
        """Closes the file for good; nothing is buffered, so nothing is lost."""
        self._closed = True
        if isinstance(self._state, Writing):
            self._break(_CLOSED, b"", refused=0)

    @property
    def _last(self) -> Writing:
        return self._state if isinstance(self._state, Writing) else self._state.last

    def _write(self, event: Event) -> None:
        state = self._last
        line, head = append(state.head, event, self._clock())
        try:
            self._check_untouched(state)
            _write_all(state.file, line)
        except (OSError, _Failure) as error:
            self._break(_code(error), line, refused=1)
            raise
        self._state = Writing(state.file, head, state.size + len(line))

    def _check_untouched(self, state: Writing) -> None:
        if not is_in_place(state.file):
            raise _Failure(_FILE_REPLACED)
        if os.fstat(state.file.fd).st_size != state.size:
            raise _Failure(_SIZE_CHANGED)

    def _break(self, cause: str, attempt: bytes, *, refused: int) -> None:
        last = self._last
        # Left open, it would keep its file system from being repaired; after a failed fdatasync it proves nothing.
        with suppress(OSError):
            os.close(last.file.fd)
        self._state = Broken(cause, self._clock(), refused, last, attempt)

    def _reopen(self, broken: Broken) -> None:
        file = open_file(broken.last.file.path)
        try:
            _need_room(file)  # so that a full disk gets no torn line at each try
            self._cut(file, broken.last.size, left_of_attempt(file, broken))
            tail = read_tail(file)
            self._cut(file, tail.end, tail.torn)
        except BaseException:
            os.close(file.fd)
            raise
        self._state = Writing(file, next_head(broken.last.head, tail.head), tail.end)
        try:
            self._report_cuts()
            self._write(recovered(broken, tail.head, self._clock()))
        except (OSError, _Failure):
            again = self._state
            if isinstance(again, Broken):  # it is one outage, not two
                self._state = replace(again, cause=broken.cause, since=broken.since, refused=broken.refused)
            raise

    def _cut(self, file: LogFile, end: int, rest: bytes) -> None:
        if rest:
            _need_room(file)  # else the cut would be made and its record could not be written
            os.ftruncate(file.fd, end)
            self._cuts = self._cuts.plus(rest)

    def _report_cuts(self) -> None:
        if self._cuts.pieces:
            self._write(repaired(self._cuts))
            self._cuts = no_cuts()


def _write_all(file: LogFile, line: bytes) -> None:
    if os.write(file.fd, line) != len(line):
        raise _Failure(_SHORT_WRITE)
    os.fdatasync(file.fd)


def _need_room(file: LogFile) -> None:
    if not has_room(file):
        raise _Failure(_NO_ROOM)


def _code(error: Exception) -> str:
    """Returns the errno's name, which never holds a path or text of a caller, or our own text."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSERROR")
    return str(error)
