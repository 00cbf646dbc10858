"""The question of ReadText: bounds of the request, and the pages that are asked of the reader one after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from leadglass.v1 import inspect_pb2
from leadglass_agent.api import messages
from leadglass_agent.api.question import LiveCall, Ports, Reply, StreamQuestion, ask, known_rules, parse, unexpected
from leadglass_agent.api.request_bounds import arguments_of, path_of, ref_of
from leadglass_agent.errors import InvalidRequest, Reason, Refusal
from leadglass_agent.processes.messages import TextAnswer, TextRequest
from leadglass_agent.views.rows import MISSING, TextEnd, TextFilter, TextPage, TextQuery, TextStart

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from leadglass_agent.views.rows import ProcessRef

# The bounds that the contract states beside each field.
_TAIL_LINES: Final = 1_000
_DEFAULT_LINES: Final = 100_000
_MAX_LINES: Final = 1_000_000
_DEFAULT_BYTES: Final = 16 * 1024 * 1024
_MAX_BYTES: Final = 1024 * 1024 * 1024
_TAIL_BYTES: Final = 128 * 1024 * 1024  # are looked through for newlines within a fraction of the worker's deadline
_MAX_OFFSET: Final = 2**63 - 1  # off_t
_MAX_AROUND: Final = 50
_MAX_PATTERN_BYTES: Final = 256

_POLL_SECONDS: Final = 0.5
# An orderly last message instead of a deadline that passed.
_MARGIN_SECONDS: Final = 0.5
_CLOSE_SECONDS: Final = 2.0
_STARTS: Final = {
    inspect_pb2.TEXT_START_UNSPECIFIED: TextStart.HEAD,
    inspect_pb2.TEXT_START_HEAD: TextStart.HEAD,
    inspect_pb2.TEXT_START_TAIL: TextStart.TAIL,
    inspect_pb2.TEXT_START_OFFSET: TextStart.OFFSET,
}
_closing: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references to tasks


def read_text(wire: bytes) -> StreamQuestion:
    """Reads a ReadTextRequest."""
    request = parse(inspect_pb2.ReadTextRequest, wire)
    target = ref_of(request.process)
    query = _query(request)

    def answers(ports: Ports, live: LiveCall) -> AsyncGenerator[Reply, None]:
        return _replies(ports, live, target, query)

    wanted = query.filter
    return StreamQuestion(
        arguments=arguments_of(
            ("path", query.path),
            ("start", query.start.value),
            ("offset_bytes", str(query.offset_bytes or "")),
            ("max_lines", str(query.max_lines)),
            ("max_bytes", str(query.max_bytes)),
            ("follow", "true" if query.follow else ""),
            ("pattern", wanted.pattern if wanted is not None else ""),
        ),
        answers=answers,
        target=target,
    )


def _query(request: inspect_pb2.ReadTextRequest) -> TextQuery:
    start = _STARTS.get(request.start)
    if start is None or request.offset_bytes > _MAX_OFFSET:
        detail = "start or offset_bytes is out of bounds"
        raise InvalidRequest(detail)
    wanted = _filter(request.filter) if request.HasField("filter") else None
    is_plain_tail = start is TextStart.TAIL and wanted is None
    return TextQuery(
        path=path_of(request.path),
        start=start,
        offset_bytes=request.offset_bytes if start is TextStart.OFFSET else 0,
        max_lines=min(request.max_lines or (_TAIL_LINES if is_plain_tail else _DEFAULT_LINES), _MAX_LINES),
        max_bytes=min(
            request.max_bytes or (_DEFAULT_BYTES if wanted is None else _MAX_BYTES),
            _TAIL_BYTES if is_plain_tail else _MAX_BYTES,
        ),
        follow=request.follow,
        filter=wanted,
    )


def _filter(wanted: inspect_pb2.TextFilter) -> TextFilter:
    if not 0 < len(wanted.pattern.encode()) <= _MAX_PATTERN_BYTES:
        detail = "the pattern is empty or longer than 256 bytes"
        raise InvalidRequest(detail)
    if max(wanted.before_lines, wanted.after_lines) > _MAX_AROUND:
        detail = "more than 50 lines around each are asked for"
        raise InvalidRequest(detail)
    return TextFilter(
        pattern=wanted.pattern,
        fixed=wanted.fixed,
        ignore_case=wanted.ignore_case,
        before=wanted.before_lines,
        after=wanted.after_lines,
    )


async def _replies(ports: Ports, live: LiveCall, target: ProcessRef, query: TextQuery) -> AsyncGenerator[Reply, None]:
    """Asks for page after page; lets go of the window if the caller goes before its end."""
    ends = asyncio.get_running_loop().time() + live.seconds - _MARGIN_SECONDS
    stream = 0
    try:
        while True:
            page = await _ask(ports, live, target, query, stream)
            is_late = page.end is None and asyncio.get_running_loop().time() >= ends
            stream = page.stream
            if is_late:
                page = msgspec.structs.replace(page, end=TextEnd.TIME_LIMIT)
            if not page.is_waiting or page.file is not None or is_late:
                yield _reply(ports, page, query)
            if page.end is not None:
                return
            if page.is_waiting:
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        if stream:
            closing = asyncio.create_task(_close(ports, live, target, query, stream))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)


async def _ask(ports: Ports, live: LiveCall, target: ProcessRef, query: TextQuery, stream: int) -> TextPage:
    call = live.call
    try:
        answer = await ask(
            ports,
            call,
            lambda number, deadline_ns: TextRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                scope=call.scope,
                query=query,
                stream=stream,
                close=False,
            ),
        )
    except Refusal as refusal:
        if stream and refusal.reason is Reason.PROCESS_NOT_FOUND:
            # Files of a process that has ended cannot be reached any more; that is how a stream of them ends.
            return TextPage(0, messages.NAMES, end=TextEnd.INTERRUPTED)
        raise
    if not isinstance(answer, TextAnswer):
        raise unexpected(answer)
    return answer.page


def _reply(ports: Ports, page: TextPage, query: TextQuery) -> Reply:
    redactions = known_rules(ports, page.redactions)
    return Reply(
        messages.text(page),
        rows=len(page.lines),
        masked=sum(count for _, count in redactions),
        redaction=page.redaction,
        redactions=redactions,
        is_last=page.end is not None,
        own_words=(query.path,),
        paths=frozenset({query.path}),
        missing_paths=(query.path,) if page.unavailable in MISSING else (),
        running_text="\n".join(line.text.text for line in page.lines),
    )


async def _close(ports: Ports, live: LiveCall, target: ProcessRef, query: TextQuery, stream: int) -> None:
    """Tells the worker that nobody reads on; if it cannot be told, it forgets the window by itself."""
    with suppress(Refusal):
        await ports.reader.ask(
            lambda number, deadline_ns: TextRequest(
                id=number,
                deadline_ns=deadline_ns,
                process=target,
                scope=live.call.scope,
                query=query,
                stream=stream,
                close=True,
            ),
            _CLOSE_SECONDS,
        )
