"""Does each second what no call asks for: health, ends of sessions, floods, and what reloads or the clock take away."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from leadglass_agent import clock
from leadglass_agent.access.accounts import session_account
from leadglass_agent.access.guard import HaltCause
from leadglass_agent.access.session import SessionState
from leadglass_agent.api.access import session_event
from leadglass_agent.api.connections import Connections
from leadglass_agent.api.server import PROBE_BOUNDS
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import AuditUnavailable, Reason, Refusal, Severity
from leadglass_agent.policy.model import RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.policy.tightening import tightens
from leadglass_agent.processes.live import (
    DenyListReloaded,
    KeysReloaded,
    Part,
    PolicyReloaded,
    ReloadFailed,
    TlsReloaded,
)
from leadglass_agent.processes.memory import Rests
from leadglass_agent.processes.messages import AliveAnswer, AliveRequest
from leadglass_agent.processes.observer import Observer, foreign_event

if TYPE_CHECKING:
    from leadglass_agent.access.abuse import Abuse
    from leadglass_agent.access.approvals import PodFacts
    from leadglass_agent.access.disclosure import Disclosure
    from leadglass_agent.access.guard import Guard
    from leadglass_agent.access.halt_reviews import HaltReviews
    from leadglass_agent.access.refusals import Flood, RefusalLedger
    from leadglass_agent.access.reveals import RevealBook
    from leadglass_agent.access.session import Session, SessionBook
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.api.server import HealthServer
    from leadglass_agent.clock import Instant
    from leadglass_agent.processes.exports import Exports
    from leadglass_agent.processes.handshakes import FailedHandshakes, HandshakeLedger
    from leadglass_agent.processes.keeping import Keeping
    from leadglass_agent.processes.live import Change, Live
    from leadglass_agent.processes.notices import Interfered
    from leadglass_agent.processes.reader_client import ReaderClient
    from leadglass_agent.telemetry.providers import Telemetry

_TICK_SECONDS: Final = 1.0
_ALIVE_SECONDS: Final = 3.0
_SECOND_NS: Final = 1_000_000_000
# While the disk is full no more than this wait here; the book of sessions keeps the others, and opens no new ones.
_MAX_UNRECORDED: Final = 1_000
_SPIFFE: Final = "spiffe://"
# The agent itself asks after a process that a caller was allowed to name when the session was opened.
_ANY: Final = Scope(permits=(ScopeRule(rule_id=RuleId("upkeep")),))


@dataclass(slots=True)
class Upkeep:
    """The parts that need it, and the records that wait for a disk that takes them."""

    live: Live
    audit: AuditWriter
    sessions: SessionBook
    disclosure: Disclosure
    guard: Guard
    refusals: RefusalLedger
    handshakes: HandshakeLedger
    reader: ReaderClient
    health: HealthServer
    stop: asyncio.Event
    pod: PodFacts
    telemetry: Telemetry
    exports: Exports
    reveals: RevealBook
    halt_reviews: HaltReviews
    keeping: Keeping
    observer: Observer = field(default_factory=Observer)
    interference: asyncio.Event = field(default_factory=asyncio.Event)
    rests: Rests = field(default_factory=Rests)
    _probes: Connections = field(init=False)
    _unrecorded: deque[Event] = field(default_factory=deque)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Begins to watch the port for health."""
        self._probes = Connections(self.health.port, PROBE_BOUNDS, self.refusals.abuse, clock.now)

    async def look_now(self) -> None:
        """Sees how the agent's processes run: before it listens, to compare with later, and when a part has failed."""
        self.observer = Observer()
        await self._observe(clock.now())

    async def run(self) -> None:
        """Never returns."""
        while True:
            self._probes.look()
            serving = await self.audit.probe() and await self._reader_answers()
            await self.health.tell(serving=serving and not self.stop.is_set())
            now = clock.now()
            self._end_after_clock_jump(now)
            self._end_revoked(now)
            await self._end_without_target(now)
            await self._observe(now)
            await self._take_ended(now)
            open_sessions = self.sessions.open_sessions(now)
            accounts = (session_account(session.session_id, session.budget) for session in open_sessions)
            self.disclosure.retain(frozenset(account.key for account in accounts), now)
            self.disclosure.prune(now.unix_ns // _SECOND_NS)
            self._unrecorded.extend(self.exports.take_events())
            await self._write()
            with suppress(AuditUnavailable):
                await self.audit.tick(now)
            await self.keeping.run(now)
            self.exports.tell(
                self.live,
                now,
                sessions_open=len(open_sessions),
                audit_waiting=self.audit.records_waiting,
                reviews_owed=len(self.reveals.owed()) + len(self.halt_reviews.owed()),
            )
            self.rests.take(time.monotonic_ns())
            await asyncio.sleep(_TICK_SECONDS)

    async def reloaded(self, change: Change) -> None:
        """Records a change of what is in force, and ends the sessions from which it takes something."""
        now = clock.now()
        self.telemetry.metrics.count_reload(_part(change), failed=isinstance(change, ReloadFailed))
        self._unrecorded.append(_reload_event(change, self.live))
        if isinstance(change, PolicyReloaded):
            old, new = change.old, change.new
            self.sessions.end_all_of(
                lambda session: tightens(old, new, session.caller), SessionState.POLICY_TIGHTENED, now
            )
        self._end_revoked(now)
        await self._take_ended(now)
        await self._write()

    def interfered(self, what: Interfered) -> None:
        """Has it recorded that somebody interfered, and the agent ended; told once, whatever else follows."""
        if self.interference.is_set():
            return
        facts = (("cause", what.cause.value), ("role", what.role.value), ("by_pid", what.by_pid))
        self._unrecorded.append(Event(kind=EventKind.INTERFERENCE, severity=Severity.CRITICAL, facts=facts))
        self.interference.set()

    async def write_waiting(self) -> None:
        """Writes what waits, after what is being written."""
        await self._write()

    def take_unrecorded(self) -> tuple[Event, ...]:
        """Takes what waits to be recorded; for the end, after `run`."""
        events = (*self._unrecorded, *(abuse_event(abuse) for abuse in self.refusals.abuse.close()))
        self._unrecorded.clear()
        return events

    def _end_after_clock_jump(self, now: Instant) -> None:
        """Ends all sessions: grants and certificates hold by the wall clock, and nobody knows which time is right."""
        seconds = self.guard.clock_jumped(now)
        if not seconds:
            return
        ended = self.sessions.end_all_of(lambda _: True, SessionState.HALTED, now)
        self.telemetry.metrics.count_halt(HaltCause.CLOCK_JUMP)
        self._unrecorded.append(Event(kind=EventKind.CLOCK_JUMPED, facts=(("seconds", seconds),)))
        self._unrecorded.append(
            Event(
                kind=EventKind.HALTED,
                policy_digest=self.live.policy.digest,
                severity=Severity.CRITICAL,
                facts=(("cause", HaltCause.CLOCK_JUMP.value), ("seconds", seconds), ("sessions", len(ended))),
            )
        )

    def _end_revoked(self, now: Instant) -> None:
        """Ends sessions whose caller, key or grants were revoked; a call in one would be refused anyway."""
        denies, trust = self.live.deny_list.denies, self.live.trust
        self.sessions.end_all_of(
            lambda session: denies(session.caller) or denies(session.key_digest), SessionState.REVOKED, now
        )
        now_unix = now.unix_ns / _SECOND_NS

        def is_without_grant(session: Session) -> bool:
            return bool(session.grants) and not any(
                verified.still_holds(now_unix, self.live.policy, trust, denies) for verified in session.grants
            )

        self.sessions.end_all_of(is_without_grant, SessionState.GRANT_ENDED, now)

    async def _end_without_target(self, now: Instant) -> None:
        bound = {session.target for session in self.sessions.open_sessions(now) if session.target is not None}
        if not bound:
            return
        asked = tuple(sorted(bound, key=lambda ref: (ref.pid, ref.start_ticks)))
        try:
            answer = await self.reader.ask(
                lambda number, deadline_ns: AliveRequest(number, deadline_ns, asked, _ANY), _ALIVE_SECONDS
            )
        except Refusal:
            return  # it cannot say; nothing can be read from it meanwhile either
        if isinstance(answer, AliveAnswer):
            gone = bound.difference(answer.alive)
            self.sessions.end_all_of(lambda session: session.target in gone, SessionState.TARGET_GONE, clock.now())

    async def _observe(self, now: Instant) -> None:
        # What nobody can record now is looked for later: most of it still runs then.
        observed = await self.observer.observe(self.reader, now, foreign=len(self._unrecorded) < _MAX_UNRECORDED)
        for what in observed.interference:
            self.interfered(what)
        self._unrecorded.extend(foreign_event(one) for one in observed.foreign)

    async def _take_ended(self, now: Instant) -> None:
        if len(self._unrecorded) >= _MAX_UNRECORDED:
            return
        ended = tuple(self.sessions.sweep(now))
        # Their records first: these wait for no disk of recordings.
        self._unrecorded.extend(
            session_event(EventKind.SESSION_ENDED, session, self.live.policy.digest) for session in ended
        )
        await self.keeping.end_recordings(ended, now)

    async def _write(self) -> None:
        if not self._unrecorded:  # else they go on being counted where they are, however long the disk is full
            now = clock.now()
            self._unrecorded.extend(flood_event(flood) for flood in self.refusals.summaries(now))
            self._unrecorded.extend(abuse_event(abuse) for abuse in self.refusals.abuse.due(now))
            if failed := self.handshakes.due(now.boot_ns):
                self._unrecorded.append(handshakes_event(failed))
        # Whoever is cancelled meanwhile leaves it to be done: half of it would be recorded twice.
        await asyncio.shield(self._write_all())

    async def _write_all(self) -> None:
        # A reload and the tick both come here: each record is written once, and in order.
        async with self._writing:
            with suppress(AuditUnavailable):
                while self._unrecorded:
                    await self.audit.append(self._unrecorded[0])
                    self._unrecorded.popleft()

    async def _reader_answers(self) -> bool:
        """Asks the reader for a sign of life: without it no view can be had."""
        try:
            # The cheapest question that there is: whether none of no processes has ended.
            await self.reader.ask(
                lambda number, deadline_ns: AliveRequest(number, deadline_ns, (), _ANY), _ALIVE_SECONDS
            )
        except Refusal:
            return False
        return True


def flood_event(flood: Flood) -> Event:
    """Gives the one record that stands for refusals which were counted."""
    return Event(
        kind=EventKind.REFUSED,
        caller=flood.caller,
        decision=Ruling.DENY,
        refusal=Reason.RATE_LIMITED,
        detail="refused calls that were counted and not recorded one by one",
        facts=(("calls", flood.calls), ("since_boot_ns", flood.since_boot_ns)),
    )


def abuse_event(abuse: Abuse) -> Event:
    """Gives the one record that stands for connections which were closed."""
    counts = tuple((cause.value, count) for cause, count in abuse.connections)
    facts = (*counts, ("since_boot_ns", abuse.since_boot_ns))
    if abuse.source.startswith(_SPIFFE):
        return Event(kind=EventKind.TRANSPORT_ABUSE, caller=abuse.source, facts=facts)
    return Event(kind=EventKind.TRANSPORT_ABUSE, facts=(("source", abuse.source), *facts))


def handshakes_event(failed: FailedHandshakes) -> Event:
    """Gives the one record that stands for handshakes that failed; nobody knows who the callers were."""
    counts = tuple((fault.value, count) for fault, count in failed.faults)
    return Event(kind=EventKind.HANDSHAKES_FAILED, facts=(*counts, ("since_boot_ns", failed.since_boot_ns)))


def _part(change: Change) -> Part:
    match change:
        case TlsReloaded():
            return Part.TLS
        case PolicyReloaded():
            return Part.POLICY
        case DenyListReloaded():
            return Part.DENY_LIST
        case KeysReloaded():
            return Part.JWKS
        case ReloadFailed(part=part):
            return part
        case _:
            assert_never(change)


def _reload_event(change: Change, live: Live) -> Event:
    """Gives the record of a reload: what is in force now, or why the old still is."""
    part = _part(change)
    if isinstance(change, ReloadFailed):
        return Event(
            kind=EventKind.RELOAD_FAILED,
            policy_digest=live.policy.digest,
            severity=Severity.CRITICAL,
            detail=change.detail,
            facts=(("part", part.value),),
        )
    return Event(
        kind=EventKind.RELOADED,
        policy_digest=live.policy.digest,
        facts=(("part", part.value), ("old_digest", change.old.digest), ("new_digest", change.new.digest)),
    )
