"""Appends events to the log durably, fails closed, and goes on by itself once the disk takes records again."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leadglass_agent.audit.batch import anchored, certified, compose, segment_started
from leadglass_agent.audit.checkpoint import LogSigner
from leadglass_agent.audit.coverage import Coverage
from leadglass_agent.audit.file import AuditLogRefused, is_in_place, sync_names
from leadglass_agent.audit.opening import next_file, open_log
from leadglass_agent.audit.record import RECORD_BYTES, Event, EventKind
from leadglass_agent.audit.recovery import Broken, Repairs, Writing, name_kept, name_taken, recovered
from leadglass_agent.audit.reopening import move_aside, reopen
from leadglass_agent.audit.reserve import NoRoom, Reserve, raise_limit
from leadglass_agent.audit.retention import deletable, deleted
from leadglass_agent.audit.segments import (
    close_segment,
    closed_segments,
    read_records,
    segment_path,
)
from leadglass_agent.clock import Instant
from leadglass_agent.errors import AuditUnavailable, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leadglass_agent.audit.batch import Batch, Text
    from leadglass_agent.audit.chain import Head
    from leadglass_agent.audit.node_store import NodeStore
    from leadglass_agent.audit.resume import LastRecord
    from leadglass_agent.audit.retention import Deletable
    from leadglass_agent.audit.stored_tree import StoredTree
    from leadglass_agent.audit.tree import Frontier

Clock: TypeAlias = Callable[[], Instant]

_SEGMENT_BYTES: Final = 64 * 2**20
_DESCRIPTORS: Final = 1_024  # more than the agent has open

# Causes that are no errno; they are written to the log.
_SHORT_WRITE: Final = "SHORT_WRITE"
_FILE_REPLACED: Final = "FILE_REPLACED"
_SIZE_CHANGED: Final = "SIZE_CHANGED"
_CLOSED: Final = "CLOSED"


class _Failure(Exception):
    """A record did not become durable; the text is one of the codes above."""


class AuditLog:
    """One log: its files, its head and its tree. For one thread: every method may wait for the disk.

    `durable`, `frontier`, `nodes` and `read` may be used from any thread.
    """

    def __init__(self, clock: Clock, state: Writing, tree: StoredTree, signer: LogSigner, segment_bytes: int) -> None:
        self.signer: Final = signer
        self.last_time: LastRecord | None = None
        self.on_checkpoint: Callable[[str], None] = _ignore
        # Number of the last durable record, and how many bytes became durable since: one value, for other threads.
        self.durable: tuple[int, int] = (state.head.seq, 0)
        self._clock = clock
        self._tree = tree
        self._state: Writing | Broken = state
        self._reserve = Reserve(state.file.path)
        self._segment_bytes = segment_bytes
        self._coverage = Coverage()
        self._started: Event | None = None  # what this process' boot record says of the key
        self._repairs = Repairs(self._reserve)
        self._stuck_at: Path | None = None  # a closed name that is taken for good, as the log says
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        origin_base: str = "leadglass.dev/unnamed",
        key: Ed25519PrivateKey | None = None,
        segment_bytes: int = _SEGMENT_BYTES,
    ) -> AuditLog:
        """Opens or creates the log and cuts off a torn last line, with a record of it.

        `origin_base` begins the name of a log that is new; `key` signs its states until it is closed. Raises
        AuditLogRefused if a file is not the agent's own, is in use, does not end in a valid record, or cannot be read
        or repaired.
        """
        try:
            opened = open_log(path, origin_base)
        except (OSError, ValueError, OverflowError) as error:
            message = f"the audit log {path} cannot be opened: {_code(error)}{_in_words(error)}"
            raise AuditLogRefused(message) from error
        try:
            signer = LogSigner(opened.origin, key or Ed25519PrivateKey.generate())
        except ValueError as error:
            os.close(opened.state.file.fd)
            opened.tree.close()
            message = f"the audit log {path} cannot be named after the agent's SPIFFE id: {error}"
            raise AuditLogRefused(message) from error
        log = cls(clock, opened.state, opened.tree, signer, segment_bytes)
        log.last_time = opened.last
        try:
            log._repairs.cut(opened.state.file, opened.state.size, opened.torn)
        except (OSError, NoRoom) as error:
            log.close()
            message = f"the end of the audit log {path} cannot be read or repaired: {_code(error)}"
            raise AuditLogRefused(message) from error
        try:
            log._go_on(())
        except (OSError, NoRoom, _Failure, ValueError) as error:
            log.close()
            message = f"the repair of the audit log {path} cannot be recorded: {_code(error)}"
            raise AuditLogRefused(message) from error
        return log

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._last.file.path

    @property
    def nodes(self) -> NodeStore:
        """The stored nodes of the tree; they may be behind."""
        return self._tree.nodes

    @property
    def head(self) -> Head:
        """Number and hash of the last durable record."""
        return self._last.head

    @property
    def started(self) -> Event | None:
        """What this process' boot record says; None before there is one."""
        return self._started

    @property
    def frontier(self) -> Frontier:
        """The tree over all durable records."""
        return self._last.frontier

    @property
    def first_seq(self) -> int:
        """Number of the first record that is still here; raises OSError."""
        closed = closed_segments(self._last.file.path)
        return closed[0].first_seq if closed else self._last.first_seq

    @property
    def writable(self) -> bool:
        """Whether the last write succeeded; asks no disk."""
        return isinstance(self._state, Writing)

    def read(self, first_seq: int) -> Iterator[bytes]:
        """Yields the lines (without newline) of the durable records from `first_seq` on; raises OSError."""
        last = self._last
        return (line for _, line in read_records(last.file.path, first_seq, last.head.seq))

    def append(self, events: Sequence[Event], meanwhile: Callable[[Batch], None] | None = None) -> Batch:
        """Writes the events together: all are durable on return, or AuditUnavailable is raised for all.

        `meanwhile` is told what they will be while the disk works on them. It must not release anything: they may fail.
        """
        try:
            self.recover()
        except AuditUnavailable:
            if isinstance(self._state, Broken):
                self._state = replace(self._state, refused=self._state.refused + len(events))
            raise
        try:
            return self._write(events, meanwhile=meanwhile).batch
        except (OSError, NoRoom, _Failure, ValueError) as error:
            message = f"the audit log {self._last.file.path} cannot be written: {_code(error)}"
            raise AuditUnavailable(message) from error

    def checkpoint(self, now: Instant) -> str | None:
        """Writes a CHECKPOINT record and returns its note if a record has waited 5 s for one; does what is overdue.

        Raises AuditUnavailable.
        """
        if isinstance(self._state, Broken):
            return None
        self._tree.catch_up(self.head.seq)
        return self._sign() if self._coverage.is_due(now) else None

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
        except (OSError, AuditLogRefused, NoRoom, _Failure, ValueError, OverflowError) as error:
            message = f"the audit log {self._last.file.path} broke ({broken.cause}) and is not back: {_code(error)}"
            raise AuditUnavailable(message) from error

    def probe(self) -> bool:
        """Says whether a call could be recorded now: tries to recover a broken log, looks for room in a healthy one."""
        try:
            self.recover()
            self._check_untouched(self._last)
            self._reserve.ensure(self._last.file, self._last.size, RECORD_BYTES)
        except (AuditUnavailable, NoRoom):
            return False
        except (OSError, _Failure) as error:
            self._break(_code(error), b"", refused=0)
            return False
        return True

    def rotate_if_due(self) -> None:
        """Closes the file if it has grown large, and goes on in a new one; if it cannot now, then later.

        A kill between any two steps leaves what a moved log leaves, and the next start or write goes on from there.
        """
        state = self._state
        if isinstance(state, Broken) or state.size < self._segment_bytes:
            return
        try:
            self._check_untouched(state)
            self._reserve.ensure(state.file, state.size, 2 * RECORD_BYTES)
            if self._coverage.is_open:
                self._sign()
            state = self._last
            taken = self._free_name(state)
            close_segment(state.file, state.first_seq)
        except (OSError, NoRoom, _Failure, AuditUnavailable):
            return
        try:
            file = next_file(state)
        except (OSError, AuditLogRefused) as error:
            self._break(_code(error), b"", refused=0)
            return
        self._state = Writing(file, state.head, 0, state.head.seq + 1, state.frontier)
        with suppress(OSError, NoRoom, _Failure, ValueError):  # then the log is broken, and recovers as ever
            self._go_on(taken)

    def _free_name(self, state: Writing) -> tuple[Event, ...]:
        """Moves away what lies under the closed name of the file, and gives the record of it.

        If it cannot be moved the log says so once, and its file grows on. Raises OSError or AuditUnavailable.
        """
        name = segment_path(state.file.path, state.first_seq)
        if not os.path.lexists(name):
            return ()
        try:
            return (name_taken(move_aside(state.file.path, name), name.name),)
        except OSError as error:
            if self._stuck_at != name:
                self.append((name_kept(name.name, _code(error)),))
                self._stuck_at = name
            raise

    def delete_shipped(self, before_unix: float, shipped_seq: int) -> None:
        """Deletes closed files whose records are all older and shipped, each after a durable record that says so.

        Raises AuditUnavailable or OSError; what was not deleted then is at the next call.
        """
        for segment in deletable(self.path, before_unix, shipped_seq):
            self.delete(segment)

    def delete(self, segment: Deletable) -> None:
        """Deletes one closed file after a durable record of it; raises AuditUnavailable or OSError."""
        self.append((deleted(segment),))
        segment.path.unlink()
        sync_names(self.path)

    def close(self) -> None:
        """Signs the last state and closes the files for good; nothing is buffered, so nothing is lost."""
        if not self._closed and self.writable and self._coverage.is_open:
            with suppress(AuditUnavailable):
                self._sign()
        self._closed = True
        if isinstance(self._state, Writing):
            self._break(_CLOSED, b"", refused=0)

    @property
    def _last(self) -> Writing:
        state = self._state
        return state if isinstance(state, Writing) else state.last

    def _sign(self) -> str:
        """Writes a CHECKPOINT record of its own; raises AuditUnavailable."""
        try:
            return self._write((), sign=True).note or ""
        except (OSError, NoRoom, _Failure, ValueError) as error:
            message = f"the audit log {self._last.file.path} cannot be written: {_code(error)}"
            raise AuditUnavailable(message) from error

    def _write(
        self, events: Sequence[Event], *, sign: bool = False, meanwhile: Callable[[Batch], None] | None = None
    ) -> Text:
        state = self._last
        signer = self.signer if sign or self._coverage.is_due_with(events) else None
        text = compose(state.head, state.frontier, events, self._clock, signer)
        try:
            self._check_untouched(state)
            self._reserve.ensure(state.file, state.size, len(text.data))
        except NoRoom as error:
            self._halt(str(error), refused=len(events))
            raise
        except (OSError, _Failure) as error:
            self._break(_code(error), b"", refused=len(events))
            raise
        self._commit(state, text, events, meanwhile)
        return text

    def _commit(
        self,
        state: Writing,
        text: Text,
        events: Sequence[Event],
        meanwhile: Callable[[Batch], None] | None = None,
    ) -> None:
        try:
            if os.write(state.file.fd, text.data) != len(text.data):
                raise _Failure(_SHORT_WRITE)  # noqa: TRY301 - handled as what the kernel says
            if meanwhile is not None:
                meanwhile(text.batch)
            os.fdatasync(state.file.fd)
        except (OSError, _Failure) as error:
            self._break(_code(error), text.data, refused=len(events))
            raise
        size = state.size + len(text.data)
        self.durable = (text.head.seq, self.durable[1] + len(text.data))
        self._state = Writing(state.file, text.head, size, state.first_seq, text.frontier)
        self._coverage = self._coverage.after(events, self._clock(), signed=text.note is not None)
        self._started = next((event for event in events if event.kind is EventKind.AGENT_STARTED), self._started)
        self._tree.keep(state.frontier, text.leaves)
        if text.note is not None:
            self.on_checkpoint(text.note)

    def _halt(self, cause: str, refused: int) -> None:
        """Says with the last room that there is no more; then the log is broken until there is."""
        state = self._last
        event = Event(kind=EventKind.AUDIT_HALT, severity=Severity.CRITICAL, facts=(("cause", cause),))
        signer = self.signer if self._coverage.announced else None
        self._reserve.give_up()
        try:
            self._commit(state, compose(state.head, state.frontier, (event,), self._clock, signer), (event,))
        except (OSError, _Failure):
            broken = self._state
            if isinstance(broken, Broken):
                self._state = replace(broken, cause=cause, refused=refused)
            return
        self._break(cause, b"", refused=refused)

    def _check_untouched(self, state: Writing) -> None:
        if not is_in_place(state.file):
            raise _Failure(_FILE_REPLACED)
        if os.fstat(state.file.fd).st_size != state.size:
            raise _Failure(_SIZE_CHANGED)

    def _break(self, cause: str, attempt: bytes, *, refused: int) -> None:
        last = self._last
        # Left open, it would keep its file system from being repaired; after a failed fdatasync it proves nothing.
        self._tree.close()
        with suppress(OSError):
            os.close(last.file.fd)
        self._state = Broken(cause, self._clock(), refused, last, attempt)

    def _reopen(self, broken: Broken) -> None:
        raise_limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
        reopened = reopen(broken, self._repairs)
        state = self._state = reopened.state
        self._tree.reopen()
        back = recovered(broken, reopened.found, self._clock(), self._repairs.aside)
        try:
            # Where records are missing within a file, the tree goes on from what this record says, so it comes first.
            if state.size and reopened.found.seq < broken.last.head.seq:
                self._go_on((), first=(anchored(back, self.signer.origin, state.frontier),))
            else:
                self._go_on((back,))
        except (OSError, NoRoom, _Failure, ValueError):
            again = self._state
            if isinstance(again, Writing):
                self._break(broken.cause, b"", refused=broken.refused)
                again = self._state
            if isinstance(again, Broken):  # it is one outage, not two
                self._state = replace(again, cause=broken.cause, since=broken.since, refused=broken.refused)
            raise

    def _go_on(self, events: tuple[Event, ...], *, first: tuple[Event, ...] = ()) -> None:
        """Writes what a new file and a cut end must be followed by, between the events."""
        state = self._last
        if state.size == 0 and state.head.seq > 0:
            before = closed_segments(state.file.path)
            previous = before[-1].path.name if before else ""
            started = segment_started(self.signer.origin, state.frontier, previous)
            first = (*first, certified(started, self._started))
        events = (*first, *self._repairs.events(), *events)
        if events:
            self._write(events)
            self._repairs.recorded()


def _ignore(_: str) -> None:
    """Takes a note that nobody asked for."""


def _in_words(error: Exception) -> str:
    """Returns what the errno means, for whoever reads why the agent did not start."""
    return f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""


def _code(error: Exception) -> str:
    """Returns the errno's name, which never holds a path or text of a caller, or our own text."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSERROR")
    return str(error)
