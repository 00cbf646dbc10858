"""The questions of AccessService about the caller's own sessions: open, show and close one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from leadglass.v1 import access_pb2
from leadglass_agent.access.approvals import verify_grant
from leadglass_agent.access.evidence_nonce import evidence_nonce
from leadglass_agent.access.session import SessionState
from leadglass_agent.access.terms import SessionTerms
from leadglass_agent.api import messages
from leadglass_agent.api.disclosing import accounts_of
from leadglass_agent.api.peer import host_of
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, parse
from leadglass_agent.api.request_bounds import pid_of
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import (
    AuditUnavailable,
    EvidenceRefused,
    GrantRefused,
    InvalidRequest,
    ProcessNotFound,
    SessionEnded,
    SessionUnknown,
)
from leadglass_agent.policy.decide import Allow, budget_of, decide, permissions_of, session_limits
from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.standing import Standing
from leadglass_agent.policy.tightening import tightens
from leadglass_agent.processes.messages import AliveAnswer, AliveRequest
from leadglass_agent.views.rows import ProcessRef

if TYPE_CHECKING:
    from leadglass_agent.access.approvals import VerifiedGrant
    from leadglass_agent.access.session import Session
    from leadglass_agent.policy.standing import Evidence

_SECOND_NS = 1_000_000_000
# Far above what policy accepts, so that the audit record of a refusal shows what was tried.
_MAX_TEXT = 4_000
_MAX_SESSION_ID = 64
_MAX_GRANTS = 8
_MAX_GRANT = 64 * 1024
_MAX_TOKEN = 16 * 1024


def open_session(wire: bytes) -> Question:
    """Reads an OpenSessionRequest."""
    request = parse(access_pb2.OpenSessionRequest, wire)
    if len(request.reason) > _MAX_TEXT or len(request.ticket) > _MAX_TEXT:
        detail = "reason or ticket is longer than 4,000 characters"
        raise InvalidRequest(detail)
    if len(request.grants) > _MAX_GRANTS or any(len(grant) > _MAX_GRANT for grant in request.grants):
        detail = "more than 8 grants, or one of more than 64 KiB"
        raise InvalidRequest(detail)
    if len(request.id_token) > _MAX_TOKEN:
        detail = "the ID token is larger than 16 KiB"
        raise EvidenceRefused(detail)
    wanted = request.requested_duration.seconds if request.HasField("requested_duration") else None
    target = _target(request)

    async def answer(ports: Ports, call: Call) -> Reply:
        grants = _verified(ports, call, tuple(request.grants), request.ticket.strip(" "))
        evidence = _evidence(ports, call, request.id_token, grants)
        alive = None if target is None else await _alive(ports, call, target, evidence, grants)
        _refuse_tightened(ports, call)
        session = ports.sessions.open(
            spiffe_id=call.caller.spiffe_id,
            key_digest=call.caller.key_digest,
            reason=request.reason,
            ticket=request.ticket,
            requested_seconds=wanted,
            limits=session_limits(call.policy, call.caller.spiffe_id),
            now=call.now,
            terms=SessionTerms(
                grants=grants,
                evidence=evidence,
                target=alive,
                peer_host=host_of(call.caller.peer),
                budget=budget_of(call.policy, call.caller.spiffe_id),
            ),
        )
        await _record_opening(ports, session, call)
        opened = session_event(EventKind.SESSION_OPENED, session, call.policy.digest)
        used = tuple(_grant_event(session, verified, call.policy.digest) for verified in grants)
        message = access_pb2.OpenSessionResponse(session=session_message(ports, session, call))
        return Reply(message, events=(*used, opened), own_words=_words(session))

    # Neither envelopes nor the token: what they say is recorded once they are accepted.
    return Question(
        arguments=tuple((key, text) for key, text in (("reason", request.reason), ("ticket", request.ticket)) if text),
        answer=answer,
        target=target,
    )


def get_session(wire: bytes) -> Question:
    """Reads a GetSessionRequest."""
    session_id = session_id_of(parse(access_pb2.GetSessionRequest, wire).session_id)

    async def answer(ports: Ports, call: Call) -> Reply:
        session = ports.sessions.show(session_id, call.caller.spiffe_id, call.caller.key_digest, call.now)
        message = access_pb2.GetSessionResponse(session=session_message(ports, session, call))
        return Reply(message, own_words=_words(session))

    return Question(arguments=(("session_id", session_id),), answer=answer)


def close_session(wire: bytes) -> Question:
    """Reads a CloseSessionRequest."""
    session_id = session_id_of(parse(access_pb2.CloseSessionRequest, wire).session_id)

    async def answer(ports: Ports, call: Call) -> Reply:
        caller = call.caller
        was_open = (
            ports.sessions.show(session_id, caller.spiffe_id, caller.key_digest, call.now).state is SessionState.OPEN
        )
        session = ports.sessions.close(session_id, caller.spiffe_id, caller.key_digest, call.now)
        if was_open and ports.recordings is not None:
            with suppress(AuditUnavailable):  # nothing is shown by it, and it is tried again by and by
                await ports.recordings.end(session, call.now)
        # An end by time or by others has its own record, from the sweep; one that had ended before gets no second one.
        events = (session_event(EventKind.SESSION_ENDED, session, call.policy.digest),) if was_open else ()
        message = access_pb2.CloseSessionResponse(session=session_message(ports, session, call))
        return Reply(message, events=events, own_words=_words(session))

    return Question(arguments=(("session_id", session_id),), answer=answer)


def session_event(kind: EventKind, session: Session, policy_digest: str) -> Event:
    """Gives the record of a session's opening or end."""
    target = session.target
    return Event(
        kind=kind,
        caller=session.caller,
        key_digest=session.key_digest,
        session_id=session.session_id,
        policy_digest=policy_digest,
        ticket=session.ticket,
        grants=tuple(verified.grant.grant_id for verified in session.grants),
        target_pid=None if target is None else target.pid,
        target_start_ticks=None if target is None else target.start_ticks,
        reason_text=session.reason,
        facts=(
            ("state", session.state.value),
            ("calls", session.calls),
            *((("evidence_subject", session.evidence.subject),) if session.evidence is not None else ()),
        ),
    )


