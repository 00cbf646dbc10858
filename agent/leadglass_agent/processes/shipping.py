"""Sends the audit log's durable records to the sink, in order and each at least once, on a thread of its own."""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from leadglass_agent.audit.chain import GENESIS, Fault, Record, read_line
from leadglass_agent.audit.shipping import Shipment
from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.processes.ship_cursor import cursor_path, read_cursor, write_cursor
from leadglass_agent.telemetry.faults import NotTaken, SendFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from leadglass_agent.audit.chain import Head
    from leadglass_agent.audit.record import Event
    from leadglass_agent.audit.shipping import SinkTerms
    from leadglass_agent.clock import Instant

_LOOK_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 3.0
_MAX_RECORDS: Final = 256
_MAX_BATCH: Final = 512 * 1024  # a record has at most 24 KiB; receivers commonly take 4 MiB


class ShippedLog(Protocol):
    """What shipping needs of the log, from another thread."""

    @property
    def head(self) -> Head:
        """Number and hash of the last durable record."""

    @property
    def durable(self) -> tuple[int, int]:
        """Number of the last durable record, and how many bytes became durable since the log was opened."""

    @property
    def first_seq(self) -> int:
        """Number of the oldest record that is still here."""

    def read(self, first_seq: int) -> Iterator[bytes]:
        """Gives the durable lines from a record on, without their newlines; raises OSError."""


class Shipping:
    """The thread, and what the gate asks of it."""

    def __init__(
        self,
        log: ShippedLog,
        send: Callable[[Sequence[bytes]], None],
        audit_path: Path,
        terms: SinkTerms,
        clock: Callable[[], Instant],
    ) -> None:
        """`send` returns when the sink has taken the lines, and raises NotTaken otherwise."""
        self._log = log
        self._send = send
        self._cursor = cursor_path(audit_path)
        self._clock = clock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._shipment = Shipment(known_place(log, read_cursor(self._cursor)), log.head.seq, terms, clock())
        written = log.durable[1]
        self._left_bytes = (self._measure() if self.unshipped else 0) - written
        self._thread = threading.Thread(target=self._run, name="audit-sink", daemon=True)

    @property
    def shipped_seq(self) -> int:
        """Number of the last record that the sink has."""
        return self._shipment.shipped.seq

    @property
    def unshipped(self) -> int:
        """How many records the sink does not have."""
        return max(0, self._log.head.seq - self._shipment.shipped.seq)

    def start(self) -> None:
        """Starts to send."""
        self._thread.start()

    def check(self) -> None:
        """Raises AuditUnavailable while the configuration forbids to go on without the sink."""
        now = self._clock()
        with self._lock:
            self._look(now)
            fault = self._shipment.fault(now)
        if fault:
            raise AuditUnavailable(fault)

    def take_events(self) -> tuple[Event, ...]:
        """Takes what is to be recorded: that the sink went down, that it came back."""
        with self._lock:
            return self._shipment.take_events()

    def close(self) -> None:
        """Sends what is left, within three seconds; the rest goes out after the next start."""
        self._stopping.set()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            waiting = self._step()
            self._stopping.wait(waiting)
        while self.unshipped and not self._step():
            pass

    def _step(self) -> float:
        """Makes one attempt if it is time for one; gives the seconds until the next look, 0 if there is more."""
        now, last_seq = self._clock(), self._log.head.seq
        with self._lock:
            self._look(now)
            shipped, pause_ns = self._shipment.shipped, self._shipment.wait_ns(now)
        if last_seq <= shipped.seq:
            return _LOOK_SECONDS
        if pause_ns:
            return min(_PAUSE_SECONDS, pause_ns / 1e9)
        try:
            lines, head = self._batch(shipped)
            self._send(lines)
            write_cursor(self._cursor, head)
        except NotTaken as error:
            return self._fail(error.fault)
        except OSError:
            return self._fail(SendFault.LOG_UNREADABLE)
        except Exception:  # noqa: BLE001 - whatever a peer makes fail is the sink's failure: a dead thread would tell nobody
            return self._fail(SendFault.BROKEN)
        with self._lock:
            self._shipment.wrote(*self._written())
            self._shipment.acknowledged(head, sum(len(line) + 1 for line in lines), self._clock())
        return 0.0 if head.seq < self._log.head.seq else _LOOK_SECONDS

    def _look(self, now: Instant) -> None:
        last_seq, all_bytes = self._written()
        self._shipment.wrote(last_seq, all_bytes)
        self._shipment.note(last_seq, now)

    def _written(self) -> tuple[int, int]:
        """Gives how far the log is, and how many bytes there were to ship up to there."""
        last_seq, written = self._log.durable
        return last_seq, self._left_bytes + written

    def _batch(self, shipped: Head) -> tuple[list[bytes], Head]:
        """Reads the next lines; raises NotTaken if one of them is no record, OSError if there are none."""
        first = max(shipped.seq + 1, self._log.first_seq)
        lines: list[bytes] = []
        size, head = 0, shipped
        for line in islice(self._log.read(first), _MAX_RECORDS):
            size += len(line)
            if lines and size > _MAX_BATCH:
                break
            record = read_line(line)
            if isinstance(record, Fault):
                raise NotTaken(SendFault.LOG_UNREADABLE)
            lines.append(line)
            head = record.head
        if not lines:
            raise NotTaken(SendFault.LOG_UNREADABLE)
        return lines, head

    def _fail(self, fault: SendFault) -> float:
        with self._lock:
            self._shipment.failed(fault.value, self._clock())
        return _LOOK_SECONDS

    def _measure(self) -> int:
        """Counts the bytes that an earlier agent left."""
        with suppress(OSError):
            first = max(self._shipment.shipped.seq + 1, self._log.first_seq)
            return sum(len(line) + 1 for line in self._log.read(first))
        return 0


def known_place(log: ShippedLog, cursor: Head) -> Head:
    """Gives where to go on: after the cursor if that is a record of this log, else at its beginning."""
    if cursor.seq > log.head.seq:
        return GENESIS
    try:
        line = next(log.read(max(cursor.seq, log.first_seq)), b"")
    except OSError:
        return GENESIS
    match read_line(line):
        case Record(digest=digest, seq=cursor.seq) if digest == cursor.digest:
            return cursor
        case Record(prev=prev, seq=seq) if seq == cursor.seq + 1 and prev == cursor.digest:
            return cursor
        case _:
            return GENESIS
