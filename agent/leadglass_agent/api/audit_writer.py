"""Brings audit records to disk without stopping the event loop: all that wait go in one write, each has a deadline.

What callers write (reasons, names, paths) is masked on its way: a file may have a secret in its name, and a person may
paste one into a reason.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from leadglass_agent.audit.checkpoint import Checkpoint
from leadglass_agent.audit.receipt import Receipt
from leadglass_agent.audit.record import EventKind
from leadglass_agent.audit.retention import deletable
from leadglass_agent.audit.tree import last_proofs
from leadglass_agent.audit.view import LogView
from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.audit.batch import Batch
    from leadglass_agent.audit.log import AuditLog
    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant
    from leadglass_agent.redaction.redactor import Redactor

_SECONDS: Final = 2.0  # fdatasync takes 0.7 ms at the 99th percentile; a disk this slow is no disk to rely on
_CLOSE_SECONDS: Final = 5.0  # a disk that is silent for ever must not keep the process
_MAX_WAITING: Final = 512
_BATCH_RECORDS: Final = 128
_BATCH_BYTES: Final = 262_144
_REMEMBERED: Final = 1_024
_SHORT: Final = 128  # characters: names and most paths
_UNREADABLE: Final = "[redacted:unreadable]"
_ANSWERS: Final = frozenset({EventKind.OUTCOME, EventKind.REFUSED})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record that is durable: its number, and what its caller may keep of it if it ends a call."""

    seq: int
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class _Append:
    event: Event
    done: asyncio.Future[Recorded]


@dataclass(frozen=True, slots=True)
class _Job:
    """Anything else that only the writing thread may do."""

    run: Callable[[], None]
    done: asyncio.Future[None]


_Work: TypeAlias = _Append | _Job
_Result = TypeVar("_Result")


