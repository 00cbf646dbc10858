"""Asks for windows of text files, and prints their lines as they come."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from leadglass.v1.inspect_pb2 import (
    TEXT_START_HEAD,
    ReadTextRequest,
    ReadTextResponse,
    TextEnd,
)
from leadglass.v1.inspect_pb2_grpc import InspectServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.forms import OutputForm
from leadglass_client.offline.byte_progress import ByteProgress
from leadglass_client.output.lines import LineOutput
from leadglass_client.output.records import short_name
from leadglass_client.output.screen import note, show
from leadglass_client.output.structured import json_record_lines
from leadglass_client.settings.global_options import DEFAULT_TIMEOUT_SECONDS
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.text import line_record, plain_lines, text_sheet
from leadglass_client.views.unavailable import reason_name, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_client.settings.global_options import GlobalOptions

_READ_SECONDS: Final = 60.0
_FOLLOW_SECONDS: Final = 3_600.0  # as long as the agent lets a stream last
_STREAMED: Final = frozenset({OutputForm.TABLE, OutputForm.WIDE, OutputForm.JSONL})
_MAX_COLLECTED_BYTES: Final = 256 * 1024 * 1024
# A rotated file may be absent for a moment.
_TRIES: Final = 30
_TRY_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Told:
    """What was printed by now, and how the window ended."""

    lines: int = 0
    size_bytes: int = 0
    end: str = ""
    unavailable: int = 0


def read_text(options: GlobalOptions, request: ReadTextRequest, form: OutputForm) -> None:
    """Prints a window, or follows a file until interrupted; fails with what kept it from being whole."""
    if request.follow and form not in _STREAMED:
        what = f"-o {form.value} is for a text that has an end"
        raise Failure(ExitCode.USAGE, what, "follow with -o jsonl, or as plain text")
    if options.timeout_seconds == DEFAULT_TIMEOUT_SECONDS:
        options = replace(options, timeout_seconds=_FOLLOW_SECONDS if request.follow else _READ_SECONDS)
    with Agent(resolve_target(options)) as agent:
        told = _print(agent, options, request, form)
        while request.follow and told.end in {"FILE_ROTATED", "FILE_TRUNCATED"}:
            note(f"{request.path}: {_WORDS[told.end]}; following it from its beginning")
            told = _follow_anew(agent, options, request, form)
    failure = _failure(request, told)
    if failure is not None:
        raise failure


def _print(agent: Agent, options: GlobalOptions, request: ReadTextRequest, form: OutputForm) -> _Told:
    told = _Told()
    messages = _messages(agent, request, told)
    if form not in _STREAMED:
        show(text_sheet(_collected(messages)), form, no_color=options.no_color)
        return told
    out = LineOutput()
    gaps = bool(request.filter.before_lines or request.filter.after_lines)
    progress: ByteProgress | None = None
    try:
        for message in messages:
            if progress is None:
                progress = _progress(options, request, out, message)
            if message.lines:
                is_plain = form is not OutputForm.JSONL
                records = [] if is_plain else [line_record(line) for line in message.lines]
                out.write(plain_lines(message, gaps=gaps) if is_plain else json_record_lines(records))
            progress.reach(max(0, message.position_bytes - request.offset_bytes))
    finally:
        if progress is not None:
            progress.__exit__(None, None, None)
    return told


def _progress(
    options: GlobalOptions, request: ReadTextRequest, out: LineOutput, first: ReadTextResponse
) -> ByteProgress:
    """Makes a bar for a long file; on a terminal that the text goes to, the text itself is what moves."""
    total = first.file.size_bytes - first.file.start_bytes if first.HasField("file") else None
    if total is not None and request.max_bytes:
        total = min(total, request.max_bytes)
    return ByteProgress(total, wanted=not request.follow and not out.is_terminal, no_color=options.no_color)


def _messages(agent: Agent, request: ReadTextRequest, told: _Told) -> Iterator[ReadTextResponse]:
    for message in agent.stream(InspectServiceStub(agent.channel).ReadText, request):
        told.lines += len(message.lines)
        told.size_bytes += message.ByteSize()
        if message.end:
            told.end = short_name(TextEnd.DESCRIPTOR, message.end)
            told.unavailable = message.unavailable
        yield message


def _collected(messages: Iterator[ReadTextResponse]) -> list[ReadTextResponse]:
    collected: list[ReadTextResponse] = []
    size = 0
    for message in messages:
        size += message.ByteSize()
        if size > _MAX_COLLECTED_BYTES:
            what = "the text is too large for one document"
            raise Failure(ExitCode.PARTIAL, what, "take -o jsonl, or ask for less: --lines, --bytes")
        collected.append(message)
    return collected


def _follow_anew(agent: Agent, options: GlobalOptions, request: ReadTextRequest, form: OutputForm) -> _Told:
    again = ReadTextRequest()
    again.CopyFrom(request)
    again.start = TEXT_START_HEAD
    told = _Told()
    for _ in range(_TRIES):
        told = _print(agent, options, again, form)
        if told.end != "UNAVAILABLE" or reason_name(told.unavailable) != "NOT_FOUND":
            return told
        time.sleep(_TRY_SECONDS)
    return told


_WORDS: Final = {
    "LINE_LIMIT": "there may be more lines than the limit",
    "BYTE_LIMIT": "the text is longer than the limit",
    "TIME_LIMIT": "the time was over before the end of the text",
    "FILE_TRUNCATED": "the file became shorter while it was read",
    "FILE_ROTATED": "the path leads to another file now",
    "INTERRUPTED": "the agent gave up reading the file, which may hang, or whose process has ended",
}
_NEXT: Final = {
    "LINE_LIMIT": "ask for more: --lines",
    "BYTE_LIMIT": "ask for more: --bytes; or for another part: --offset",
    "TIME_LIMIT": "give it more time: --timeout 600; or ask for less",
    "FILE_TRUNCATED": "ask again",
    "FILE_ROTATED": "ask again",
    "INTERRUPTED": "ask again; see: leadglass ps",
}


def _failure(request: ReadTextRequest, told: _Told) -> Failure | None:
    """Tells how a window that is not whole ended; a limit that was asked for is no failure."""
    if told.end == "UNAVAILABLE":
        return unavailable(told.unavailable, request.path)
    is_asked = (told.end == "LINE_LIMIT" and request.max_lines) or (told.end == "BYTE_LIMIT" and request.max_bytes)
    is_over = request.follow and told.end == "TIME_LIMIT"
    if told.end != "END_OF_FILE" and not is_asked and not is_over:
        what = f"{request.path}: {_WORDS.get(told.end, 'the agent does not say why the text ends here')}"
        code = ExitCode.DEADLINE if told.end == "TIME_LIMIT" else ExitCode.PARTIAL
        return Failure(code, what, _NEXT.get(told.end, "compare versions: leadglass self, leadglass --version"))
    if request.HasField("filter") and not told.lines and not request.follow:
        what = f"{request.path}: no line fits"
        return Failure(
            ExitCode.NOT_FOUND, what, "the pattern is searched for in the masked text; case counts without -i"
        )
    return None
