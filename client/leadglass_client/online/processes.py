"""Asks for processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import ListProcessesRequest, ListProcessesResponse
from leadglass.v1.inspect_pb2_grpc import InspectServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.pages import Pages, collect
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.online.limits import limit_of, limit_reached
from leadglass_client.output.screen import note, show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.processes import process_notes, process_sheet
from leadglass_client.views.unavailable import unavailable

if TYPE_CHECKING:
    from leadglass_client.forms import OutputForm
    from leadglass_client.options import ProcessName
    from leadglass_client.settings.global_options import GlobalOptions


@dataclass(frozen=True, slots=True)
class ProcessQuery:
    """Which processes, and how; empty means all."""

    pids: tuple[ProcessName, ...]
    subtree: ProcessName | None
    name_glob: str
    flat: bool
    limit: int | None


def list_processes(options: GlobalOptions, query: ProcessQuery, form: OutputForm) -> None:
    """Prints the processes that the policy lets the caller see."""
    with Agent(resolve_target(options)) as agent:
        stub = InspectServiceStub(agent.channel)

        def fetch(size: int, token: str) -> ListProcessesResponse:
            request = ListProcessesRequest(
                page_size=size,
                page_token=token,
                pids=[one.pid for one in query.pids],
                subtree_of_pid=query.subtree.pid if query.subtree else 0,
                name_glob=query.name_glob,
            )
            return agent.ask(stub.ListProcesses, request)

        result = collect(fetch, lambda page: len(page.processes), limit_of(query.limit))
    _refuse_reused(query, result)
    sheet = process_sheet(result.pages, more=result.more, flat=query.flat)
    show(sheet, form, no_color=options.no_color)
    for line in process_notes(result.pages):
        note(line)
    if query.pids and not sheet.records:
        what = "no such process within your scope"
        raise Failure(ExitCode.NOT_FOUND, what, "see which there are: leadglass ps")
    limit_reached(query.limit, more=result.more)
    hidden = next((page.incomplete_reason for page in result.pages if page.incomplete_reason), 0)
    if hidden:
        failure = unavailable(hidden, "the list may lack processes")
        raise Failure(ExitCode.PARTIAL, failure.what, failure.next_step)


def _refuse_reused(query: ProcessQuery, result: Pages[ListProcessesResponse]) -> None:
    wanted = {one.pid: one.start_ticks for one in (*query.pids, query.subtree) if one is not None and one.start_ticks}
    for page in result.pages:
        for process in page.processes:
            ref = process.ref
            if wanted.get(ref.pid, ref.start_ticks) != ref.start_ticks:
                what = f"{ref.pid}@{wanted[ref.pid]} has ended: the number now belongs to {ref.pid}@{ref.start_ticks}"
                raise Failure(ExitCode.NOT_FOUND, what, "see which there are: leadglass ps -o name")
