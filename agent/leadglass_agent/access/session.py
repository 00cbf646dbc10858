"""Opens, checks and ends sessions: a pure engine that is told the time and never asks for it."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType

from leadglass_agent.access.budget import CallBudget
from leadglass_agent.access.justification import judge_reason, judge_ticket
from leadglass_agent.access.terms import NO_TERMS, UNBOUNDED
from leadglass_agent.errors import (
    Halted,
    InvalidRequest,
    RateLimited,
    Refusal,
    SessionEnded,
    SessionLimit,
    SessionUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.access.approvals import VerifiedGrant
    from leadglass_agent.access.terms import SessionTerms
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import Budget, SessionLimits, SpiffeId
    from leadglass_agent.policy.standing import Evidence
    from leadglass_agent.views.rows import ProcessRef

SessionId = NewType("SessionId", str)

MAX_OPEN: Final = 1000
MAX_REMEMBERED: Final = 1000
MAX_UNSWEPT: Final = 1000

_SECOND_NS: Final = 1_000_000_000


class SessionState(StrEnum):
    """Whether a session is open, or why it ended; the names are those of leadglass.v1.SessionState."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    EXPIRED = "EXPIRED"
    IDLE = "IDLE"
    ENDED_BY_ADMIN = "ENDED_BY_ADMIN"
    HALTED = "HALTED"
    REVOKED = "REVOKED"
    POLICY_TIGHTENED = "POLICY_TIGHTENED"
    GRANT_ENDED = "GRANT_ENDED"
    TARGET_GONE = "TARGET_GONE"


@dataclass(frozen=True, slots=True)
class Session:
    """A bounded permission to look, bound to one identity and one key; lengths of time in nanoseconds.

    `number` counts the sessions of this agent; `expiry_state` says how it ends if nothing ends it before its time.
    """

    session_id: SessionId
    caller: SpiffeId
    key_digest: str
    reason: str
    ticket: str
    opened: Instant
    expires_boot_ns: int
    idle_ns: int
    last_used: Instant
    calls: int
    state: SessionState
    limits: SessionLimits
    number: int
    expiry_state: SessionState = SessionState.EXPIRED
    grants: tuple[VerifiedGrant, ...] = ()
    evidence: Evidence | None = None
    target: ProcessRef | None = None
    peer_host: str = ""
    budget: Budget = UNBOUNDED

    @property
    def place(self) -> tuple[bool, int]:
        """Its place in a list: open ones first, then by the time of opening."""
        return self.state is not SessionState.OPEN, self.number

    @property
    def expires_unix_ns(self) -> int:
        """When it ends at the latest by the wall clock of its opening; for people to read."""
        return self.opened.unix_ns + self.expires_boot_ns - self.opened.boot_ns


def why_ended(session: Session) -> Refusal:
    """Gives the refusal for a call in a session that has ended: a halt is told as such."""
    return Halted(session.state) if session.state is SessionState.HALTED else SessionEnded(session.state)


def seconds_left(session: Session, now: Instant) -> int:
    """Tells after how many seconds, rounded down, the session ends if nobody calls; 0 if it has ended."""
    if session.state is not SessionState.OPEN:
        return 0
    return max(0, _end_boot_ns(session) - now.boot_ns) // _SECOND_NS


