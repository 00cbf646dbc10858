"""The path of every call, in eight numbered steps; nothing reaches a view around it.

A reviewer holds this file against the threat model: each step is one call to one module, and whatever goes wrong in it
ends in a Refusal, whose fixed public text is all that the caller reads.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from leadglass_agent.access.budget import CallBudget
from leadglass_agent.api import known_values
from leadglass_agent.api.endings import Endings
from leadglass_agent.api.headers import headers_of
from leadglass_agent.api.places import call_places, stream_places
from leadglass_agent.api.question import Call, LiveCall, Ports, Question, Reply, StreamQuestion
from leadglass_agent.api.trail import Trail
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import (
    AuditUnavailable,
    InternalError,
    MethodUnknown,
    RateLimited,
    Reason,
    Refusal,
    SessionMissing,
    TimedOut,
)

if TYPE_CHECKING:
    from leadglass_agent.access.refusals import RefusalLedger
    from leadglass_agent.access.session import Session
    from leadglass_agent.api.admission import Admission
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.api.disclosing import Disclosing
    from leadglass_agent.api.methods import Method
    from leadglass_agent.api.peer import Peer
    from leadglass_agent.api.taping import Taping
    from leadglass_agent.api.watch import Watch
    from leadglass_agent.clock import Instant
    from leadglass_agent.identity import Caller

_UNKNOWN_METHOD_SECONDS = 1.0
_CALLS_OUTSIDE_A_MINUTE = 600
_RECHECK_SECONDS = 1.0
_UNREAD_SECONDS = 30.0  # a caller that takes no message for this long is gone, or wants to hold a place

Receive: TypeAlias = Callable[[], Awaitable[bytes]]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Controls:
    """What the gate asks on the way: may this caller, is it abuse, how much may be disclosed; and what records it."""

    admission: Admission
    watch: Watch
    disclosing: Disclosing
    taping: Taping


class Gate:
    """Answers calls: (method, request bytes to come, peer) → reply bytes, or raises a Refusal that is audited already.

    The request is received within the call's deadline: a caller who sends headers alone must not keep a place for ever.
    """

    def __init__(
        self,
        *,
        ports: Ports,
        controls: Controls,
        audit: AuditWriter,
        clock: Callable[[], Instant],
        refusals: RefusalLedger,
    ) -> None:
        self._ports = ports
        self._admission = controls.admission
        self._watch = controls.watch
        self._disclosing = controls.disclosing
        self._taping = controls.taping
        self._audit = audit
        self._clock = clock
        self.refusals: Final = refusals
        self._endings = Endings(
            ports=ports,
            watch=controls.watch,
            taping=controls.taping,
            audit=audit,
            clock=clock,
            refusals=refusals,
        )
        self._outside = CallBudget()
        self._calls = call_places()
        self._streams = stream_places()

    async def answer(self, name: str, method: Method | None, receive: Receive, peer: Peer) -> bytes:
        """Answers one call; every end of it, wanted or not, is in the audit log before the caller sees it.

        Of a flood of refusals the log holds the first ones and a count of the rest.
        """
        return await self._recorded(name, method, peer, lambda trail: self._steps(method, receive, peer, trail))

    async def relay(self, name: str, method: Method, receive: Receive, send: Send, peer: Peer) -> None:
        """Answers one call with a stream of messages, each sent when the caller took the one before.

        Identity, session and policy are asked again each second; the first no ends the stream.
        """
        await self._recorded(name, method, peer, lambda trail: self._stream(method, receive, send, peer, trail))

    async def _recorded(
        self, name: str, method: Method | None, peer: Peer, run: Callable[[Trail], Awaitable[_Result]]
    ) -> _Result:
        """Runs the steps of a call within its time, and records the refusal that they end in."""
        call_id = secrets.token_hex(8)
        policy = self._admission.live.policy
        trail = Trail(
            Event(
                kind=EventKind.INTENT,
                call_id=call_id,
                method=name,
                peer=peer.address,
                tls_version=peer.tls_version,
                tls_group=peer.tls_group,
                policy_digest=policy.digest,
            ),
            policy,
            method,
            self._clock(),
        )
        try:
            with trail.held:
                async with asyncio.timeout(_seconds(method, peer)):
                    return await run(trail)
        except Refusal as error:
            # What the reader did not foresee comes as a refusal too, and has no id of this call yet.
            refusal = InternalError(str(error), error_id=call_id) if error.reason is Reason.INTERNAL else error
        except TimeoutError:
            refusal = TimedOut("the call's deadline passed")
        except asyncio.CancelledError:
            await asyncio.shield(self._endings.refused(TimedOut("the caller went away"), trail, peer))
            raise
        except Exception as error:  # noqa: BLE001 - the one place where the unforeseen ends; its text may hold values
            refusal = InternalError(type(error).__name__, error_id=call_id)
        await self._endings.refused(refusal, trail, peer)
        raise refusal

    async def _steps(self, method: Method | None, receive: Receive, peer: Peer, trail: Trail) -> bytes:
        """Takes the eight steps; the trail keeps what is known for the record of a refusal."""
        # 1 to 5
        call, question = await self._enter(method, receive, peer, trail)
        if method is None or not isinstance(question, Question):
            raise MethodUnknown
        finishing = self._finish(question, call, trail, peer)
        return await (_to_its_end(finishing) if method.changes else finishing)

    async def _finish(self, question: Question, call: Call, trail: Trail, peer: Peer) -> bytes:
        """Takes the last three steps, of a call that one message answers."""
        self._disclosing.refuse_spent(call)

        # 6 view: bounded rows from the reader or a file worker, or the session book
        reply = await question.answer(self._ports, call)

        # 7 redaction: the rows were made of Clean text in the process that read them; from here on there are only bytes
        #   and the barrier, which knows the pod's own secrets, looks through these bytes
        sealed = await self._seal(reply, call, trail)

        # 8 outcome: abuse is halted, what is disclosed is counted and recorded, its record is on disk before the reply
        #   leaves
        await self._watch.answered(trail, reply.missing_paths, self._clock())
        if call.session is not None:  # it may have been ended while the view was made
            self._admission.still_open(call.session, call.caller, self._clock())
        await self._disclosing.spend(call, reply, len(sealed), is_first=True)
        for event in reply.events:
            await call.record(event)
        self._count(trail, reply, sealed)
        await self._endings.answered(trail, sealed, peer)
        return sealed

    async def _enter(
        self, method: Method | None, receive: Receive, peer: Peer, trail: Trail
    ) -> tuple[Call, Question | StreamQuestion]:
        """Takes the first five steps, after which something may be read."""
        started = trail.started
        # 1 identity: exactly one SPIFFE id, TLS 1.3, not resumed, not expired, not revoked, not halted; on every call
        caller = self._admission.caller(peer, started)
        trail.add(caller=caller.spiffe_id, key_digest=caller.key_digest, certificate_serial=caller.serial)
        self._admission.refuse_halted(caller, started)
        trail.held.enter_context(self._calls.taken(caller.spiffe_id))
        await self._watch.arrived(trail)

        # 2 method: its row, and a request within its bounds
        if method is None:
            raise MethodUnknown
        trail.add(permission=method.needs.value)
        trail.request = await receive()
        # One policy for the rest of the call. Not before: a caller who sends its request late must not choose which.
        trail.decide_by(self._admission.live.policy)
        question = method.question(trail.request)
        trail.add(arguments=question.arguments)
        if question.target is not None:
            trail.add(target_pid=question.target.pid, target_start_ticks=question.target.start_ticks)

        # 3 session: open, of this key, within its times and its rate
        session = self._session(method, peer, caller, started)
        if session is not None:
            trail.add(session_id=session.session_id, ticket=session.ticket)

        # 4 policy: no rule = no
        trail.standing = self._admission.standing(caller, session, trail.policy, started)
        permit = self._admission.permit(trail.policy, method, caller, trail.standing)
        trail.add(rules=tuple(str(rule) for rule in permit.allow.rules), grants=permit.grants)

        # 5 intent: on disk before anything is read, and elsewhere if the configuration asks for that
        self._ports.check_sink()
        trail.is_announced = True
        await self._audit.append(trail.event)
        call = Call(
            caller=caller,
            session=session,
            policy=trail.policy,
            scope=permit.allow.scope,
            widened=permit.widened,
            now=started,
            seconds=method.deadline_seconds,
            record=partial(self._record, trail),
            grants=permit.grants,
        )
        await peer.announce(headers_of(call))
        return call, question

    async def _stream(self, method: Method, receive: Receive, send: Send, peer: Peer, trail: Trail) -> None:
        """Takes steps 1 to 5 once, 6 and 7 for each message, 8 before the last one; 1, 3 and 4 again each second."""
        call, question = await self._enter(method, receive, peer, trail)
        if not isinstance(question, StreamQuestion):
            raise MethodUnknown
        live = LiveCall(call, _seconds(method, peer))
        await self._watch.answered(trail, (), trail.started)
        self._disclosing.refuse_spent(call)
        await self._taping.begin(trail)
        with self._streams.taken(call.caller.spiffe_id):
            pumping = asyncio.create_task(self._pump(question, live, send, trail, peer))
            holding = asyncio.create_task(self._hold(method, peer, live, trail))
            try:
                await asyncio.wait((pumping, holding), return_when=asyncio.FIRST_COMPLETED)
                # A no that came at the same moment as the end goes first.
                (holding if holding.done() else pumping).result()
            except asyncio.CancelledError:
                # Going away is how a caller ends a stream that follows a file: what it saw until then is its outcome.
                if not trail.is_answered:
                    trail.is_answered = True
                    trail.add(detail="the caller, or its deadline, ended the stream")
                    await asyncio.shield(self._endings.answered(trail, None, peer))
                raise
            finally:
                for task in (pumping, holding):
                    task.cancel()
                await asyncio.gather(pumping, holding, return_exceptions=True)

    async def _pump(self, question: StreamQuestion, live: LiveCall, send: Send, trail: Trail, peer: Peer) -> None:
        """Sends message after message; the next one is read when the one before has been taken."""
        async with aclosing(question.answers(self._ports, live)) as replies:
            async for reply in replies:
                sealed = await self._seal(reply, live.call, trail)
                if reply.missing_paths:
                    await self._watch.answered(trail, reply.missing_paths, self._clock())
                await self._disclosing.spend(live.call, reply, len(sealed), is_first=trail.event.rows is None)
                self._count(trail, reply, sealed)
                await self._taping.reply(trail, sealed)
                if reply.is_last:
                    await self._endings.answered(trail, None, peer)
                async with asyncio.timeout(_UNREAD_SECONDS):
                    await send(sealed)

    async def _hold(self, method: Method, peer: Peer, live: LiveCall, trail: Trail) -> None:
        """Asks each second whether the caller still may; raises the refusal, and never returns otherwise.

        It is no use of the session: one that only follows a file ends by its idle time, too.
        """
        while True:
            await asyncio.sleep(_RECHECK_SECONDS)
            now = self._clock()
            if not self._ports.audit_writable():
                detail = "the audit log takes no records: nothing goes on that it could not tell of"
                raise AuditUnavailable(detail)
            caller = self._admission.caller(peer, now)
            self._admission.refuse_halted(caller, now)
            self._ports.check_sink()
            session = live.call.session
            if session is not None:
                session = self._admission.still_open(session, caller, now)
            policy = self._admission.live.policy
            trail.decide_by(policy)
            standing = self._admission.standing(caller, session, policy, now)
            permit = self._admission.permit(policy, method, caller, standing)
            live.call = replace(
                live.call,
                policy=policy,
                scope=permit.allow.scope,
                widened=permit.widened,
                now=now,
                grants=permit.grants,
            )

    async def _seal(self, reply: Reply, call: Call, trail: Trail) -> bytes:
        """Makes the bytes that leave; each message of each call passes here and nowhere else."""
        sealed = reply.message.SerializeToString()
        pid = trail.event.target_pid or 0
        own_words = trail.own_words(call, reply)
        await known_values.check(self._ports.reader, sealed, own_words, pid, call.seconds)
        if reply.running_text:
            running = trail.run_on(reply)
            await known_values.check(self._ports.reader, running, own_words, pid, call.seconds)
        return sealed

    async def _record(self, trail: Trail, event: Event) -> None:
        await self._audit.append(replace(event, call_id=trail.event.call_id))

    def _count(self, trail: Trail, reply: Reply, sealed: bytes) -> None:
        trail.count(reply, len(sealed))
        self._ports.count_redactions(dict(reply.redactions))

    def _session(self, method: Method, peer: Peer, caller: Caller, now: Instant) -> Session | None:
        if not method.in_session:
            # Within a session its own rate holds; the few methods outside have this one.
            if not self._outside.spend(caller.spiffe_id, _CALLS_OUTSIDE_A_MINUTE, now.boot_ns):
                detail = "too many calls outside a session"
                raise RateLimited(detail)
            return None
        if len(peer.session_ids) != 1:
            detail = "the call names no session, or several"
            raise SessionMissing(detail)
        return self._admission.session(peer.session_ids[0], caller, now)


async def _to_its_end(finishing: Coroutine[object, object, bytes]) -> bytes:
    """Lets a call that changes something go on to its record when its caller goes away: no change lacks one."""
    task = asyncio.create_task(finishing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        task.exception()  # looked at, so that one nobody waits for any more is not reported to stderr
        raise


def _seconds(method: Method | None, peer: Peer) -> float:
    """Gives the call's time: the method's own deadline, or the caller's if that is shorter."""
    own = _UNKNOWN_METHOD_SECONDS
    if method is not None:
        own = method.stream_seconds or method.deadline_seconds
    return own if peer.seconds_left is None else max(0.0, min(own, peer.seconds_left))
