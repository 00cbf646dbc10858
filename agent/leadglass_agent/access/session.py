"""Opens, checks and ends sessions: a pure engine that is told the time and never asks for it."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType

from leadglass_agent.access.budget import CallBudget
from leadglass_agent.access.justification import judge_reason, judge_ticket
from leadglass_agent.errors import InvalidRequest, RateLimited, Refusal, SessionEnded, SessionLimit, SessionUnknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import SessionLimits, SpiffeId

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


@dataclass(frozen=True, slots=True)
class Session:
    """A bounded permission to look, bound to one identity and one key; lengths of time in nanoseconds."""

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

    @property
    def expires_unix_ns(self) -> int:
        """When it ends at the latest by the wall clock of its opening; for people to read."""
        return self.opened.unix_ns + self.expires_boot_ns - self.opened.boot_ns


class SessionBook:
    """All sessions of one agent; `new_id` gives url-safe ids of at least 128 random bits."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._open: dict[SessionId, Session] = {}
        self._ended: OrderedDict[SessionId, Session] = OrderedDict()
        self._unswept: list[Session] = []
        self._budget = CallBudget()

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
    ) -> Session:
        """Opens a session for at most the time asked for and the policy's; None asks for the longest.

        Raises ReasonRefused, TicketRefused, InvalidRequest, SessionLimit or RateLimited.
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
        session = Session(
            session_id=self._unused_id(),
            caller=spiffe_id,
            key_digest=key_digest,
            reason=reason,
            ticket=ticket,
            opened=now,
            expires_boot_ns=now.boot_ns + seconds * _SECOND_NS,
            idle_ns=limits.idle_minutes * 60 * _SECOND_NS,
            last_used=now,
            calls=0,
            state=SessionState.OPEN,
            limits=limits,
        )
        self._open[session.session_id] = session
        return session

    def use(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Counts one call; raises SessionUnknown, SessionEnded or RateLimited, and then keeps nothing awake."""
        session = self.show(session_id, spiffe_id, key_digest, now)
        if session.state is not SessionState.OPEN:
            raise SessionEnded(session.state)
        if not self._budget.spend(session.caller, session.limits.calls_per_minute, now.boot_ns):
            raise RateLimited
        used = replace(session, last_used=now, calls=session.calls + 1)
        self._open[session.session_id] = used
        return used

    def show(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Shows a session of this identity and key, ended ones too; any other is unknown, as one that never was."""
        key = SessionId(session_id)
        session = self._open.get(key) or self._ended.get(key)
        # An absent session costs a comparison too, so that time tells it from another's as little as the text does.
        owner = _binding(session.caller, session.key_digest) if session else b""
        if not hmac.compare_digest(owner, _binding(spiffe_id, key_digest)) or session is None:
            raise SessionUnknown
        return self._settled(session, now)

    def close(self, session_id: str, spiffe_id: SpiffeId, key_digest: str, now: Instant) -> Session:
        """Ends a session; one that has ended already stays as it ended."""
        session = self.show(session_id, spiffe_id, key_digest, now)
        return self._end(session, SessionState.CLOSED) if session.state is SessionState.OPEN else session

    def sweep(self, now: Instant) -> tuple[Session, ...]:
        """Returns the sessions that ended by time since the last sweep, each once."""
        self._end_all(now)
        swept, self._unswept = tuple(self._unswept), []
        return swept

    def _refuse_too_many(self, spiffe_id: SpiffeId, limits: SessionLimits) -> None:
        if len(self._open) >= MAX_OPEN:
            detail = f"the agent has {MAX_OPEN} open sessions"
            raise SessionLimit(detail)
        if len(self._unswept) >= MAX_UNSWEPT:
            # Forgetting an end would leave a hole in the audit; waiting for the sweep does not.
            detail = f"{MAX_UNSWEPT} ended sessions wait for the sweep"
            raise SessionLimit(detail)
        if sum(session.caller == spiffe_id for session in self._open.values()) >= limits.max_open:
            detail = f"the identity has {limits.max_open} open sessions"
            raise SessionLimit(detail)

    def _unused_id(self) -> SessionId:
        session_id = SessionId(self._new_id())
        if session_id in self._open or session_id in self._ended:
            detail = "the source of session ids repeats itself"
            raise Refusal(detail)
        return session_id

    def _end_all(self, now: Instant) -> None:
        for session in tuple(self._open.values()):
            self._settled(session, now)

    def _settled(self, session: Session, now: Instant) -> Session:
        """Ends the session if its time is over; which clock ended it does not depend on when somebody looks."""
        idle_end = session.last_used.boot_ns + session.idle_ns
        if session.state is not SessionState.OPEN or now.boot_ns < min(idle_end, session.expires_boot_ns):
            return session
        state = SessionState.EXPIRED if session.expires_boot_ns <= idle_end else SessionState.IDLE
        ended = self._end(session, state)
        self._unswept.append(ended)
        return ended

    def _end(self, session: Session, state: SessionState) -> Session:
        ended = replace(session, state=state)
        del self._open[session.session_id]
        self._ended[ended.session_id] = ended
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)
        return ended


def _binding(spiffe_id: SpiffeId, key_digest: str) -> bytes:
    return f"{spiffe_id}\0{key_digest}".encode(errors="surrogatepass")
