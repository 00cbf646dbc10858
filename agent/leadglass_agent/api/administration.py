"""The questions of AccessService about others: list and end sessions, list and close reviews."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from leadglass.v1 import access_pb2
from leadglass_agent.access.session import SessionState
from leadglass_agent.api import messages
from leadglass_agent.api.access import session_id_of, session_message
from leadglass_agent.api.question import Call, Ports, Question, Reply, parse
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable, InvalidRequest, ReviewUnknown

if TYPE_CHECKING:
    from leadglass_agent.access.halt_reviews import HaltOwed
    from leadglass_agent.access.reveals import Review
    from leadglass_agent.audit.record import Fact

_DEFAULT_PAGE = 500
_MAX_PAGE = 1_000
_MAX_REASON = 500
_MAX_TEXT = 4_000  # as in OpenSession: the record of a refusal shows what was tried
_MAX_ID = 64
_PAGE_TOKEN = re.compile(r"(?P<ended>[oe])(?P<number>[0-9]{1,12})")


def list_sessions(wire: bytes) -> Question:
    """Reads a ListSessionsRequest."""
    request = parse(access_pb2.ListSessionsRequest, wire)
    after = _place(request.page_token)
    if request.page_size < 0:
        detail = "page_size is negative"
        raise InvalidRequest(detail)
    limit = min(request.page_size or _DEFAULT_PAGE, _MAX_PAGE)

    async def answer(ports: Ports, call: Call) -> Reply:
        found = ports.sessions.page(after, limit + 1, call.now, include_ended=request.include_ended)
        shown = found[:limit]
        token = _token(shown[-1].place) if len(found) > limit else ""
        message = access_pb2.ListSessionsResponse(
            sessions=[session_message(ports, session, call) for session in shown], next_page_token=token
        )
        return Reply(
            message,
            rows=len(shown),
            own_words=tuple(word for session in shown for word in (session.reason, session.ticket)),
        )

    arguments = (("page_token", request.page_token), ("include_ended", "true" if request.include_ended else ""))
    return Question(arguments=tuple((key, text) for key, text in arguments if text), answer=answer)


def end_session(wire: bytes) -> Question:
    """Reads an EndSessionRequest."""
    request = parse(access_pb2.EndSessionRequest, wire)
    session_id = session_id_of(request.session_id)
    if not 0 < len(request.reason.strip()) <= _MAX_REASON:
        detail = "the reason for ending a session is empty or longer than 500 characters"
        raise InvalidRequest(detail)

    async def answer(ports: Ports, call: Call) -> Reply:
        # Its own record comes from the sweep; this call's names who ended it, and why.
        session = ports.sessions.end(session_id, SessionState.ENDED_BY_ADMIN, call.now)
        message = access_pb2.EndSessionResponse(session=session_message(ports, session, call))
        # Typed ids are masked as all that is typed; this one is a session's own, and says whose end it was.
        ended = (("session_id", session.session_id),)
        return Reply(message, own_words=(session.reason, session.ticket), facts=ended)

    return Question(arguments=(("session_id", session_id), ("reason", request.reason)), answer=answer)


def list_reviews(wire: bytes) -> Question:
    """Reads a ListReviewsRequest."""
    parse(access_pb2.ListReviewsRequest, wire)

    async def answer(ports: Ports, _call: Call) -> Reply:
        revealed, halted = ports.reveals.owed(), ports.halt_reviews.owed()
        reviews = [*map(_review, revealed), *map(_halt_review, halted)]
        reviews.sort(key=lambda review: review.reveal_time.ToNanoseconds())
        message = access_pb2.ListReviewsResponse(reviews=reviews)
        words = (word for review in reviews for word in (review.reason, review.ticket))
        return Reply(message, rows=len(reviews), own_words=tuple(words))

    return Question(arguments=(), answer=answer)


def close_review(wire: bytes) -> Question:
    """Reads a CloseReviewRequest."""
    request = parse(access_pb2.CloseReviewRequest, wire)
    if not request.review_id or len(request.review_id) > _MAX_ID:
        raise ReviewUnknown
    if len(request.finding) > _MAX_TEXT:
        detail = "the finding is longer than 4,000 characters"
        raise InvalidRequest(detail)

    async def answer(ports: Ports, call: Call) -> Reply:
        if ports.halt_reviews.holds(request.review_id):
            return await _close_halt_review(ports, call, request)
        return await _close_reveal_review(ports, call, request)

    return Question(arguments=(("review_id", request.review_id), ("finding", request.finding)), answer=answer)


async def _close_reveal_review(ports: Ports, call: Call, request: access_pb2.CloseReviewRequest) -> Reply:
    closed = ports.reveals.close(request.review_id, call.caller.spiffe_id, request.finding, call.now)
    try:
        await ports.journal.append((closed.entry,))
    except AuditUnavailable:
        ports.reveals.reopen(closed)
        raise
    review = closed.review
    facts = (("kind", "REVEAL"), ("review_id", review.review_id), ("revealed_by", review.caller), ("name", review.name))
    return Reply(
        access_pb2.CloseReviewResponse(review=_review(review)),
        events=(_closed_event(call, closed.entry.finding, facts),),
        own_words=(review.reason, review.ticket),
    )


async def _close_halt_review(ports: Ports, call: Call, request: access_pb2.CloseReviewRequest) -> Reply:
    closed = ports.halt_reviews.close(request.review_id, call.caller.spiffe_id, request.finding, call.now)
    try:
        await ports.journal.append((closed.entry,))
    except AuditUnavailable:
        ports.halt_reviews.reopen(closed)
        raise
    review = closed.review
    facts = (("kind", "HALT"), ("review_id", review.review_id), ("halted", review.caller), ("cause", review.cause))
    in_session = (("session_id", review.session_id),) if review.session_id else ()
    return Reply(
        access_pb2.CloseReviewResponse(review=_halt_review(review)),
        events=(_closed_event(call, closed.entry.finding, (*facts, *in_session)),),
        own_words=(review.reason, review.ticket),
    )


def _closed_event(call: Call, finding: str, facts: tuple[Fact, ...]) -> Event:
    """Gives the record of a review: who looked, what was found, and at what."""
    return Event(
        kind=EventKind.REVIEW_CLOSED,
        caller=call.caller.spiffe_id,
        key_digest=call.caller.key_digest,
        policy_digest=call.policy.digest,
        reason_text=finding,
        facts=facts,
    )


def _review(review: Review) -> access_pb2.Review:
    return access_pb2.Review(
        review_id=review.review_id,
        caller=review.caller,
        name=review.name,
        ticket=review.ticket,
        reason=review.reason,
        reveal_time=messages.timestamp(review.reveal_unix_ns),
        grant_id=review.grant_id,
        kind=access_pb2.REVIEW_KIND_REVEAL,
    )


def _halt_review(review: HaltOwed) -> access_pb2.Review:
    return access_pb2.Review(
        review_id=review.review_id,
        caller=review.caller,
        ticket=review.ticket,
        reason=review.reason,
        reveal_time=messages.timestamp(review.unix_ns),
        kind=access_pb2.REVIEW_KIND_HALT,
        cause=review.cause,
        session_id=review.session_id,
    )


def _place(token: str) -> tuple[bool, int] | None:
    if not token:
        return None
    match = _PAGE_TOKEN.fullmatch(token)
    if match is None:
        detail = "page_token is not one of ours"
        raise InvalidRequest(detail)
    return match["ended"] == "e", int(match["number"])


def _token(place: tuple[bool, int]) -> str:
    ended, number = place
    return f"{'e' if ended else 'o'}{number}"
