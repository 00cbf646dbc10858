"""Asks for metadata of files and for the entries of directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import FileMetadata, ListDirectoryRequest, ListDirectoryResponse, StatFilesRequest
from leadglass.v1.inspect_pb2_grpc import InspectServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.pages import collect
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.online.limits import limit_of, limit_reached
from leadglass_client.output.screen import show
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.files import directory_sheet, missing_failure, stat_sheet
from leadglass_client.views.unavailable import unavailable

if TYPE_CHECKING:
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions

_PATHS_A_CALL = 100  # the API's bound


def stat_files(
    options: GlobalOptions, process: ProcessRef, paths: tuple[str, ...], form: OutputForm, *, follow: bool
) -> None:
    """Prints metadata of the paths as the process sees them."""
    with Agent(resolve_target(options)) as agent:
        stub = InspectServiceStub(agent.channel)
        files: list[FileMetadata] = []
        for start in range(0, len(paths), _PATHS_A_CALL):
            some = paths[start : start + _PATHS_A_CALL]
            request = StatFilesRequest(process=process, paths=some, follow_symlinks=follow)
            answer = agent.ask(stub.StatFiles, request).files
            if len(answer) != len(some):
                what = f"the agent answered {len(answer)} of {len(some)} paths"
                raise Failure(ExitCode.ERROR, what, "compare versions: leadglass self, leadglass --version")
            files.extend(answer)
    show(stat_sheet(files), form, no_color=options.no_color)
    failure = missing_failure(files)
    if failure is not None:
        raise failure


def list_directory(options: GlobalOptions, process: ProcessRef, path: str, limit: int | None, form: OutputForm) -> None:
    """Prints the entries of a directory as the process sees it."""
    with Agent(resolve_target(options)) as agent:
        stub = InspectServiceStub(agent.channel)

        def fetch(size: int, token: str) -> ListDirectoryResponse:
            request = ListDirectoryRequest(process=process, path=path, page_size=size, page_token=token)
            return agent.ask(stub.ListDirectory, request)

        result = collect(fetch, lambda page: len(page.entries), limit_of(limit))
    show(directory_sheet(result.pages, more=result.more), form, no_color=options.no_color)
    reason = next((page.unavailable for page in result.pages if page.unavailable), 0)
    if reason:
        raise unavailable(reason, f"{path} not listed")
    limit_reached(limit, more=result.more)
    if any(page.truncated for page in result.pages):
        what = "the directory has more entries than the agent reads"
        raise Failure(ExitCode.PARTIAL, what, "ask for a path that you know: leadglass stat PID PATH")
