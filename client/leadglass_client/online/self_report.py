"""Asks the agent about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.agent_pb2 import GetSelfRequest
from leadglass.v1.agent_pb2_grpc import AgentServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.output.screen import show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.self_report import self_sheet

if TYPE_CHECKING:
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions


def show_self(options: GlobalOptions, form: OutputForm, *, attempt: bool) -> None:
    """Prints build, policy and posture of the agent; `attempt` has each process try what its sandbox forbids."""
    with Agent(resolve_target(options)) as agent:
        report = agent.ask(AgentServiceStub(agent.channel).GetSelf, GetSelfRequest(attempt_forbidden=attempt))
    show(self_sheet(report), form, no_color=options.no_color)