def session_id_of(session_id: str) -> str:
    """Gives a session's id within its bounds; raises SessionUnknown for any other text."""
    if not session_id or len(session_id) > _MAX_SESSION_ID:
        detail = "the session id is empty or too long"
        raise SessionUnknown(detail)
    return session_id


def session_message(ports: Ports, session: Session, call: Call) -> access_pb2.Session:
    """Makes the message of a session as it is now: what its caller may in it, and what of its budgets is spent."""
    standing = _standing(ports, call, session.evidence, session.grants)
    accounts = accounts_of(session, tuple(verified.grant.grant_id for verified in session.grants))
    return messages.session(
        session,
        permissions_of(call.policy, session.caller, standing),
        call.policy.digest,
        call.now.unix_ns - call.now.boot_ns,
        tuple((account.grant_id, line) for account in accounts for line in ports.disclosure.lines(account)),
    )


async def _record_opening(ports: Ports, session: Session, call: Call) -> None:
    """Begins the session's recording; raises AuditUnavailable, and then there is no session."""
    if ports.recordings is None:
        return
    try:
        await ports.recordings.open(session, call.policy.digest, call.now)
    except AuditUnavailable:
        ports.sessions.close(session.session_id, session.caller, session.key_digest, call.now)
        raise


def _standing(ports: Ports, call: Call, evidence: Evidence | None, grants: tuple[VerifiedGrant, ...]) -> Standing:
    now_unix = call.now.unix_ns / _SECOND_NS
    trust, denies = ports.live.trust, ports.live.deny_list.denies
    return Standing(
        unix_ns=call.now.unix_ns,
        tier=ports.pod.tier,
        certificate_since_unix=call.caller.certificate_since_unix,
        evidence=evidence,
        grants=tuple(
            verified.scope() for verified in grants if verified.still_holds(now_unix, call.policy, trust, denies)
        ),
    )


def _refuse_tightened(ports: Ports, call: Call) -> None:
    """Refuses a session under a policy that was replaced since: those that were open then have just been ended."""
    policy = ports.live.policy
    if policy is not call.policy and tightens(call.policy, policy, call.caller.spiffe_id):
        raise SessionEnded(SessionState.POLICY_TIGHTENED)


