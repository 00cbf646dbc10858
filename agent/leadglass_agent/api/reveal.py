"""The question of Reveal: one variable, once, under a grant that names it, sealed by the reader to the caller's key."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from leadglass.v1 import access_pb2
from leadglass_agent.access.reveals import RevealAsked
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, parse, unexpected
from leadglass_agent.api.request_bounds import ref_of
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import ApprovalNeeded, InvalidRequest, Refusal, RevealRefused, Severity
from leadglass_agent.policy.granted import approvals_of
from leadglass_agent.policy.model import Permission
from leadglass_agent.processes.messages import RevealAnswer, RevealRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.access.approvals import VerifiedGrant
    from leadglass_agent.policy.model import BreakGlass

_MAX_NAME = 256
_KEY_BYTES = 32


def reveal(wire: bytes) -> Question:
    """Reads a RevealRequest."""
    request = parse(access_pb2.RevealRequest, wire)
    target = ref_of(request.process)
    name = request.name
    if not 0 < len(name) <= _MAX_NAME or "=" in name or "\0" in name:
        detail = "a variable's name is empty, longer than 256 characters, or holds '=' or NUL"
        raise InvalidRequest(detail)
    key = _key(request.recipient_key)

    async def answer(ports: Ports, call: Call) -> Reply:
        break_glass = call.policy.break_glass
        if break_glass is None or call.session is None:
            detail = "the policy has no break-glass"
            raise RevealRefused(detail)
        verified = _grant(call)
        asked = _asked(call, name, verified, break_glass, ports.mask_words)
        begun = ports.reveals.begin(asked, break_glass, call.now)
        # From here on it counts, and the disk says so before anything is read: a crash never buys a second one.
        await ports.journal.append((begun,))
        try:
            result = await ask(
                ports,
                call,
                lambda number, deadline_ns: RevealRequest(
                    id=number,
                    deadline_ns=deadline_ns,
                    process=target,
                    name=name,
                    scope=call.scope,
                    recipient_key=key,
                ),
            )
            if not isinstance(result, RevealAnswer):
                raise unexpected(result)
        except Refusal:
            await ports.journal.append((ports.reveals.undo(begun.reveal_id),))
            raise
        if not result.is_set:
            await ports.journal.append((ports.reveals.undo(begun.reveal_id),))
            return Reply(access_pb2.RevealResponse(is_set=False), names=frozenset({name}), answers=1)
        review = ports.reveals.review_of(begun.reveal_id)
        message = access_pb2.RevealResponse(
            sealed_value=base64.b64encode(result.sealed).decode("ascii"),
            is_set=True,
            review_id="" if review is None else review.review_id,
            grant_id=verified.grant.grant_id,
        )
        return Reply(message, rows=1, names=frozenset({name}), events=(_event(call, name, verified, bool(review)),))

    return Question(arguments=(("name", name),), answer=answer, target=target)


def _grant(call: Call) -> VerifiedGrant:
    """Gives the one grant that is made for a reveal; it is used up by it, so there must be no doubt which."""
    session = call.session
    held = () if session is None else session.grants
    fitting = tuple(verified for verified in held if verified.grant.grant_id in call.grants)
    if len(fitting) != 1:
        detail = f"{len(fitting)} grants of the session permit the reveal"
        raise ApprovalNeeded(detail)
    return fitting[0]


def _asked(
    call: Call, name: str, verified: VerifiedGrant, break_glass: BreakGlass, mask: Callable[[str], str]
) -> RevealAsked:
    """Gives what the book of reveals asks; others read it at the review, so what was typed is masked as in the log."""
    session = call.session
    return RevealAsked(
        caller=call.caller.spiffe_id,
        grant_id=verified.grant.grant_id,
        name=name,
        ticket="" if session is None else mask(session.ticket),
        reason="" if session is None else mask(session.reason),
        approvals=approvals_of(call.policy, call.caller.spiffe_id, break_glass.approvers, verified.scope()),
        minutes=verified.grant.minutes,
        approvers=tuple(approver.spiffe_id for approver in verified.approvers),
    )


def _event(call: Call, name: str, verified: VerifiedGrant, review_owed: bool) -> Event:  # noqa: FBT001 - one fact of the record
    """Gives the loud record: who saw which variable, by whose approval, and whether somebody has to review it."""
    return Event(
        kind=EventKind.REVEALED,
        caller=call.caller.spiffe_id,
        key_digest=call.caller.key_digest,
        session_id=None if call.session is None else call.session.session_id,
        permission=Permission.ENV_REVEAL.value,
        policy_digest=call.policy.digest,
        grants=(verified.grant.grant_id,),
        severity=Severity.CRITICAL,
        facts=(
            ("name", name),
            ("review_owed", review_owed),
            *((f"approver{at}", approver.spiffe_id) for at, approver in enumerate(verified.approvers, start=1)),
        ),
    )


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        detail = "recipient_key is not 32 bytes in base64"
        raise InvalidRequest(detail)
    return key
