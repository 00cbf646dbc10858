"""Keeps the reviews that halts leave behind: whose session was halted, why, and who looked at it afterwards."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType, TypeAlias

import msgspec

from leadglass_agent.access.justification import judge_finding
from leadglass_agent.errors import Refusal, ReviewUnknown
from leadglass_agent.policy.model import SpiffeId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from leadglass_agent.clock import Instant

HaltReviewId = NewType("HaltReviewId", str)

# Nobody reads more; a halt beyond it has its record and happens all the same, and nothing older gives way to it.
MAX_OWED: Final = 1_000


class HaltOwed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="halt_owed"):
    """A halt that somebody else has to look at; `ticket` and `reason` are the session's, masked as the audit log's."""

    review_id: HaltReviewId
    caller: SpiffeId
    cause: str
    session_id: str
    ticket: str
    reason: str
    unix_ns: int


class HaltReviewed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="halt_reviewed"):
    """A review of a halt that somebody else closed."""

    review_id: HaltReviewId
    closer: SpiffeId
    finding: str
    unix_ns: int


HaltEntry: TypeAlias = HaltOwed | HaltReviewed


@dataclass(frozen=True, slots=True)
class HaltSeen:
    """A halt of an identity, and the session in which it happened; empty texts if it happened in none."""

    caller: SpiffeId
    cause: str
    session_id: str = ""
    ticket: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClosedHaltReview:
    """A review that was closed now, and its entry for the journal."""

    review: HaltOwed
    entry: HaltReviewed


class HaltReviews:
    """All owed reviews of halts of one agent; `new_id` gives url-safe ids of at least 128 random bits."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._owed: OrderedDict[HaltReviewId, HaltOwed] = OrderedDict()

    def owe(self, halt: HaltSeen, now: Instant) -> HaltOwed | None:
        """Notes that a halt owes a review; returns its entry for the journal, None if there is no room for one more."""
        if len(self._owed) >= MAX_OWED:
            return None
        owed = HaltOwed(
            review_id=self._unused_id(),
            caller=halt.caller,
            cause=halt.cause,
            session_id=halt.session_id,
            ticket=halt.ticket,
            reason=halt.reason,
            unix_ns=now.unix_ns,
        )
        self._owed[owed.review_id] = owed
        return owed

    def owed(self) -> tuple[HaltOwed, ...]:
        """Returns the reviews that nobody has closed, the oldest first."""
        return tuple(self._owed.values())

    def holds(self, review_id: str) -> bool:
        """Says whether a review of this id is owed here."""
        return HaltReviewId(review_id) in self._owed

    def close(self, review_id: str, closer: SpiffeId, finding: str, now: Instant) -> ClosedHaltReview:
        """Closes a review; raises ReviewUnknown, for who was halted as for an unknown one, or ReasonRefused."""
        key = HaltReviewId(review_id)
        review = self._owed.get(key)
        if review is None or closer == review.caller:
            raise ReviewUnknown
        entry = HaltReviewed(key, closer, judge_finding(finding), now.unix_ns)
        del self._owed[key]
        return ClosedHaltReview(review, entry)

    def reopen(self, closed: ClosedHaltReview) -> None:
        """Takes the closing of a review back that could not be made durable: it is owed as before."""
        self._owed[closed.review.review_id] = closed.review

    def snapshot(self) -> tuple[HaltEntry, ...]:
        """Returns what must outlive a restart."""
        return self.owed()

    def restore(self, entries: Iterable[HaltEntry]) -> None:
        """Takes back, in their order, what was written before a restart."""
        for entry in entries:
            match entry:
                case HaltOwed():
                    if len(self._owed) < MAX_OWED:
                        self._owed[entry.review_id] = entry
                case HaltReviewed():
                    self._owed.pop(entry.review_id, None)

    def _unused_id(self) -> HaltReviewId:
        review_id = HaltReviewId(self._new_id())
        if review_id in self._owed:
            detail = "the source of review ids repeats itself"
            raise Refusal(detail)
        return review_id
