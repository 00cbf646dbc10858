"""Has the calls of sessions recorded, as they were asked and as they were answered, before anybody is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.session import SessionId
from leadglass_agent.recordings.records import Called, Ended, Replied
from leadglass_agent.recordings.standing_json import standing_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.api.methods import Method
    from leadglass_agent.api.trail import Trail
    from leadglass_agent.clock import Instant
    from leadglass_agent.errors import Refusal
    from leadglass_agent.recordings.recorder import Recorder

# What a reveal gives is for one person, once.
_REVEALED: Final = "REVEALED_VALUE"


@dataclass(frozen=True, slots=True)
class Taping:
    """The recorder of one agent, if there is one; every method raises AuditUnavailable if it cannot record."""

    recorder: Recorder | None
    clock: Callable[[], Instant]

    async def begin(self, trail: Trail) -> None:
        """Records that a stream begins."""
        session_id, method = _session_of(trail), trail.method
        if self.recorder is not None and session_id is not None and method is not None:
            await self.recorder.begin(session_id, _called(method, trail))
            trail.is_taped = True

    async def reply(self, trail: Trail, sealed: bytes) -> None:
        """Records one message of a stream, before it is sent."""
        session_id, method = _session_of(trail), trail.method
        if self.recorder is not None and session_id is not None and method is not None and trail.is_taped:
            await self.recorder.reply(session_id, _replied(method, trail, sealed, self.clock()))
            trail.replies += 1

    async def end(self, trail: Trail, sealed: bytes | None, refusal: Refusal | None) -> None:
        """Records how a call ended: with its one message, after the messages of its stream, or refused.

        The audit record then names the digest of what was recorded.
        """
        session_id, method = _session_of(trail), trail.method
        if self.recorder is None or session_id is None or method is None:
            return
        now = self.clock()
        replies = () if sealed is None else (_replied(method, trail, sealed, now),)
        # Of a call that is refused after its one message was recorded, nothing was sent.
        ended = _ended(trail, now, refusal, trail.replies if trail.is_taped else len(replies))
        if trail.is_taped:
            digest = await self.recorder.finish(session_id, ended)
        else:
            digest = await self.recorder.record(session_id, _called(method, trail), replies, ended)
        if digest:
            trail.add(recording=digest)


def _session_of(trail: Trail) -> SessionId | None:
    return None if trail.event.session_id is None else SessionId(trail.event.session_id)


def _called(method: Method, trail: Trail) -> Called:
    event = trail.event
    return Called(
        call_id=event.call_id or "",
        method=method.name,
        permission=method.needs.value,
        widens=tuple(permission.value for permission in method.widens),
        time_unix_ns=trail.started.unix_ns,
        policy_digest=trail.policy.digest,
        rules=event.rules,
        grants=event.grants,
        standing=None if trail.standing is None else standing_fields(trail.standing),
        request=trail.request,
    )


def _replied(method: Method, trail: Trail, sealed: bytes, now: Instant) -> Replied:
    return Replied(
        call_id=trail.event.call_id or "",
        number=trail.replies,
        time_unix_ns=now.unix_ns,
        withheld="" if method.records_replies else _REVEALED,
        message=sealed if method.records_replies else b"",
    )


def _ended(trail: Trail, now: Instant, refusal: Refusal | None, replies: int) -> Ended:
    event = trail.event
    return Ended(
        call_id=event.call_id or "",
        time_unix_ns=now.unix_ns,
        duration_us=(now.boot_ns - trail.started.boot_ns) // 1_000,
        refusal="" if refusal is None else refusal.reason.value,
        public="" if refusal is None else refusal.public,
        replies=replies,
        rows=event.rows or 0,
        masked=event.masked or 0,
    )
