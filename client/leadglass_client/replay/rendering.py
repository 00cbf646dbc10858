"""Prints a recorded answer as the command printed it that asked for it: by the same views, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from leadglass.v1.inspect_pb2 import (
    ExplainAccessRequest,
    ExplainAccessResponse,
    ListDirectoryResponse,
    ListEnvironmentResponse,
    ListProcessesResponse,
    ReadTextRequest,
    ReadTextResponse,
    StatFilesResponse,
)
from leadglass_client.forms import OutputForm
from leadglass_client.output.lines import LineOutput
from leadglass_client.output.records import field_names, record
from leadglass_client.output.screen import note, show
from leadglass_client.output.sheet import Cell, Sheet
from leadglass_client.output.structured import json_record_lines
from leadglass_client.output.visible import printable
from leadglass_client.views.access import access_sheet
from leadglass_client.views.environment import environment_sheet
from leadglass_client.views.files import directory_sheet, stat_sheet
from leadglass_client.views.processes import process_notes, process_sheet
from leadglass_client.views.text import line_record, plain_lines, text_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from leadglass_client.replay.screens import Screen

_STREAMED: Final = frozenset({OutputForm.TABLE, OutputForm.WIDE, OutputForm.JSONL})
_Message = TypeVar("_Message")


def render(screen: Screen, form: OutputForm, *, flat: bool, no_color: bool) -> None:
    """Prints the answer.

    A call that was refused printed nothing, but for the lines of a text, which are printed as they come.
    """
    is_whole = not screen.refusal and screen.calls[-1].ended is not None
    if isinstance(screen.request, ReadTextRequest) and (is_whole or form in _STREAMED):
        _text(screen.request, _all_of(screen, ReadTextResponse), form, no_color=no_color)
        return
    if not is_whole or not screen.replies:
        return
    show(_sheet(screen, flat=flat), form, no_color=no_color)
    if isinstance(screen.replies[0], ListProcessesResponse):
        for line in process_notes(_all_of(screen, ListProcessesResponse)):
            note(line)


def _sheet(screen: Screen, *, flat: bool) -> Sheet:
    last = screen.replies[-1]
    more = bool(getattr(last, "next_page_token", ""))
    match screen.replies[0]:
        case ListProcessesResponse():
            return process_sheet(_all_of(screen, ListProcessesResponse), more=more, flat=flat)
        case ListEnvironmentResponse():
            return environment_sheet(_all_of(screen, ListEnvironmentResponse), more=more)
        case ListDirectoryResponse():
            return directory_sheet(_all_of(screen, ListDirectoryResponse), more=more)
        case StatFilesResponse():
            return stat_sheet([file for reply in _all_of(screen, StatFilesResponse) for file in reply.files])
        case ExplainAccessResponse() as answer if isinstance(screen.request, ExplainAccessRequest):
            return access_sheet(screen.request, answer)
        case other:
            return _plain_sheet(other)


def _text(request: ReadTextRequest, replies: Sequence[ReadTextResponse], form: OutputForm, *, no_color: bool) -> None:
    if form not in _STREAMED:
        show(text_sheet(replies), form, no_color=no_color)
        return
    out = LineOutput()
    gaps = bool(request.filter.before_lines or request.filter.after_lines)
    for reply in replies:
        if reply.lines and form is OutputForm.JSONL:
            out.write(json_record_lines([line_record(line) for line in reply.lines]))
        elif reply.lines:
            out.write(plain_lines(reply, gaps=gaps))


def _plain_sheet(message: Message) -> Sheet:
    """Makes the sheet of a message that no command shows within a session."""
    whole = record(message)
    heading = tuple((name, Cell(printable(str(value)))) for name, value in whole.items())
    return Sheet(whole, (whole,), field_names(message.DESCRIPTOR), (), heading)


def _all_of(screen: Screen, kind: type[_Message]) -> tuple[_Message, ...]:
    return tuple(reply for reply in screen.replies if isinstance(reply, kind))