class AuditWriter:
    """The only user of an AuditLog, on one thread, so that the chain's order is the order of the appends.

    Appends that arrive while a write is under way form the next one. `on_commit` is called with the number of records
    of a write and the seconds it took, `on_checkpoint` with each signed state that is in the log; both by the loop.
    """

    def __init__(self, log: AuditLog, redactor: Redactor) -> None:
        self.writable = True
        self.on_commit: Callable[[int, float], None] = _ignore_commit
        self.on_checkpoint: Callable[[str], None] = _ignore_note
        self.on_record: Callable[[Event], None] = _ignore_record
        self._log = log
        self._redactor = redactor
        # The same names and paths come with each call, and twice: in its INTENT and in its OUTCOME.
        self._mask_short = lru_cache(maxsize=_REMEMBERED)(self._mask)
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._waiting = 0
        self._thread: Final = threading.Thread(target=self._work, name="audit", daemon=True)
        self._notes: deque[str] = deque()
        log.on_checkpoint = self._notes.append

    @property
    def view(self) -> LogView:
        """The log as others may see it, from any thread."""
        return LogView(self._log)

    @property
    def verifier_key(self) -> str:
        """The key that signs the states of the log, in the form of signed notes."""
        return self._log.signer.verifier_key

    @property
    def records_waiting(self) -> int:
        """Number of records and other work that is not done yet."""
        return self._waiting

    async def append(self, event: Event) -> Recorded:
        """Returns when the record is durable; raises AuditUnavailable if it cannot be, or not in time.

        A caller who goes away takes no record with it: what waits is written.
        """
        done: asyncio.Future[Recorded] = self._admitted().create_future()
        self._queue.put(_Append(self._masked(event), done))
        recorded = await self._ended(done)
        self.writable = True
        self.on_record(event)
        return recorded

    async def probe(self) -> bool:
        """Tells whether records can be written now, after trying to recover if they could not."""
        try:
            await self._on_thread(self._probe)
        except AuditUnavailable:
            return False
        self.writable = True
        return True

    async def tick(self, now: Instant) -> None:
        """Does each second what no append does: signs what has waited, and closes a file that has grown large.

        Raises AuditUnavailable.
        """
        await self._on_thread(lambda: self._tick(now))

    async def delete_shipped(self, before_unix: float, shipped_seq: int) -> None:
        """Deletes closed files whose records are all older and shipped; raises AuditUnavailable or OSError."""
        # The files are read and hashed beside the writing thread, which must not wait for that.
        due = await asyncio.to_thread(lambda: tuple(deletable(self._log.path, before_unix, shipped_seq)))
        for segment in due:
            await self._on_thread(partial(self._log.delete, segment))

    def close(self) -> None:
        """Waits for the thread and closes the log."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._log.close()
        self._pass_notes()

    def mask(self, text: str) -> str:
        """Masks what a person wrote; what cannot be looked through is not shown."""
        return self._mask_short(text) if len(text) <= _SHORT else self._mask(text)

    def _mask(self, text: str) -> str:
        try:
            # Requests are UTF-8 by their type, so nothing is lost here; the record escapes what a viewer must not obey.
            return self._redactor.redact(text.encode()).text.data.decode("utf-8", "backslashreplace")
        except RedactionError:
            return _UNREADABLE

    def _masked(self, event: Event) -> Event:
        if not event.arguments and event.reason_text is None and event.ticket is None:
            return event
        return replace(
            event,
            arguments=tuple((name, self.mask(text)) for name, text in event.arguments),
            reason_text=None if event.reason_text is None else self.mask(event.reason_text),
            ticket=None if event.ticket is None else self.mask(event.ticket),
        )

    def _admitted(self) -> asyncio.AbstractEventLoop:
        """Takes a place in the queue, and starts the thread for the first."""
        if self._waiting >= _MAX_WAITING:
            self.writable = False
            detail = "too many records wait for the disk"
            raise AuditUnavailable(detail)
        self._waiting += 1
        if self._thread.ident is None:
            self._thread.start()
        return asyncio.get_running_loop()

    async def _on_thread(self, run: Callable[[], None]) -> None:
        done: asyncio.Future[None] = self._admitted().create_future()
        self._queue.put(_Job(run, done))
        await self._ended(done)

    async def _ended(self, done: asyncio.Future[_Result]) -> _Result:
        """Waits for the thread's answer, for as long as a disk may take."""
        timer = asyncio.get_running_loop().call_later(_SECONDS, _give_up, done)
        try:
            return await done
        except AuditUnavailable:
            self.writable = False
            raise
        finally:
            timer.cancel()

    def _work(self) -> None:
        """Runs on the writing thread until it is told to end."""
        kept: _Work | None = None
        while True:
            work = kept or self._queue.get()
            kept = None
            if work is None:
                return
            if isinstance(work, _Job):
                _deliver(work.done.get_loop(), partial(self._finish_job, work, _outcome_of(work.run)))
                continue
            batch, kept, is_last = self._batch_from(work)
            self._append_all(batch)
            if is_last:
                return

    def _batch_from(self, first: _Append) -> tuple[list[_Append], _Work | None, bool]:
        """Takes all appends that wait, within bounds; also what was taken beyond them, and whether the end came."""
        batch, size = [first], _weight(first.event)
        while len(batch) < _BATCH_RECORDS:
            try:
                work = self._queue.get_nowait()
            except Empty:
                break
            if work is None:
                return batch, None, True
            if isinstance(work, _Job):
                return batch, work, False
            size += _weight(work.event)
            if size > _BATCH_BYTES:
                return batch, work, False
            batch.append(work)
        return batch, None, False

    def _append_all(self, batch: list[_Append]) -> None:
        """Writes a batch; while the disk works on it, the loop makes what the callers get once it is durable."""
        started = time.monotonic()
        results: list[Recorded] = []
        error: Exception | None = None
        loop = batch[0].done.get_loop()
        # Without the end of a call there is nothing to prove, and the loop is better left alone.
        has_answers = any(item.event.kind in _ANSWERS for item in batch)

        def prove(written: Batch) -> None:
            if has_answers:
                _deliver(loop, partial(self._prove, batch, written, results))

        try:
            written = self._log.append([item.event for item in batch], prove)
            if not has_answers:
                results = [Recorded(written.first_seq + number, None) for number in range(len(batch))]
        except Exception as caught:  # noqa: BLE001 - it ends in the gate; here it must not end the thread
            error = caught
        _deliver(loop, partial(self._finish, batch, results, error, time.monotonic() - started))

    def _prove(self, batch: list[_Append], written: Batch, results: list[Recorded]) -> None:
        """Gives numbers to all of a batch, and to the ends of calls their receipts: one signature for all of them.

        Nobody sees them before `_finish`, which comes only after the disk has answered.
        """
        numbers = range(written.first_seq, written.first_seq + len(batch))
        signer = self._log.signer
        note = signer.sign(Checkpoint(signer.origin, written.after.size, written.after.root()))
        proofs = last_proofs(written.before, written.leaves)
        for seq, item, leaf, hashes in zip(numbers, batch, written.leaves, proofs, strict=True):
            ends = item.event.kind in _ANSWERS
            results.append(Recorded(seq, Receipt(note, signer.verifier_key, seq, leaf, hashes) if ends else None))

    def _finish(self, batch: list[_Append], results: list[Recorded], error: Exception | None, seconds: float) -> None:
        """Tells the callers, on their loop."""
        self._waiting -= len(batch)
        self._pass_notes()
        if error is None:
            for item, one in zip(batch, results, strict=True):
                if not item.done.done():
                    item.done.set_result(one)
            self.on_commit(len(batch), seconds)
            return
        for item in batch:
            if not item.done.done():
                # One each: an exception keeps the frames of everyone who raised it.
                item.done.set_exception(AuditUnavailable(str(error)) if isinstance(error, AuditUnavailable) else error)

    def _finish_job(self, job: _Job, error: Exception | None) -> None:
        self._waiting -= 1
        self._pass_notes()
        if job.done.done():
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)

    def _pass_notes(self) -> None:
        while self._notes:
            self.on_checkpoint(self._notes.popleft())

    def _probe(self) -> None:
        if not self._log.probe():
            detail = "the audit log is not writable"
            raise AuditUnavailable(detail)

    def _tick(self, now: Instant) -> None:
        self._log.checkpoint(now)
        self._log.rotate_if_due()


def _outcome_of(run: Callable[[], None]) -> Exception | None:
    try:
        run()
    except Exception as error:  # noqa: BLE001 - whoever waits for the job gets it; the thread goes on
        return error
    return None


def _deliver(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """Runs something on the loop that waits for it; a loop that has been closed meanwhile waits for nothing."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(work)


def _give_up(done: asyncio.Future[_Result]) -> None:
    if not done.done():
        detail = "the disk did not answer in time"
        done.set_exception(AuditUnavailable(detail))


def _weight(event: Event) -> int:
    """Estimates the bytes of a record from what makes it long."""
    texts = sum(len(name) + len(text) for name, text in event.arguments)
    return 1_024 + texts + len(event.reason_text or "") + len(event.detail or "")


def _ignore_commit(_: int, __: float) -> None:
    """Takes what nobody measures."""


def _ignore_record(_: Event) -> None:
    """Counts nothing."""


def _ignore_note(_: str) -> None:
    """Takes a note that nobody asked for."""