class SessionBook:
    """All sessions of one agent; `new_id` gives url-safe ids of at least 128 random bits."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._open: dict[SessionId, Session] = {}
        self._ended: OrderedDict[SessionId, Session] = OrderedDict()
        self._unswept: list[Session] = []
        self._budget = CallBudget()
        self._number = 0

    @property
    def open_count(self) -> int:
        """Number of sessions not known to have ended."""
        return len(self._open)

    def open(
        self,
        spiffe_id: SpiffeId,
        key_digest: str,
        reason: str,
        ticket: str,
        requested_seconds: int | None,
        limits: SessionLimits,
        now: Instant,
        *,
        terms: SessionTerms = NO_TERMS,
    ) -> Session:
        """Opens a session for at most the time asked for, the policy's and the last grant's; None asks for the longest.

        Raises ReasonRefused, TicketRefused, InvalidRequest, GrantRefused, SessionLimit or RateLimited.
        """
        self._end_all(now)
        if not self._budget.spend(spiffe_id, limits.calls_per_minute, now.boot_ns):
            raise RateLimited
        reason, ticket = judge_reason(reason, limits), judge_ticket(ticket, limits)
        if requested_seconds is not None and requested_seconds < 1:
            detail = "a session lasts at least a second"
            raise InvalidRequest(detail)
        self._refuse_too_many(spiffe_id, limits)
        seconds = min(limits.max_minutes * 60, requested_seconds or limits.max_minutes * 60)
        longest_boot_ns = now.boot_ns + seconds * _SECOND_NS
        expires_boot_ns = terms.end_boot_ns(longest_boot_ns, now)
        self._number += 1
        session = Session(
            session_id=self._unused_id(),
            caller=spiffe_id,
            key_digest=key_digest,
            reason=reason,
            ticket=ticket,
            opened=now,
            expires_boot_ns=expires_boot_ns,
            idle_ns=limits.idle_minutes * 60 * _SECOND_NS,
            last_used=now,
            calls=0,
            state=SessionState.OPEN,
            limits=limits,
            number=self._number,
            expiry_state=SessionState.EXPIRED if expires_boot_ns == longest_boot_ns else SessionState.GRANT_ENDED,
            grants=terms.grants,
            evidence=terms.evidence,
            target=terms.target,
            peer_host=terms.peer_host,
            budget=terms.budget,
        )
        self._open[session.session_id] = session
        return session

    def use(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Counts one call; raises SessionUnknown, SessionEnded, Halted or RateLimited, and then keeps nothing awake."""
        session = self.show(session_id, spiffe_id, key_digest, now)
        if session.state is not SessionState.OPEN:
            raise why_ended(session)
        if not self._budget.spend(session.caller, session.limits.calls_per_minute, now.boot_ns):
            raise RateLimited
        used = replace(session, last_used=now, calls=session.calls + 1)
        self._open[session.session_id] = used
        return used

    def show(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Shows a session of this identity and key, ended ones too; any other is unknown, as one that never was."""
        session = self._find(session_id)
        # An absent session costs a comparison too, so that time tells it from another's as little as the text does.
        owner = _binding(session.caller, session.key_digest) if session else b""
        if not hmac.compare_digest(owner, _binding(spiffe_id, key_digest)) or session is None:
            raise SessionUnknown
        return self._settled(session, now)

    def close(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Ends a session; one that has ended already stays as it ended."""
        session = self.show(session_id, spiffe_id, key_digest, now)
        return self._end(session, SessionState.CLOSED) if session.state is SessionState.OPEN else session

    def end(self, session_id: str, state: SessionState, now: Instant) -> Session:
        """Ends a session of anybody, for the sweep to report; one that has ended already stays as it ended.

        Raises SessionUnknown.
        """
        session = self._find(session_id)
        if session is None:
            raise SessionUnknown
        return self._ended_by_others(self._settled(session, now), state)

    def end_all_of(
        self, predicate: Callable[[Session], bool], state: SessionState, now: Instant
    ) -> tuple[Session, ...]:
        """Ends every open session that the predicate picks, for the sweep to report; returns them as they ended."""
        picked = tuple(session for session in self.open_sessions(now) if predicate(session))
        return tuple(self._ended_by_others(session, state) for session in picked)

    def open_sessions(self, now: Instant) -> tuple[Session, ...]:
        """Returns the sessions of all callers that are open now, by the time of opening."""
        self._end_all(now)
        return tuple(self._open.values())

    def page(
        self, after: tuple[bool, int] | None, limit: int, now: Instant, *, include_ended: bool
    ) -> tuple[Session, ...]:
        """Returns at most `limit` sessions of all callers behind the place `after`: open ones first, then by opening.

        A session that ends between two pages may stand on both, and on none never.
        """
        listed = self.open_sessions(now) + (tuple(self._ended.values()) if include_ended else ())
        behind = (session for session in listed if after is None or session.place > after)
        return tuple(sorted(behind, key=lambda session: session.place)[:limit])

    def sweep(self, now: Instant) -> tuple[Session, ...]:
        """Returns the sessions that time or others ended since the last sweep, each once."""
        self._end_all(now)
        swept, self._unswept = tuple(self._unswept), []
        return swept

    def _refuse_too_many(self, spiffe_id: SpiffeId, limits: SessionLimits) -> None:
        held = sum(session.caller == spiffe_id for session in self._open.values())
        faults = (
            (len(self._open) >= MAX_OPEN, f"the agent has {MAX_OPEN} open sessions"),
            # Forgetting an end would leave a hole in the audit; waiting for the sweep does not.
            (len(self._unswept) >= MAX_UNSWEPT, f"{MAX_UNSWEPT} ended sessions wait for the sweep"),
            (held >= limits.max_open, f"the identity has {limits.max_open} open sessions"),
        )
        if fault := next((detail for is_fault, detail in faults if is_fault), ""):
            raise SessionLimit(fault)

    def _find(self, session_id: str) -> Session | None:
        key = SessionId(session_id)
        return self._open.get(key) or self._ended.get(key)

    def _unused_id(self) -> SessionId:
        session_id = SessionId(self._new_id())
        if self._find(session_id) is not None:
            detail = "the source of session ids repeats itself"
            raise Refusal(detail)
        return session_id

    def _end_all(self, now: Instant) -> None:
        for session in tuple(self._open.values()):
            self._settled(session, now)

    def _settled(self, session: Session, now: Instant) -> Session:
        """Ends the session if its time is over; which clock ended it does not depend on when somebody looks."""
        idle_end = session.last_used.boot_ns + session.idle_ns
        if session.state is not SessionState.OPEN or now.boot_ns < _end_boot_ns(session):
            return session
        state = session.expiry_state if session.expires_boot_ns <= idle_end else SessionState.IDLE
        return self._ended_by_others(session, state)

    def _ended_by_others(self, session: Session, state: SessionState) -> Session:
        if session.state is not SessionState.OPEN:
            return session
        ended = self._end(session, state)
        self._unswept.append(ended)
        return ended

    def _end(self, session: Session, state: SessionState) -> Session:
        # What approvers signed with takes much room, and is of no use any more.
        grants = tuple(replace(verified, approvers=()) for verified in session.grants)
        ended = replace(session, state=state, grants=grants)
        del self._open[session.session_id]
        self._ended[ended.session_id] = ended
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)
        return ended


def _end_boot_ns(session: Session) -> int:
    return min(session.last_used.boot_ns + session.idle_ns, session.expires_boot_ns)


def _binding(spiffe_id: SpiffeId, key_digest: str) -> bytes:
    return f"{spiffe_id}\0{key_digest}".encode(errors="surrogatepass")
