"""Says when the log is due to sign its state: at a start, every 64 records, within 5 s of one that is not covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant

_RECORDS: Final = 64
_WAIT_NS: Final = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """Records that no checkpoint covers yet, and since when; `announced` once the log says which key signs."""

    uncovered: int = 0
    since_ns: int = 0
    announced: bool = False

    def is_due_with(self, events: Sequence[Event]) -> bool:
        """Says whether a checkpoint must follow the events in the same write.

        A start signs at once what it found: nobody can later put another history under it and have it signed.
        """
        if _is_start(events):
            return True
        return self.announced and self.uncovered + len(events) >= _RECORDS

    def is_due(self, now: Instant) -> bool:
        """Says whether the first uncovered record has waited long enough."""
        return self.announced and self.uncovered > 0 and now.boot_ns - self.since_ns >= _WAIT_NS

    @property
    def is_open(self) -> bool:
        """Whether a checkpoint would cover something new."""
        return self.announced and self.uncovered > 0

    def after(self, events: Sequence[Event], now: Instant, *, signed: bool) -> Coverage:
        """Returns the coverage once the events are durable, with or without a checkpoint after them."""
        announced = self.announced or _is_start(events)
        if signed:
            return Coverage(announced=announced)
        since = self.since_ns if self.uncovered else now.boot_ns
        return Coverage(self.uncovered + len(events), since, announced)


def _is_start(events: Sequence[Event]) -> bool:
    return any(event.kind is EventKind.AGENT_STARTED for event in events)
