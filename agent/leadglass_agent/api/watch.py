"""Tells the guard of every call before its reply leaves, and carries out what it decides."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.access.guard import Observation
from leadglass_agent.access.halt_reviews import HaltSeen
from leadglass_agent.access.session import SessionState
from leadglass_agent.api.peer import host_of
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable, Halted, Severity
from leadglass_agent.policy.model import Permission, SpiffeId

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.access.guard import Guard, Halt, HaltCause
    from leadglass_agent.access.halt_reviews import HaltReviews
    from leadglass_agent.access.session import Session, SessionBook
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.api.journal_writer import JournalWriter
    from leadglass_agent.api.trail import Trail
    from leadglass_agent.clock import Instant
    from leadglass_agent.errors import Reason

_PATHS = frozenset({"path", "paths"})


@dataclass(frozen=True, slots=True)
class Watch:
    """The guard with what it acts on: the sessions that it ends, the reviews that are owed then, log and counter."""

    guard: Guard
    sessions: SessionBook
    audit: AuditWriter
    count_halt: Callable[[HaltCause], None]
    reviews: HaltReviews
    journal: JournalWriter

    async def arrived(self, trail: Trail) -> None:
        """Records a caller, or a network of its, that this agent meets for the first time since its start."""
        event = trail.event
        novelties = self.guard.first_seen(SpiffeId(event.caller or ""), host_of(event.peer or ""))
        if novelties:
            await self.audit.append(
                Event(
                    kind=EventKind.FIRST_SEEN,
                    call_id=event.call_id,
                    caller=event.caller,
                    key_digest=event.key_digest,
                    peer=event.peer,
                    policy_digest=event.policy_digest,
                    facts=tuple((f"new_{novelty}", True) for novelty in novelties),
                )
            )

    async def answered(self, trail: Trail, missing_paths: tuple[str, ...], now: Instant) -> None:
        """Notes a call whose reply is ready; raises Halted in its place if that was one too many."""
        halt = await self._note(trail, None, missing_paths, now)
        # Another call of the same caller may have caused one while this was under way.
        halt = halt or self.guard.halted(SpiffeId(trail.event.caller or ""), now)
        if halt is not None:
            raise Halted(halt.cause)

    async def refused(self, trail: Trail, reason: Reason, now: Instant) -> None:
        """Notes a call that is refused anyway."""
        await self._note(trail, reason, (), now)

    async def _note(
        self, trail: Trail, refusal: Reason | None, missing_paths: tuple[str, ...], now: Instant
    ) -> Halt | None:
        event = trail.event
        if event.caller is None or event.key_digest is None:
            return None  # nobody proved to be anybody: there is no identity to halt
        observation = Observation(
            caller=SpiffeId(event.caller),
            key_digest=event.key_digest,
            session_id=event.session_id,
            host=host_of(event.peer or ""),
            permission=None if event.permission is None else Permission(event.permission),
            pid=event.target_pid or None,
            paths=tuple(value for name, value in event.arguments if name in _PATHS),
            missing_paths=missing_paths,
            refusal=refusal,
            noted_before=trail.is_noted,
        )
        trail.is_noted = True
        halt = self.guard.note(observation, trail.policy.guard, now)
        if halt is None:
            return None
        # Before the record: an abuser whose writes fill the disk is halted all the same.
        ended = self.sessions.end_all_of(lambda session: session.caller == halt.caller, SessionState.HALTED, now)
        self.count_halt(halt.cause)
        review_id = await self._owe_review(halt, ended, now)
        await self.audit.append(halt_event(halt, event, review_id, now))
        return halt

    async def _owe_review(self, halt: Halt, ended: tuple[Session, ...], now: Instant) -> str:
        """Notes that somebody has to look at the halt; gives the review's id, none if there are too many already."""
        session = next((one for one in ended if one.session_id == halt.session_id), None)
        owed = self.reviews.owe(
            HaltSeen(
                caller=halt.caller,
                cause=halt.cause.value,
                session_id=halt.session_id or "",
                ticket="" if session is None else self.audit.mask(session.ticket),
                reason="" if session is None else self.audit.mask(session.reason),
            ),
            now,
        )
        if owed is None:
            return ""
        # A disk that takes nothing keeps no halt from happening: the next thing that the journal writes is all of it.
        with suppress(AuditUnavailable):
            await self.journal.append((owed,))
        return owed.review_id


def halt_event(halt: Halt, call: Event, review_id: str, now: Instant) -> Event:
    """Gives the record of a halt: what was seen, how much is allowed, for how many seconds nothing more is."""
    return Event(
        kind=EventKind.HALTED,
        call_id=call.call_id,
        caller=halt.caller,
        key_digest=halt.key_digest,
        peer=call.peer,
        session_id=halt.session_id,
        permission=None if halt.permission is None else halt.permission.value,
        policy_digest=call.policy_digest,
        severity=Severity.CRITICAL,
        facts=(
            ("cause", halt.cause.value),
            ("seen", halt.seen),
            ("allowed", halt.allowed),
            ("seconds", (halt.until_boot_ns - now.boot_ns) // 1_000_000_000),
            ("review_owed", bool(review_id)),
            *((("review_id", review_id),) if review_id else ()),
        ),
    )
