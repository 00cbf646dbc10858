"""Opens, shows and closes sessions, and keeps the id of the current one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from leadglass.v1.access_pb2 import CloseSessionRequest, GetSessionRequest, OpenSessionRequest, Session
from leadglass.v1.access_pb2_grpc import AccessServiceStub
from leadglass.v1.common_pb2 import ProcessRef
from leadglass_client.connection.agent import Agent
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.names import is_session_id
from leadglass_client.online.carried import read_grants, read_id_token
from leadglass_client.output.screen import show
from leadglass_client.settings.session_store import forget_session, keep_session
from leadglass_client.settings.target import Target, resolve_target
from leadglass_client.views.session import session_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.forms import OutputForm
    from leadglass_client.options import ProcessName
    from leadglass_client.settings.global_options import GlobalOptions


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What a session is opened with; the token's file is named here, and its text is kept nowhere."""

    reason: str
    ticket: str
    minutes: int | None = None
    grants: tuple[Path, ...] = ()
    id_token: Path | None = None
    target: ProcessName | None = None


def open_session(options: GlobalOptions, wish: SessionWish, form: OutputForm) -> None:
    """Opens a session and makes it the current one."""
    request = _request(wish)
    with Agent(resolve_target(options)) as agent:
        session = agent.ask(AccessServiceStub(agent.channel).OpenSession, request).session
        _check_id(session.session_id)
        keep_session(agent.target.agent, session.session_id)
    _show(options, session, form)


def show_session(options: GlobalOptions, session_id: str, form: OutputForm) -> None:
    """Shows the session asked for, or the current one."""
    with Agent(resolve_target(options)) as agent:
        request = GetSessionRequest(session_id=session_id or _current(agent.target))
        session = agent.ask(AccessServiceStub(agent.channel).GetSession, request).session
    _show(options, session, form)


def close_session(options: GlobalOptions, session_id: str, form: OutputForm) -> None:
    """Closes the session asked for, or the current one, and forgets it."""
    with Agent(resolve_target(options)) as agent:
        wanted = session_id or _current(agent.target)
        request = CloseSessionRequest(session_id=wanted)
        session = agent.ask(AccessServiceStub(agent.channel).CloseSession, request).session
        forget_session(agent.target.agent, wanted)
    _show(options, session, form)


def _request(wish: SessionWish) -> OpenSessionRequest:
    request = OpenSessionRequest(reason=wish.reason, ticket=wish.ticket, grants=read_grants(wish.grants))
    if wish.minutes is not None:
        request.requested_duration.CopyFrom(Duration(seconds=wish.minutes * 60))
    if wish.id_token is not None:
        request.id_token = read_id_token(wish.id_token)
    if wish.target is not None:
        request.target.CopyFrom(ProcessRef(pid=wish.target.pid, start_ticks=wish.target.start_ticks))
    return request


def _current(target: Target) -> str:
    if not target.session_id:
        next_step = "open one: leadglass session open --reason '...' --ticket ID"
        raise Failure(ExitCode.NOT_AUTHENTICATED, f"no session is open at {target.address}", next_step)
    return target.session_id


def _check_id(session_id: str) -> None:
    if not is_session_id(session_id):
        what = "the agent gave a session id that is none"
        raise Failure(ExitCode.ERROR, what, "compare versions: leadglass self, leadglass --version")


def _show(options: GlobalOptions, session: Session, form: OutputForm) -> None:
    show(session_sheet(session, datetime.now(UTC)), form, no_color=options.no_color)
