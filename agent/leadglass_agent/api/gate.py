"""The path of every call, in eight numbered steps; nothing reaches a view around it.

A reviewer holds this file against the threat model: each step is one call to one module, and whatever goes wrong in it
ends in a Refusal, whose fixed public text is all that the caller reads.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.access.budget import CallBudget
from leadglass_agent.api.question import Call, Ports
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import (
    InternalError,
    MethodUnknown,
    PolicyDenied,
    RateLimited,
    Reason,
    Refusal,
    SessionMissing,
    TimedOut,
)
from leadglass_agent.identity import Caller, authenticate
from leadglass_agent.policy.decide import Allow, Deny, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.access.refusals import RefusalLedger
    from leadglass_agent.access.session import Session
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.api.methods import Method
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import Permission, Policy
    from leadglass_agent.policy.scope import Scope

_UNKNOWN_METHOD_SECONDS = 1.0
_CALLS_OUTSIDE_A_MINUTE = 600

Receive: TypeAlias = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Peer:
    """What the transport says of a call: authentication context, address, session metadata, time left in seconds."""

    auth: Mapping[str, Iterable[bytes]]
    address: str
    session_ids: tuple[str, ...]
    seconds_left: float | None


class Gate:
    """Answers calls: (method, request bytes to come, peer) → reply bytes, or raises a Refusal that is audited already.

    The request is received within the call's deadline: a caller who sends headers alone must not keep a place for ever.
    """

    def __init__(
        self,
        *,
        ports: Ports,
        policy: Policy,
        audit: AuditWriter,
        trust_domain: str,
        clock: Callable[[], Instant],
        refusals: RefusalLedger,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._audit = audit
        self._trust_domain = trust_domain
        self._clock = clock
        self._refusals = refusals
        self._outside = CallBudget()

    async def answer(self, name: str, method: Method | None, receive: Receive, peer: Peer) -> bytes:
        """Answers one call; every end of it, wanted or not, is in the audit log before the caller sees it.

        Of a flood of refusals the log holds the first ones and a count of the rest.
        """
        call_id = secrets.token_hex(8)
        policy = self._policy
        trail = _Trail(
            Event(
                kind=EventKind.INTENT,
                call_id=call_id,
                method=name,
                peer=peer.address,
                policy_digest=policy.digest,
            ),
        )
        started = self._clock()
        try:
            async with asyncio.timeout(_seconds(method, peer)):
                return await self._steps(method, receive, peer, policy, trail)
        except Refusal as error:
            # What the reader did not foresee comes as a refusal too, and has no id of this call yet.
            refusal = InternalError(str(error), error_id=call_id) if error.reason is Reason.INTERNAL else error
        except TimeoutError:
            refusal = TimedOut("the call's deadline passed")
        except asyncio.CancelledError:
            refusal = TimedOut("the caller went away")
            await asyncio.shield(self._refuse(refusal, trail, started))
            raise
        except Exception as error:  # noqa: BLE001 - the one place where the unforeseen ends; its text may hold values
            refusal = InternalError(type(error).__name__, error_id=call_id)
        await self._refuse(refusal, trail, started)
        raise refusal

    async def _steps(
        self,
        method: Method | None,
        receive: Receive,
        peer: Peer,
        policy: Policy,
        trail: _Trail,
    ) -> bytes:
        """Takes the eight steps; the trail keeps what is known for the record of a refusal."""
        started = self._clock()

        # 1 identity: exactly one SPIFFE id, TLS 1.3, not resumed, not expired; on every call
        caller = authenticate(peer.auth, peer.address, self._trust_domain, started.unix_ns / 1e9)
        trail.add(caller=caller.spiffe_id, key_digest=caller.key_digest, certificate_serial=caller.serial)

        # 2 method: its row, and a request within its bounds
        if method is None:
            raise MethodUnknown
        trail.add(permission=method.needs.value)
        question = method.question(await receive())
        trail.add(arguments=question.arguments)
        if question.target is not None:
            trail.add(target_pid=question.target.pid, target_start_ticks=question.target.start_ticks)

        # 3 session: open, of this key, within its times and its rate
        session = self._session(method, peer, caller, started)
        if session is not None:
            trail.add(session_id=session.session_id, ticket=session.ticket)

        # 4 policy: no rule = no
        allow = _permit(policy, caller, method.needs)
        trail.add(rules=tuple(str(rule) for rule in allow.rules))
        widened = {permission: _scope(policy, caller, permission) for permission in method.widens}

        # 5 intent: on disk before anything is read
        trail.is_announced = True
        await self._audit.append(trail.event)

        # 6 view: bounded rows from the reader or a file worker, or the session book
        call = Call(
            caller=caller,
            session=session,
            policy=policy,
            scope=allow.scope,
            widened=widened,
            now=started,
            seconds=method.deadline_seconds,
        )
        reply = await question.answer(self._ports, call)

        # 7 redaction: the rows were made of Clean text in the process that read them; from here on there are only bytes
        sealed = reply.message.SerializeToString()

        # 8 outcome: on disk before the reply leaves
        for event in reply.events:
            await self._audit.append(replace(event, call_id=trail.event.call_id))
        outcome = replace(
            trail.event,
            kind=EventKind.OUTCOME,
            decision=Ruling.ALLOW,
            rows=reply.rows,
            masked=reply.masked,
            reply_bytes=len(sealed),
            duration_us=(self._clock().boot_ns - started.boot_ns) // 1_000,
        )
        await self._audit.append(outcome)
        return sealed

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
        return self._ports.sessions.use(peer.session_ids[0], caller.spiffe_id, caller.key_digest, now)

    async def _refuse(self, refusal: Refusal, trail: _Trail, started: Instant) -> None:
        """Writes the record of a refusal, or counts it within a flood.

        Raises AuditUnavailable in the refusal's place if the record cannot be written.
        """
        # An intent on disk always gets its answer there: its own rate, of session or method, bounds those.
        counted = trail.event.caller or _host(trail.event.peer)
        if not trail.is_announced and not self._refusals.is_recorded(counted, self._clock()):
            return
        record = replace(
            trail.event,
            kind=EventKind.REFUSED,
            decision=Ruling.DENY,
            refusal=refusal.reason,
            detail=str(refusal),
            duration_us=(self._clock().boot_ns - started.boot_ns) // 1_000,
        )
        await self._audit.append(record)


class _Trail:
    """The event that grows while a call takes its steps, and whether its intent was given to the log."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.is_announced = False

    def add(self, **fields: str | int | tuple[str, ...] | tuple[tuple[str, str], ...]) -> None:
        self.event = replace(self.event, **fields)  # type: ignore[arg-type] # the names are Event's own; mypy cannot spread them


def _permit(policy: Policy, caller: Caller, permission: Permission) -> Allow:
    """Gives the decision if it allows; raises PolicyDenied if it does not."""
    match decide(policy, caller.spiffe_id, permission):
        case Allow() as allow:
            return allow
        case Deny(why=why):
            detail = f"{permission.value}: {why.value}"
            raise PolicyDenied(detail)


def _scope(policy: Policy, caller: Caller, permission: Permission) -> Scope | None:
    """Gives where a field group is permitted, or None if it is nowhere."""
    match decide(policy, caller.spiffe_id, permission):
        case Allow(scope=scope):
            return scope
        case Deny():
            return None


def _seconds(method: Method | None, peer: Peer) -> float:
    """Gives the call's time: the method's own deadline, or the caller's if that is shorter."""
    own = method.deadline_seconds if method is not None else _UNKNOWN_METHOD_SECONDS
    return own if peer.seconds_left is None else max(0.0, min(own, peer.seconds_left))


def _host(peer: str | None) -> str:
    """Gives a peer's address without its port, which changes with each connection."""
    return (peer or "").rpartition(":")[0]
