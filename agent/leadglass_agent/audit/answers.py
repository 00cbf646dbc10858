"""Pairs each intent with the outcome or refusal of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from leadglass_agent.audit.chain import Record

# Calls under way at one moment. An agent has far fewer; beyond it the oldest counts as never answered.
_OPEN_CALLS: Final = 10_000


class Answers:
    """Counts the calls that a log leaves open, in bounded memory."""

    def __init__(self) -> None:
        self._open: dict[str, None] = {}  # in the order of the intents
        self._given_up = 0
        self.without_intent = 0

    def note(self, record: Record) -> None:
        """Takes the next record of the log."""
        if record.kind == EventKind.INTENT:
            self._given_up += record.call_id is None or record.call_id in self._open
            if record.call_id is not None:
                self._open[record.call_id] = None
            if len(self._open) > _OPEN_CALLS:
                self._open.pop(next(iter(self._open)))
                self._given_up += 1
        elif record.kind in {EventKind.OUTCOME, EventKind.REFUSED}:
            if record.call_id in self._open:
                del self._open[record.call_id]
            elif record.kind == EventKind.OUTCOME:
                self.without_intent += 1

    @property
    def unanswered(self) -> int:
        """Number of intents without an outcome or refusal so far."""
        return self._given_up + len(self._open)
