"""Lists and ends the sessions of everybody, and lists and closes the reviews that are owed after reveals and halts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import (
    CloseReviewRequest,
    EndSessionRequest,
    ListReviewsRequest,
    ListSessionsRequest,
    ListSessionsResponse,
)
from leadglass.v1.access_pb2_grpc import AccessServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.pages import collect
from leadglass_client.online.limits import limit_of, limit_reached
from leadglass_client.output.screen import show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.reviews import review_sheet, reviews_sheet
from leadglass_client.views.session import session_sheet
from leadglass_client.views.sessions import sessions_sheet

if TYPE_CHECKING:
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions


def list_sessions(options: GlobalOptions, limit: int | None, form: OutputForm, *, ended: bool) -> None:
    """Prints the sessions of all callers."""
    with Agent(resolve_target(options)) as agent:
        stub = AccessServiceStub(agent.channel)

        def fetch(size: int, token: str) -> ListSessionsResponse:
            request = ListSessionsRequest(page_size=size, page_token=token, include_ended=ended)
            return agent.ask(stub.ListSessions, request)

        result = collect(fetch, lambda page: len(page.sessions), limit_of(limit))
    show(sessions_sheet(result.pages, datetime.now(UTC), more=result.more), form, no_color=options.no_color)
    limit_reached(limit, more=result.more)


def end_session(options: GlobalOptions, session_id: str, reason: str, form: OutputForm) -> None:
    """Ends a session of anybody and prints what it was."""
    with Agent(resolve_target(options)) as agent:
        request = EndSessionRequest(session_id=session_id, reason=reason)
        session = agent.ask(AccessServiceStub(agent.channel).EndSession, request).session
    show(session_sheet(session, datetime.now(UTC)), form, no_color=options.no_color)


def list_reviews(options: GlobalOptions, form: OutputForm) -> None:
    """Prints the reviews that are owed."""
    with Agent(resolve_target(options)) as agent:
        reviews = agent.ask(AccessServiceStub(agent.channel).ListReviews, ListReviewsRequest()).reviews
    show(reviews_sheet(reviews), form, no_color=options.no_color)


def close_review(options: GlobalOptions, review_id: str, finding: str, form: OutputForm) -> None:
    """Closes a review that somebody else owes and prints what it was about."""
    with Agent(resolve_target(options)) as agent:
        request = CloseReviewRequest(review_id=review_id, finding=finding)
        review = agent.ask(AccessServiceStub(agent.channel).CloseReview, request).review
    show(review_sheet(review), form, no_color=options.no_color)
