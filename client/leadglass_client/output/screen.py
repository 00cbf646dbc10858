"""Writes a sheet to standard output in the form asked for, and notes to standard error."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING, assert_never

from leadglass_client.errors import OutputLostError, ReaderGoneError
from leadglass_client.forms import OutputForm
from leadglass_client.output.columns import layout
from leadglass_client.output.csv_text import csv_lines
from leadglass_client.output.structured import json_lines, json_record_lines, yaml_lines
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from leadglass_client.output.sheet import Cell, Sheet


def show(sheet: Sheet, form: OutputForm, *, no_color: bool) -> None:
    """Prints the sheet; colors and cut lines only on a terminal, so that a pipe gets whole and stable text."""
    if sys.stdout is None:  # started with it closed
        what = "there is no standard output"
        raise OutputLostError(what)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        for line in _lines(sheet, form, no_color=no_color):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def say(sheet: Sheet, *, no_color: bool) -> None:
    """Writes a sheet's table on standard error, for what has to be read beside the answer and is not part of it."""
    lines = layout(sheet, wide=True, width=None)
    plain = _is_plain(sys.stderr, no_color=no_color)
    for line in _plain(lines) if plain else _colored(lines):
        sys.stderr.write(f"{line}\n")


def note(text: str) -> None:
    """Says on standard error what the data alone does not, such as a list that was cut."""
    sys.stderr.write(f"note: {printable(text)}\n")


def _lines(sheet: Sheet, form: OutputForm, *, no_color: bool) -> Iterable[str]:
    match form:
        case OutputForm.TABLE | OutputForm.WIDE:
            return _table_lines(sheet, wide=form is OutputForm.WIDE, no_color=no_color)
        case OutputForm.JSON:
            return json_lines(sheet.document)
        case OutputForm.JSONL:
            return json_record_lines(sheet.records)
        case OutputForm.YAML:
            return yaml_lines(sheet.document)
        case OutputForm.CSV:
            return (f"{line}\r" for line in csv_lines(sheet.fields, sheet.records))
        case OutputForm.NAME:
            return sheet.identifiers
        case _:
            assert_never(form)


def _table_lines(sheet: Sheet, *, wide: bool, no_color: bool) -> Iterator[str]:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not wide else None
    lines = layout(sheet, wide=wide, width=width)
    return _plain(lines) if _is_plain(sys.stdout, no_color=no_color) else _colored(lines)


def _is_plain(stream: TextIO, *, no_color: bool) -> bool:
    dumb = os.environ.get("TERM") in {"dumb", None}
    return no_color or not stream.isatty() or bool(os.environ.get("NO_COLOR")) or dumb


def _plain(lines: Iterable[tuple[Cell, ...]]) -> Iterator[str]:
    return ("".join(cell.text for cell in line).rstrip() for line in lines)


def _colored(lines: Iterable[tuple[Cell, ...]]) -> Iterator[str]:
    from rich.color import ColorSystem
    from rich.style import Style

    for line in lines:
        yield "".join(Style.parse(cell.look).render(cell.text, color_system=ColorSystem.STANDARD) for cell in line)
