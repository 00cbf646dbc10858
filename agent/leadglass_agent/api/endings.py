"""Writes how a call ended, before its caller learns it: the recording, the record, and the receipt of that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadglass_agent.api.peer import host_of
from leadglass_agent.audit.record import EventKind, Ruling
from leadglass_agent.errors import AuditUnavailable, KnownValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.access.refusals import RefusalLedger
    from leadglass_agent.api.audit_writer import AuditWriter, Recorded
    from leadglass_agent.api.peer import Peer
    from leadglass_agent.api.question import Ports
    from leadglass_agent.api.taping import Taping
    from leadglass_agent.api.trail import Trail
    from leadglass_agent.api.watch import Watch
    from leadglass_agent.clock import Instant
    from leadglass_agent.errors import Refusal


@dataclass(frozen=True, slots=True)
class Endings:
    """The audit log, the recordings, and the guard, which sees refusals as well."""

    ports: Ports
    watch: Watch
    taping: Taping
    audit: AuditWriter
    clock: Callable[[], Instant]
    refusals: RefusalLedger

    async def answered(self, trail: Trail, sealed: bytes | None, peer: Peer) -> None:
        """Records an answer, whose one message is `sealed`, or whose messages were recorded one by one.

        Raises AuditUnavailable, so that the answer does not leave.
        """
        await self.taping.end(trail, sealed, None)
        outcome = replace(
            trail.event,
            kind=EventKind.OUTCOME,
            decision=Ruling.ALLOW,
            duration_us=self._duration_us(trail),
        )
        _conclude(await self.audit.append(outcome), peer)
        trail.is_answered = True
        self.ports.count_decision(trail.event.permission, Ruling.ALLOW, None)

    async def refused(self, refusal: Refusal, trail: Trail, peer: Peer) -> None:
        """Records a refusal, or counts it within a flood; one that comes after an answer is not told to anybody.

        Raises AuditUnavailable in the refusal's place if the record cannot be written.
        """
        if trail.is_answered:
            return
        self.ports.count_decision(trail.event.permission, Ruling.DENY, refusal.reason)
        await self.watch.refused(trail, refusal.reason, self.clock())
        # An intent on disk always gets its answer there: its own rate, of session or method, bounds those.
        counted = trail.event.caller or host_of(trail.event.peer or "")
        if not trail.is_announced and not self.refusals.is_recorded(counted, self.clock()):
            return
        with suppress(AuditUnavailable):  # nothing is shown anyway, and the log must have its record
            await self.taping.end(trail, None, refusal)
        record = replace(
            trail.event,
            kind=EventKind.REFUSED,
            decision=Ruling.DENY,
            refusal=refusal.reason,
            severity=refusal.severity,
            detail=str(refusal),
            duration_us=self._duration_us(trail),
        )
        if isinstance(refusal, KnownValue):
            self.ports.count_withheld()
        _conclude(await self.audit.append(record), peer)

    def _duration_us(self, trail: Trail) -> int:
        return (self.clock().boot_ns - trail.started.boot_ns) // 1_000


def _conclude(recorded: Recorded, peer: Peer) -> None:
    """Gives the caller its receipt: proof of the record, whatever becomes of the log afterwards."""
    if recorded.receipt is not None:
        peer.conclude(recorded.receipt)
