"""The questions of InspectService: bounds of each request, and what is asked of the reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from leadglass.v1 import inspect_pb2
from leadglass_agent.api import messages
from leadglass_agent.api.disclosing import accounts_of
from leadglass_agent.api.question import Call, Ports, Question, Reply, ask, known_rules, parse, unexpected
from leadglass_agent.api.request_bounds import arguments_of, path_of, pid_of, ref_of
from leadglass_agent.errors import InvalidRequest
from leadglass_agent.policy.model import Permission
from leadglass_agent.processes.messages import (
    DirectoryAnswer,
    DirectoryRequest,
    EnvironmentAnswer,
    EnvironmentRequest,
    FilesAnswer,
    FilesRequest,
    ProcessesAnswer,
    ProcessesRequest,
)
from leadglass_agent.views.rows import MISSING, MissingFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadglass_agent.views.rows import FileRow

# The bounds that the contract states beside each field.
_DEFAULT_PAGE = 500
_MAX_PAGE = 1_000
_MAX_PIDS = 100
_MAX_GLOB = 64
_MAX_NAMES = 200
_MAX_NAME = 256
_MAX_PATHS = 100
_MAX_PATHS_BYTES = 128 * 1024  # with its scope a request fits into one frame
_PAGE_TOKEN = re.compile(r"[0-9]{1,10}")

_Value = TypeVar("_Value")


def list_processes(wire: bytes) -> Question:
    """Reads a ListProcessesRequest."""
    request = parse(inspect_pb2.ListProcessesRequest, wire)
    limit = _page_size(request.page_size)
    after_pid = _page_token(request.page_token)
    pids = tuple(pid_of(pid) for pid in _at_most(_MAX_PIDS, request.pids, "pids"))
    subtree = pid_of(request.subtree_of_pid) if request.subtree_of_pid else 0
    glob = _text(request.name_glob, _MAX_GLOB, "name_glob")

    async def answer(ports: Ports, call: Call) -> Reply:
        result = await ask(
            ports,
            call,
            lambda number, deadline_ns: ProcessesRequest(
                id=number,
                deadline_ns=deadline_ns,
                after_pid=after_pid,
                limit=_within_budget(ports, call, limit),
                pids=pids,
                subtree_of_pid=subtree,
                name_glob=glob,
                scope_list=call.scope,
                scope_executable=call.widened[Permission.PROCESSES_EXECUTABLE],
                scope_argv=call.widened[Permission.PROCESSES_ARGV],
            ),
        )
        if not isinstance(result, ProcessesAnswer):
            raise unexpected(result)
        page = result.page
        reply = messages.processes(page, _next_token(page.next_pid))
        return Reply(
            reply,
            rows=len(page.rows),
            masked=page.masked,
            redaction=page.redaction,
            redactions=known_rules(ports, page.redactions),
        )

    return Question(
        arguments=arguments_of(
            ("page_token", request.page_token),
            *(("pids", str(pid)) for pid in pids),
            ("subtree_of_pid", str(subtree or "")),
            ("name_glob", glob),
        ),
        answer=answer,
    )


def list_environment(wire: bytes) -> Question:
    """Reads a ListEnvironmentRequest."""
    request = parse(inspect_pb2.ListEnvironmentRequest, wire)
    target = ref_of(request.process)
    names = tuple(_variable(name) for name in _at_most(_MAX_NAMES, request.names, "names"))
    limit = _page_size(request.page_size)
    after_index = _page_token(request.page_token)

    async def answer(ports: Ports, call: Call) -> Reply:
        result = await ask(
            ports,
            call,
            lambda number, deadline_ns: EnvironmentRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                names=names,
                scope_presence=call.scope,
                scope_names=call.widened[Permission.ENV_NAMES],
                after_index=after_index,
                limit=_within_budget(ports, call, limit),
            ),
        )
        if not isinstance(result, EnvironmentAnswer):
            raise unexpected(result)
        page = result.page
        return Reply(
            messages.environment(page, _next_token(page.next_index)),
            rows=len(page.rows),
            redaction=messages.NAMES,
            names=frozenset(row.name.text for row in page.rows),
            answers=len(names),
        )

    return Question(
        arguments=arguments_of(("page_token", request.page_token), *(("names", name) for name in names)),
        answer=answer,
        target=target,
    )


def stat_files(wire: bytes) -> Question:
    """Reads a StatFilesRequest."""
    request = parse(inspect_pb2.StatFilesRequest, wire)
    target = ref_of(request.process)
    paths = tuple(path_of(path) for path in _at_most(_MAX_PATHS, request.paths, "paths"))
    if not paths or sum(len(path.encode()) for path in paths) > _MAX_PATHS_BYTES:
        detail = "paths is empty, or longer than 128 KiB together"
        raise InvalidRequest(detail)
    follow = request.follow_symlinks

    async def answer(ports: Ports, call: Call) -> Reply:
        result = await ask(
            ports,
            call,
            lambda number, deadline_ns: FilesRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                scope=call.scope,
                paths=paths,
                follow_symlinks=follow,
            ),
        )
        if not isinstance(result, FilesAnswer):
            raise unexpected(result)
        return Reply(
            messages.files(result.rows),
            rows=len(result.rows),
            redaction=messages.NAMES,
            paths=frozenset(paths),
            answers=len(paths),
            missing_paths=_missing(paths, result.rows),
        )

    return Question(
        arguments=arguments_of(("follow_symlinks", "true" if follow else ""), *(("paths", path) for path in paths)),
        answer=answer,
        target=target,
    )


def list_directory(wire: bytes) -> Question:
    """Reads a ListDirectoryRequest."""
    request = parse(inspect_pb2.ListDirectoryRequest, wire)
    target = ref_of(request.process)
    path = path_of(request.path)
    limit = _page_size(request.page_size)
    after_index = _page_token(request.page_token)

    async def answer(ports: Ports, call: Call) -> Reply:
        result = await ask(
            ports,
            call,
            lambda number, deadline_ns: DirectoryRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                scope_list=call.scope,
                scope_metadata=call.widened[Permission.FILES_METADATA],
                path=path,
                after_index=after_index,
                limit=_within_budget(ports, call, limit),
            ),
        )
        if not isinstance(result, DirectoryAnswer):
            raise unexpected(result)
        page = result.page
        below = path.rstrip("/")
        return Reply(
            messages.directory(page, _next_token(page.next_index)),
            rows=len(page.rows),
            redaction=messages.NAMES,
            paths=frozenset((path, *(f"{below}/{row.name.text}" for row in page.rows))),
            missing_paths=(path,) if page.unavailable in MISSING else (),
        )

    return Question(
        arguments=arguments_of(("path", path), ("page_token", request.page_token)),
        answer=answer,
        target=target,
    )


def _missing(paths: tuple[str, ...], rows: tuple[FileRow | MissingFile, ...]) -> tuple[str, ...]:
    """Gives the paths that nothing is said of because they do not exist or are outside the scope."""
    return tuple(
        path for path, row in zip(paths, rows, strict=False) if isinstance(row, MissingFile) and row.reason in MISSING
    )


def _within_budget(ports: Ports, call: Call, limit: int) -> int:
    """Gives a size of page that the rows left have room for: to be refused one tells that there are more than those."""
    if call.session is None:
        return limit
    rows = ports.disclosure.room(accounts_of(call.session, call.grants)).rows
    return limit if rows is None else max(1, min(limit, rows))


def _at_most(limit: int, values: Iterable[_Value], field: str) -> tuple[_Value, ...]:
    given = tuple(values)
    if len(given) > limit:
        message = f"{field} has {len(given)} entries"
        raise InvalidRequest(message)
    return given


def _page_size(size: int) -> int:
    if size < 0:
        detail = "page_size is negative"
        raise InvalidRequest(detail)
    return min(size or _DEFAULT_PAGE, _MAX_PAGE)


def _page_token(token: str) -> int:
    if not token:
        return 0
    if not _PAGE_TOKEN.fullmatch(token):
        detail = "page_token is not one of ours"
        raise InvalidRequest(detail)
    return int(token)


def _next_token(position: int) -> str:
    return str(position) if position else ""


def _text(text: str, limit: int, field: str) -> str:
    if len(text) > limit or "\0" in text:
        message = f"{field} is longer than {limit} characters or holds a NUL"
        raise InvalidRequest(message)
    return text


def _variable(name: str) -> str:
    if not name or "=" in name:
        detail = "a variable's name is empty or holds '='"
        raise InvalidRequest(detail)
    return _text(name, _MAX_NAME, "names")
