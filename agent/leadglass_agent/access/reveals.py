"""Keeps the book of reveals: who revealed which variable by which grant, how often a month, and who owes a review."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType, TypeAlias

import msgspec

from leadglass_agent.access.justification import judge_finding
from leadglass_agent.errors import Refusal, RevealRefused, ReviewOwed, ReviewUnknown
from leadglass_agent.policy.glob import matches_name
from leadglass_agent.policy.model import SpiffeId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import BreakGlass

RevealId = NewType("RevealId", str)

MONTH_SECONDS: Final = 30 * 24 * 60 * 60
MIN_APPROVALS: Final = 1
MIN_APPROVALS_WITHOUT_REVIEW: Final = 2
MAX_OWED: Final = 1_000
MAX_REMEMBERED: Final = 10_000
# For good: at one reveal an hour they last for eleven years, and then nothing more is revealed.
MAX_USED_GRANTS: Final = 100_000

_SECOND_NS: Final = 1_000_000_000
_DIGEST_BYTES: Final = 16
_ENTRY_GRANTS: Final = 1_000  # keeps a line of the journal below 64 KiB


@dataclass(frozen=True, slots=True)
class RevealAsked:
    """A variable that a caller wants to see, and the grant for it.

    `approvals` counts the grant's approvers who hold one of the roles that break-glass asks for, the caller never among
    them; `minutes` is how long the grant holds. `ticket` and `reason` are the session's, masked as the audit log's.
    """

    caller: SpiffeId
    grant_id: str
    name: str
    ticket: str
    reason: str
    approvals: int
    minutes: int
    approvers: tuple[SpiffeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What is owed after a reveal: somebody else looks at it and says what was found. Its id is the reveal's."""

    review_id: RevealId
    caller: SpiffeId
    name: str
    ticket: str
    reason: str
    reveal_unix_ns: int
    grant_id: str
    approvers: tuple[SpiffeId, ...] = ()


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="begun"):
    """A reveal that counts from here on, whatever happens next: for the journal, before anything is read."""

    reveal_id: RevealId
    caller: SpiffeId
    name: str
    ticket: str
    reason: str
    unix_ns: int
    grant_id: str
    is_review_owed: bool
    approvers: tuple[SpiffeId, ...] = ()


class Undone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="undone"):
    """A reveal that showed nothing: it neither counts nor owes, and its grant is as good as before."""

    reveal_id: RevealId


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="closed"):
    """A review that somebody else closed."""

    reveal_id: RevealId
    closer: SpiffeId
    finding: str
    unix_ns: int


class UsedGrants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="used_grants"):
    """Digests of grants that have revealed, whose reveals are too old to count otherwise."""

    digests: tuple[bytes, ...]


RevealEntry: TypeAlias = Begun | Undone | Closed | UsedGrants


@dataclass(frozen=True, slots=True)
class ClosedReview:
    """A review that was closed now, with what was found, and its entry for the journal."""

    review: Review
    entry: Closed


