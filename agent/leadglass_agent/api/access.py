"""The questions of AccessService: open, show and close a session of the caller's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1 import access_pb2
from leadglass_agent.access.session import SessionState
from leadglass_agent.api import messages
from leadglass_agent.api.question import Call, Ports, Question, Reply, parse
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import InvalidRequest, SessionUnknown
from leadglass_agent.policy.decide import permissions_of, session_limits

if TYPE_CHECKING:
    from leadglass_agent.access.session import Session

# Far above what policy accepts, so that the audit record of a refusal shows what was tried.
_MAX_TEXT = 4_000
_MAX_SESSION_ID = 64


def open_session(wire: bytes) -> Question:
    """Reads an OpenSessionRequest."""
    request = parse(access_pb2.OpenSessionRequest, wire)
    if len(request.reason) > _MAX_TEXT or len(request.ticket) > _MAX_TEXT:
        detail = "reason or ticket is longer than 4,000 characters"
        raise InvalidRequest(detail)
    wanted = request.requested_duration.seconds if request.HasField("requested_duration") else None

    async def answer(ports: Ports, call: Call) -> Reply:
        session = ports.sessions.open(
            spiffe_id=call.caller.spiffe_id,
            key_digest=call.caller.key_digest,
            reason=request.reason,
            ticket=request.ticket,
            requested_seconds=wanted,
            limits=session_limits(call.policy, call.caller.spiffe_id),
            now=call.now,
        )
        opened = session_event(EventKind.SESSION_OPENED, session, call.policy.digest)
        return Reply(access_pb2.OpenSessionResponse(session=_message(session, call)), events=(opened,))

    return Question(
        arguments=tuple((key, text) for key, text in (("reason", request.reason), ("ticket", request.ticket)) if text),
        answer=answer,
    )


def get_session(wire: bytes) -> Question:
    """Reads a GetSessionRequest."""
    session_id = _session_id(parse(access_pb2.GetSessionRequest, wire).session_id)

    async def answer(ports: Ports, call: Call) -> Reply:
        session = ports.sessions.show(session_id, call.caller.spiffe_id, call.caller.key_digest, call.now)
        return Reply(access_pb2.GetSessionResponse(session=_message(session, call)), own_words=_words(session))

    return Question(arguments=(("session_id", session_id),), answer=answer)


def close_session(wire: bytes) -> Question:
    """Reads a CloseSessionRequest."""
    session_id = _session_id(parse(access_pb2.CloseSessionRequest, wire).session_id)

    async def answer(ports: Ports, call: Call) -> Reply:
        caller = call.caller
        was_open = (
            ports.sessions.show(session_id, caller.spiffe_id, caller.key_digest, call.now).state is SessionState.OPEN
        )
        session = ports.sessions.close(session_id, caller.spiffe_id, caller.key_digest, call.now)
        # An end by time has its own record, from the sweep; a session that had ended before gets no second one.
        events = (session_event(EventKind.SESSION_ENDED, session, call.policy.digest),) if was_open else ()
        message = access_pb2.CloseSessionResponse(session=_message(session, call))
        return Reply(message, events=events, own_words=_words(session))

    return Question(arguments=(("session_id", session_id),), answer=answer)


def session_event(kind: EventKind, session: Session, policy_digest: str) -> Event:
    """Gives the record of a session's opening or end."""
    return Event(
        kind=kind,
        caller=session.caller,
        key_digest=session.key_digest,
        session_id=session.session_id,
        policy_digest=policy_digest,
        ticket=session.ticket,
        reason_text=session.reason,
        facts=(("state", session.state.value), ("calls", session.calls)),
    )


def _session_id(session_id: str) -> str:
    if not session_id or len(session_id) > _MAX_SESSION_ID:
        detail = "the session id is empty or too long"
        raise SessionUnknown(detail)
    return session_id


def _words(session: Session) -> tuple[str, ...]:
    """Gives what the caller wrote when it opened the session."""
    return session.reason, session.ticket


def _message(session: Session, call: Call) -> access_pb2.Session:
    return messages.session(
        session,
        permissions_of(call.policy, call.caller.spiffe_id),
        call.policy.digest,
        call.now.unix_ns - call.now.boot_ns,
    )
