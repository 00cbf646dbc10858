"""Declares `leadglass cat`, `leadglass tail` and `leadglass grep`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import (
    ProcessName,
    global_options,
    plain_text,
    process_name,
    with_global_options,
    with_output,
)

if TYPE_CHECKING:
    from leadglass.v1.inspect_pb2 import ReadTextRequest

_MAX_LINES = 1_000_000
_MAX_BYTES = 1 << 30
_MAX_AROUND = 50
_TAIL_LINES = 10

_lines = click.IntRange(1, _MAX_LINES)
_bytes = click.IntRange(1, _MAX_BYTES)
_around = click.IntRange(0, _MAX_AROUND)


@click.command("cat", short_help="A text file, with its secrets masked.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("path", type=plain_text, metavar="PATH")
@click.option("-n", "--lines", type=_lines, metavar="N", help="Only the first N lines.")
@click.option("-c", "--bytes", "size", type=_bytes, metavar="N", help="Only N bytes, and the rest of the last line.")
@click.option("--offset", type=click.IntRange(0), metavar="N", help="Begin with the line that byte N lies in.")
@with_output
@with_global_options(hidden=True)
def cat(*, process: ProcessName, path: str, lines: int | None, size: int | None, offset: int | None, form: str) -> None:
    """Shows a text file as the process sees it, with every secret that is recognised masked.

    Without limits at most 100,000 lines and 16 MiB. Binary files are not shown.
    """
    from leadglass.v1.inspect_pb2 import TEXT_START_HEAD, TEXT_START_OFFSET
    from leadglass_client.online.text import read_text

    request = _request(process, path)
    request.start = TEXT_START_HEAD if offset is None else TEXT_START_OFFSET
    request.offset_bytes = offset or 0
    request.max_lines, request.max_bytes = lines or 0, size or 0
    read_text(global_options(), request, OutputForm(form))


@click.command("tail", short_help="The end of a text file, with its secrets masked; -f follows it.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("path", type=plain_text, metavar="PATH")
@click.option("-n", "--lines", type=_lines, metavar="N", default=_TAIL_LINES, show_default=True, help="Last N lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, also after the file was rotated.")
@with_output
@with_global_options(hidden=True)
def tail(*, process: ProcessName, path: str, lines: int, follow: bool, form: str) -> None:
    """Shows the last lines of a text file as the process sees it, with every secret that is recognised masked.

    Following ends after an hour, with the session, or with Ctrl-C.
    """
    from leadglass.v1.inspect_pb2 import TEXT_START_TAIL
    from leadglass_client.online.text import read_text

    request = _request(process, path)
    request.start, request.max_lines, request.follow = TEXT_START_TAIL, lines, follow
    read_text(global_options(), request, OutputForm(form))


@click.command("grep", short_help="Lines of a text file that fit a pattern, with their secrets masked.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("pattern", type=plain_text, metavar="PATTERN")
@click.argument("path", type=plain_text, metavar="PATH")
@click.option("-i", "--ignore-case", is_flag=True, help="Ignore case.")
@click.option("-F", "--fixed-strings", "fixed", is_flag=True, help="PATTERN is a plain text.")
@click.option("-A", "--after-context", "after", type=_around, default=0, metavar="N", help="N lines after each.")
@click.option("-B", "--before-context", "before", type=_around, default=0, metavar="N", help="N lines before each.")
@click.option("-C", "--context-lines", "around", type=_around, default=0, metavar="N", help="N lines around each.")
@click.option("-m", "--max-count", "most", type=_lines, metavar="N", help="Stop after N lines that fit.")
@with_output
@with_global_options(hidden=True)
def grep(  # noqa: PLR0913 - one for each option
    *,
    process: ProcessName,
    pattern: str,
    path: str,
    ignore_case: bool,
    fixed: bool,
    after: int,
    before: int,
    around: int,
    most: int | None,
    form: str,
) -> None:
    """Shows the lines of a text file that fit a regular expression; the agent searches the masked text.

    Exit code 4 if no line fits. PATTERN is in Perl's syntax without look-around and back references.
    """
    from leadglass_client.online.text import read_text

    request = _request(process, path)
    request.max_lines = most or 0
    request.filter.pattern, request.filter.fixed, request.filter.ignore_case = pattern, fixed, ignore_case
    request.filter.before_lines, request.filter.after_lines = before or around, after or around
    read_text(global_options(), request, OutputForm(form))


def _request(process: ProcessName, path: str) -> ReadTextRequest:
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass.v1.inspect_pb2 import ReadTextRequest

    return ReadTextRequest(process=ProcessRef(pid=process.pid, start_ticks=process.start_ticks), path=path)
