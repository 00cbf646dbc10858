"""Decides what a sink of the audit log still lacks, when to try again, and whether calls may go on without it.

The log itself is the spool: what the sink has not acknowledged stays in it, so nothing is lost while the sink is down.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import Severity

if TYPE_CHECKING:
    from leadglass_agent.audit.chain import Head
    from leadglass_agent.clock import Instant

_SECOND_NS: Final = 1_000_000_000
# A sink that has acknowledged nothing for this long while records wait is down.
DOWN_NS: Final = 10 * _SECOND_NS
_FIRST_PAUSE_NS: Final = _SECOND_NS // 2
_LAST_PAUSE_NS: Final = 8 * _SECOND_NS
_MAX_EVENTS: Final = 16  # that wait for a log that cannot be written; an outage makes two


class WhenDown(StrEnum):
    """What happens while the sink takes nothing."""

    REFUSE = "refuse"
    SPOOL = "spool"


@dataclass(frozen=True, slots=True)
class SinkTerms:
    """What the configuration says; `spool_bytes` is how much may wait under `spool`."""

    when_down: WhenDown
    spool_bytes: int


class Shipment:
    """How far one sink is; told of every attempt, and of what the log holds. For one thread at a time."""

    def __init__(self, shipped: Head, last_seq: int, terms: SinkTerms, now: Instant) -> None:
        """Starts behind a log that ends at `last_seq`; what an earlier agent left unshipped has waited long enough."""
        self.shipped = shipped
        self.last_seq = last_seq
        self._terms = terms
        self._waiting_since_ns: int | None = now.boot_ns - DOWN_NS if last_seq > shipped.seq else None
        self._all_bytes = 0
        self._taken_bytes = 0
        self._next_try_ns = now.boot_ns
        self._pause_ns = _FIRST_PAUSE_NS
        self._cause = ""
        self._down_since_ns: int | None = None
        # Until an attempt ended or hung for long: what an earlier agent left is no outage of this one.
        self._is_fresh = True
        self._began_ns = now.boot_ns
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)

    @property
    def unshipped(self) -> int:
        """Records that the sink does not have."""
        return max(0, self.last_seq - self.shipped.seq)

    def wait_ns(self, now: Instant) -> int:
        """Gives how long to wait before the next attempt."""
        return max(0, self._next_try_ns - now.boot_ns)

    def note(self, last_seq: int, now: Instant) -> None:
        """Takes what the log holds now; notices an outage by the time alone, should an attempt hang."""
        self.last_seq = max(self.last_seq, last_seq)
        if self.last_seq > self.shipped.seq and self._waiting_since_ns is None:
            self._waiting_since_ns = now.boot_ns
        is_fresh = self._is_fresh and now.boot_ns - self._began_ns < DOWN_NS
        if self._is_stalled(now) and self._down_since_ns is None and not is_fresh:
            self._down_since_ns = self._waiting_since_ns
            self._events.append(
                Event(
                    kind=EventKind.SINK_DOWN,
                    severity=Severity.CRITICAL,
                    facts=(
                        ("cause", self._cause or "TIMED_OUT"),
                        ("when_down", self._terms.when_down.value),
                        ("first_unshipped_seq", self.shipped.seq + 1),
                        ("unshipped_records", self.unshipped),
                    ),
                )
            )

    def acknowledged(self, shipped: Head, sent_bytes: int, now: Instant) -> None:
        """Takes that the sink has all records up to `shipped`, which were `sent_bytes` long."""
        self.shipped = shipped
        # With nothing left it is exact again, should records have got lost on disk before they were sent.
        self._taken_bytes = self._taken_bytes + sent_bytes if self.unshipped else self._all_bytes
        self._waiting_since_ns = now.boot_ns if self.unshipped else None
        self._next_try_ns, self._pause_ns = now.boot_ns, _FIRST_PAUSE_NS
        self._is_fresh = False
        if self._down_since_ns is not None:
            seconds = (now.boot_ns - self._down_since_ns) // _SECOND_NS
            facts = (("cause", self._cause), ("seconds", seconds), ("unshipped_records", self.unshipped))
            self._events.append(Event(kind=EventKind.SINK_RECOVERED, facts=facts))
            self._down_since_ns = None
        self._cause = ""

    def failed(self, cause: str, now: Instant) -> None:
        """Takes that an attempt failed; the next one waits twice as long, up to eight seconds."""
        self._cause = cause
        self._is_fresh = False
        self._next_try_ns = now.boot_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, _LAST_PAUSE_NS)
        self.note(self.last_seq, now)

    def wrote(self, last_seq: int, all_bytes: int) -> None:
        """Takes how far the log is, and how many bytes there ever were to ship up to there."""
        self.last_seq = max(self.last_seq, last_seq)
        self._all_bytes = all_bytes

    def fault(self, now: Instant) -> str:
        """Says why calls must be refused; empty if they may go on."""
        match self._terms.when_down:
            case WhenDown.REFUSE if self._is_stalled(now):
                return "the audit sink has taken nothing for 10 s, and the configuration says to refuse"
            case WhenDown.SPOOL if self._all_bytes - self._taken_bytes > self._terms.spool_bytes:
                return "the audit sink lacks more records than the configuration lets wait"
        return ""

    def take_events(self) -> tuple[Event, ...]:
        """Takes what is to be recorded of the sink."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def _is_stalled(self, now: Instant) -> bool:
        return self._waiting_since_ns is not None and now.boot_ns - self._waiting_since_ns >= DOWN_NS
