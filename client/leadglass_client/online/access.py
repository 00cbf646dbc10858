"""Asks whether a process may use a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import AccessOperation, ExplainAccessRequest
from leadglass.v1.inspect_pb2_grpc import InspectServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.output.screen import show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.access import access_sheet, exit_code, unanswered

if TYPE_CHECKING:
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.errors import ExitCode
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions


def explain_access(
    options: GlobalOptions, process: ProcessRef, operation: str, path: str, form: OutputForm
) -> ExitCode:
    """Prints the verdict, and gives the exit code that means it; raises Failure where there is none."""
    number = AccessOperation.Value(f"ACCESS_OPERATION_{operation.upper()}")
    request = ExplainAccessRequest(process=process, path=path, operation=number)
    with Agent(resolve_target(options)) as agent:
        answer = agent.ask(InspectServiceStub(agent.channel).ExplainAccess, request)
    show(access_sheet(request, answer), form, no_color=options.no_color)
    failure = unanswered(path, answer)
    if failure is not None:
        raise failure
    return exit_code(answer)
