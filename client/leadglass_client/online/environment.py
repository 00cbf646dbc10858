"""Asks which environment variables a process has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import ListEnvironmentRequest, ListEnvironmentResponse
from leadglass.v1.inspect_pb2_grpc import InspectServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.pages import Pages, collect
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.online.limits import limit_of, limit_reached
from leadglass_client.output.screen import show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.environment import environment_sheet
from leadglass_client.views.unavailable import unavailable

if TYPE_CHECKING:
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions

_NAMES_A_CALL = 200  # the API's bound


def list_environment(
    options: GlobalOptions, process: ProcessRef, names: tuple[str, ...], limit: int | None, form: OutputForm
) -> None:
    """Prints presence of the names asked for, or of every name that the policy lets the caller see."""
    with Agent(resolve_target(options)) as agent:
        result = _look_up(agent, process, names) if names else _list(agent, process, limit_of(limit))
    show(environment_sheet(result.pages, more=result.more), form, no_color=options.no_color)
    reason = next((page.unavailable for page in result.pages if page.unavailable), 0)
    if reason:
        raise unavailable(reason, "environment not readable")
    limit_reached(limit, more=result.more)
    if any(page.truncated for page in result.pages):
        what = "the environment is larger than the agent reads: UNSET may mean that a name is in the rest"
        raise Failure(ExitCode.PARTIAL, what, "take PRESENT and EMPTY as they are, and UNSET as unknown")


def _look_up(agent: Agent, process: ProcessRef, names: tuple[str, ...]) -> Pages[ListEnvironmentResponse]:
    stub = InspectServiceStub(agent.channel)
    pages = tuple(
        agent.ask(
            stub.ListEnvironment,
            ListEnvironmentRequest(process=process, names=names[start : start + _NAMES_A_CALL]),
        )
        for start in range(0, len(names), _NAMES_A_CALL)
    )
    return Pages(pages, more=False)


def _list(agent: Agent, process: ProcessRef, limit: int) -> Pages[ListEnvironmentResponse]:
    stub = InspectServiceStub(agent.channel)

    def fetch(size: int, token: str) -> ListEnvironmentResponse:
        request = ListEnvironmentRequest(process=process, page_size=size, page_token=token)
        return agent.ask(stub.ListEnvironment, request)

    return collect(fetch, lambda page: len(page.variables), limit)