class RevealBook:
    """All reveals of one agent; `new_id` gives url-safe ids of at least 128 random bits.

    A reveal counts from `begin` on, before anything is read: a crash between the two never makes one more possible.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._reveals: OrderedDict[RevealId, Begun] = OrderedDict()
        self._owed: OrderedDict[RevealId, Review] = OrderedDict()
        self._used_grants: set[bytes] = set()
        self._unix_ns = 0

    def begin(self, asked: RevealAsked, break_glass: BreakGlass | None, now: Instant) -> Begun:
        """Counts a reveal and uses up its grant; returns the entry that must be durable before anything is read.

        Raises ReviewOwed or RevealRefused; None for `break_glass` is a policy without it.
        """
        unix_ns = self._later_unix_ns(now)
        self._drop_old()
        if any(review.caller == asked.caller for review in self._owed.values()):
            raise ReviewOwed
        fault = self._fault(asked, break_glass)
        if fault or break_glass is None:
            raise RevealRefused(fault)
        begun = Begun(
            reveal_id=self._unused_id(),
            caller=asked.caller,
            name=asked.name,
            ticket=asked.ticket,
            reason=asked.reason,
            unix_ns=unix_ns,
            grant_id=asked.grant_id,
            is_review_owed=break_glass.review_owed,
            approvers=asked.approvers,
        )
        self._add(begun)
        return begun

    def undo(self, reveal_id: RevealId) -> Undone:
        """Takes a reveal back that has shown nothing; returns its entry for the journal."""
        begun = self._reveals.pop(reveal_id, None)
        if begun is None:
            detail = "a reveal was taken back that was never begun"
            raise Refusal(detail)
        self._owed.pop(reveal_id, None)
        self._used_grants.discard(_digest(begun.caller, begun.grant_id))
        return Undone(reveal_id)

    def review_of(self, reveal_id: RevealId) -> Review | None:
        """Returns the review that is owed for a reveal, or None."""
        return self._owed.get(reveal_id)

    def owed(self) -> tuple[Review, ...]:
        """Returns the reviews that nobody has closed, the oldest first."""
        return tuple(self._owed.values())

    def close(self, review_id: str, closer: SpiffeId, finding: str, now: Instant) -> ClosedReview:
        """Closes a review; raises ReviewUnknown, for who revealed or approved as for an unknown one, or ReasonRefused.

        Else one other person would be enough for all of it.
        """
        key = RevealId(review_id)
        review = self._owed.get(key)
        if review is None or closer in (review.caller, *review.approvers):
            raise ReviewUnknown
        entry = Closed(key, closer, judge_finding(finding), self._later_unix_ns(now))
        del self._owed[key]
        return ClosedReview(review, entry)

    def reopen(self, closed: ClosedReview) -> None:
        """Takes the closing of a review back that could not be made durable: it is owed as before."""
        self._owed[closed.review.review_id] = closed.review

    def snapshot(self) -> tuple[RevealEntry, ...]:
        """Returns what must outlive a restart, in entries of bounded size."""
        kept = {_digest(begun.caller, begun.grant_id) for begun in self._reveals.values()}
        old = sorted(self._used_grants - kept)
        parts = (tuple(old[at : at + _ENTRY_GRANTS]) for at in range(0, len(old), _ENTRY_GRANTS))
        owing = (
            msgspec.structs.replace(begun, is_review_owed=begun.reveal_id in self._owed)
            for begun in self._reveals.values()
        )
        return (*map(UsedGrants, parts), *owing)

    def restore(self, entries: Iterable[RevealEntry]) -> None:
        """Takes back, in their order, what was written before a restart."""
        for entry in entries:
            match entry:
                case Begun():
                    self._add(entry)
                    self._unix_ns = max(self._unix_ns, entry.unix_ns)
                case Undone():
                    if entry.reveal_id in self._reveals:
                        self.undo(entry.reveal_id)
                case Closed():
                    self._owed.pop(entry.reveal_id, None)
                    self._unix_ns = max(self._unix_ns, entry.unix_ns)
                case UsedGrants():
                    self._used_grants.update(entry.digests)

    def _fault(self, asked: RevealAsked, break_glass: BreakGlass | None) -> str:
        if break_glass is None:
            return "the policy has no break-glass"
        month = sum(begun.caller == asked.caller for begun in self._reveals.values() if self._is_recent(begun))
        least = max(break_glass.approvals, MIN_APPROVALS if break_glass.review_owed else MIN_APPROVALS_WITHOUT_REVIEW)
        faults = (
            (not any(matches_name(glob, asked.name) for glob in break_glass.names), "break-glass does not cover it"),
            (asked.approvals < least, "too few approvers hold a role that break-glass asks for"),
            (not 0 < asked.minutes <= break_glass.max_minutes, "the grant holds for longer than break-glass allows"),
            (
                not asked.grant_id or _digest(asked.caller, asked.grant_id) in self._used_grants,
                "the grant has revealed already",
            ),
            (month >= break_glass.per_month, f"{month} reveals of this caller within 30 days"),
            (len(self._owed) >= MAX_OWED, f"{MAX_OWED} reviews are owed"),
            (len(self._reveals) >= MAX_REMEMBERED, f"{MAX_REMEMBERED} reveals within 30 days"),
            (len(self._used_grants) >= MAX_USED_GRANTS, f"{MAX_USED_GRANTS} grants have revealed"),
        )
        return next((fault for is_fault, fault in faults if is_fault), "")

    def _add(self, begun: Begun) -> None:
        self._reveals[begun.reveal_id] = begun
        self._used_grants.add(_digest(begun.caller, begun.grant_id))
        if begun.is_review_owed:
            self._owed[begun.reveal_id] = Review(
                review_id=begun.reveal_id,
                caller=begun.caller,
                name=begun.name,
                ticket=begun.ticket,
                reason=begun.reason,
                reveal_unix_ns=begun.unix_ns,
                grant_id=begun.grant_id,
                approvers=begun.approvers,
            )

    def _later_unix_ns(self, now: Instant) -> int:
        """Gives the wall clock, or where it stood before it was set back: the month must not begin anew."""
        self._unix_ns = max(self._unix_ns, now.unix_ns)
        return self._unix_ns

    def _drop_old(self) -> None:
        old = [key for key, begun in self._reveals.items() if key not in self._owed and not self._is_recent(begun)]
        for key in old:
            del self._reveals[key]

    def _is_recent(self, begun: Begun) -> bool:
        return begun.unix_ns > self._unix_ns - MONTH_SECONDS * _SECOND_NS

    def _unused_id(self) -> RevealId:
        reveal_id = RevealId(self._new_id())
        if reveal_id in self._reveals:
            detail = "the source of reveal ids repeats itself"
            raise Refusal(detail)
        return reveal_id


def _digest(caller: SpiffeId, grant_id: str) -> bytes:
    """Names a grant: ids are their requesters' choice, so that somebody may take another's."""
    return hashlib.sha256(f"{caller}\0{grant_id}".encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]