def _target(request: access_pb2.OpenSessionRequest) -> ProcessRef | None:
    if not request.target.pid:
        return None
    return ProcessRef(pid=pid_of(request.target.pid), start_ticks=request.target.start_ticks)


async def _alive(
    ports: Ports, call: Call, target: ProcessRef, evidence: Evidence | None, grants: tuple[VerifiedGrant, ...]
) -> ProcessRef:
    """Gives the process with the start that it has now; raises ProcessNotFound, for one out of scope too."""
    standing = _standing(ports, call, evidence, grants)
    decision = decide(call.policy, call.caller.spiffe_id, Permission.PROCESSES_LIST, standing)
    if not isinstance(decision, Allow):
        raise ProcessNotFound
    answer = await ask(
        ports, call, lambda number, deadline_ns: AliveRequest(number, deadline_ns, (target,), decision.scope)
    )
    if not isinstance(answer, AliveAnswer) or len(answer.alive) != 1:
        raise ProcessNotFound
    return answer.alive[0]


def _verified(ports: Ports, call: Call, texts: tuple[str, ...], ticket: str) -> tuple[VerifiedGrant, ...]:
    """Verifies each grant that the session shall carry; one that does not hold refuses the session."""
    verified = tuple(
        verify_grant(
            text,
            pod=ports.pod,
            caller=call.caller.spiffe_id,
            key_digest=call.caller.key_digest,
            trust=ports.live.trust,
            policy=call.policy,
            denies=ports.live.deny_list.denies,
            now_unix=call.now.unix_ns / _SECOND_NS,
            trust_domain=ports.trust_domain,
        )
        for text in texts
    )
    if any(grant.grant.ticket not in ("", ticket) for grant in verified):
        detail = "a grant was made out for another ticket"
        raise GrantRefused(detail)
    if len({grant.grant.grant_id for grant in verified}) < len(verified):
        detail = "the same grant is there twice"
        raise GrantRefused(detail)
    return verified


def _evidence(ports: Ports, call: Call, token: str, grants: tuple[VerifiedGrant, ...]) -> Evidence | None:
    """Gives what the ID token proves if one is there; raises EvidenceRefused, or GrantRefused if a grant needs one."""
    if not token:
        if any(verified.grant.needs_evidence for verified in grants):
            detail = "a grant needs evidence of who is there, and the session brings none"
            raise GrantRefused(detail)
        return None
    source = call.policy.evidence
    if source is None:
        detail = "the policy names no issuer of ID tokens"
        raise EvidenceRefused(detail)
    # Imported here: an agent whose policy asks for no tokens has no use for what verifies them.
    from leadglass_agent.access.evidence import verify_id_token  # noqa: PLC0415

    nonce = evidence_nonce(call.caller.key_digest, (verified.grant.grant_id for verified in grants))
    return verify_id_token(
        token, source=source, jwks=ports.live.jwks.content, nonce=nonce, now_unix=call.now.unix_ns // _SECOND_NS
    )


def _grant_event(session: Session, verified: VerifiedGrant, policy_digest: str) -> Event:
    """Gives the record of a grant that a session begins to carry: who approved what, for how long."""
    grant = verified.grant
    return Event(
        kind=EventKind.GRANT_USED,
        caller=session.caller,
        key_digest=session.key_digest,
        session_id=session.session_id,
        policy_digest=policy_digest,
        ticket=grant.ticket or None,
        grants=(grant.grant_id,),
        reason_text=grant.reason,
        facts=(
            ("envelope", verified.envelope_digest),
            ("permissions", " ".join(grant.permissions)),
            ("not_before_unix", grant.not_before_unix),
            ("not_after_unix", grant.not_after_unix),
            *((f"approver{at}", approver.spiffe_id) for at, approver in enumerate(verified.approvers, start=1)),
            *((f"approver{at}.serial", approver.serial) for at, approver in enumerate(verified.approvers, start=1)),
        ),
    )


def _words(session: Session) -> tuple[str, ...]:
    """Gives what the caller wrote when it opened the session."""
    return session.reason, session.ticket
