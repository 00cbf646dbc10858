"""Spans the values below a secret's name in the head of a table: CSV, tab-separated values, what a database prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import is_count, is_harmless
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.shapes import PLAIN
from leadglass_agent.redaction.signs import BEYOND_ASCII, BLANK_SPACE, NEWLINE
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BLANK, LINE_END, QUOTE, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

_RANK: Final = 42
_MAX_HEAD: Final = 1024
_MAX_FIELDS: Final = 64
_MAX_FIELD: Final = 48
_MIN_VALUE: Final = 3
_DELIMITERS: Final = table(b",;\t|")
_HEAD_BYTES: Final = bytes(
    1 if ALNUM[byte] or byte >= BEYOND_ASCII or byte in b" _-.\"'`()#" else 0 for byte in range(256)
)
_RULER: Final = table(b"-+|:= \t")


def confirm_column(data: bytes, start: int, end: int, secret: SecretName, out: list[Span]) -> int:
    """Spans the column below the name at start to end; gives the place up to which rows were read, 0 for no table."""
    delimiter = _delimiter(data, start, end)
    if delimiter == 0:
        return 0
    line = start
    floor = max(0, start - _MAX_HEAD)
    while line > floor and not LINE_END[data[line - 1]]:
        line -= 1
    line_end = until(data, end, min(len(data), end + _MAX_HEAD), LINE_END)
    if line_end >= len(data):
        return 0
    fields = _fields_of_head(data, line, line_end, delimiter)
    if fields == 0:
        return 0
    column = data.count(delimiter, line, start)
    position = _next_line(data, line_end)
    while position < len(data):
        row_end = until(data, position, len(data), LINE_END)
        if not _is_ruler(data, position, row_end):
            if data.count(delimiter, position, row_end) != fields - 1:
                break
            _value(data, position, row_end, delimiter, column, secret, out)
        position = _next_line(data, row_end)
    return position


def _delimiter(data: bytes, start: int, end: int) -> int:
    """Gives the delimiter on either side of a name, or 0; the other side is a delimiter, too, or the line's end."""
    while end < len(data) and (QUOTE[data[end]] or data[end] == BLANK_SPACE):
        end += 1
    while start > 0 and (QUOTE[data[start - 1]] or data[start - 1] == BLANK_SPACE):
        start -= 1
    after = data[end] if end < len(data) else NEWLINE
    before = data[start - 1] if start > 0 else NEWLINE
    if _DELIMITERS[after] and (before == after or LINE_END[before]):
        return after
    if _DELIMITERS[before] and LINE_END[after]:
        return before
    return 0


def _fields_of_head(data: bytes, start: int, end: int, delimiter: int) -> int:
    """Counts the fields of a line of short names, or gives 0 when it is no such line."""
    fields = 1
    field = start
    for position in range(start, end):
        byte = data[position]
        if byte == delimiter:
            fields += 1
            field = position
        elif not _HEAD_BYTES[byte] or position - field > _MAX_FIELD:
            return 0
    return fields if 1 < fields <= _MAX_FIELDS else 0


def _value(data: bytes, start: int, end: int, delimiter: int, column: int, secret: SecretName, out: list[Span]) -> None:
    for _ in range(column):
        start = data.find(delimiter, start, end) + 1
    stop = data.find(delimiter, start, end)
    stop = end if stop < 0 else stop
    while start < stop and (BLANK[data[start]] or QUOTE[data[start]]):
        start += 1
    while stop > start and (BLANK[data[stop - 1]] or QUOTE[data[stop - 1]]):
        stop -= 1
    text = data[start:stop]
    if b" " in text or (text.isalpha() and shape_of(data, start, stop) == PLAIN):
        return  # the description of a field, as in documentation
    if stop - start >= _MIN_VALUE and not is_harmless(text, quoted=True) and not (secret.counts and is_count(text)):
        out.append(Span(start, stop, _RANK, secret.rule_id))


def _next_line(data: bytes, position: int) -> int:
    if position + 1 < len(data) and data[position] != NEWLINE and data[position + 1] == NEWLINE:
        position += 1
    return position + 1


def _is_ruler(data: bytes, start: int, end: int) -> bool:
    return all(_RULER[data[position]] for position in range(start, end))
