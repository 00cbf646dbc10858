"""Finds where a value without quotes ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.extents import NONE, trimmed
from leadglass_agent.redaction.lines import begins_line, line_end
from leadglass_agent.redaction.signs import (
    AMPERSAND,
    BACKSLASH,
    BLANK_SPACE,
    CLOSE,
    CLOSE_BRACKET,
    COLON,
    EQUALS,
    HASH,
    NEWLINE,
    OPEN,
    OPEN_BRACE,
    OPEN_BRACKET,
    PIPE,
    QUESTION,
    SEMICOLON,
    SLASH,
)
from leadglass_agent.redaction.tables import BLANK, DIGITS, LINE_END, LOWER, QUOTE, UPPER, run_end, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.extents import Value
    from leadglass_agent.redaction.lines import Walks

_MAX_CLOSERS: Final = 8
# In a longer value a closing bracket is its own.
_MAX_BALANCED: Final = 512
_MAX_NEXT_NAME: Final = 48
_MAX_BEFORE_NAME: Final = 3
_NAME_START: Final = table(LOWER + UPPER + b"_")
_NEXT_NAME: Final = table(DIGITS + LOWER + UPPER + b"_.-")
_NEXT_BEFORE: Final = table(b" \t,;&|")
_TRAILING: Final = table(b",;: \t\r\n")
_CLOSING: Final = table(b")]}")


def unquoted_value(data: bytes, position: int, limit: int, name_start: int, enclosing: int, walks: Walks) -> Value:
    """Finds the value that begins at `position`: what stands before its name says where it ends."""
    if enclosing:
        return _cut(data, position, line_end(data, position, limit, enclosing, walks))
    before = data[name_start - 1] if name_start > 0 else NEWLINE
    if before in (QUESTION, AMPERSAND):
        return trimmed(data, position, walks.query.until(data, position, limit))
    if before == SEMICOLON or (name_start > 1 and data[name_start - 2] == SEMICOLON):
        return trimmed(data, position, walks.pair.until(data, position, limit))
    if begins_line(data, name_start):
        end = walks.line.until(data, position, limit)
        while end < limit and end > position and data[end - 1] == BACKSLASH and data[end] != 0:
            # A line that goes on: properties files and shells join it with the next.
            end = until(data, run_end(data, end, limit, LINE_END), limit, LINE_END)
        return _cut(data, position, end)
    return _cut(data, position, walks.run.until(data, position, limit))


def _cut(data: bytes, start: int, end: int) -> Value:
    """Cuts a value before the next pair of its line, a comment, and brackets that it did not open."""
    position = start + 1
    while position < end:
        if _NEXT_BEFORE[data[position]] and _ends_before(data, position, end):
            end = position
            break
        position += 1
    end = _without_trailing(data, start, end)
    for _ in range(_MAX_CLOSERS):
        if end <= start or end - start > _MAX_BALANCED or not _CLOSING[data[end - 1]]:
            break
        if not _is_unopened(data, start, end):
            break
        end = _without_trailing(data, start, end - 1)
    return (start, end, False) if end > start else NONE


def _without_trailing(data: bytes, start: int, end: int) -> int:
    while end > start and _TRAILING[data[end - 1]]:
        end -= 1
    return end


def _is_unopened(data: bytes, start: int, end: int) -> bool:
    closer = data[end - 1]
    opener = OPEN if closer == CLOSE else OPEN_BRACKET if closer == CLOSE_BRACKET else OPEN_BRACE
    return _count(data, start, end, opener) < _count(data, start, end, closer)


def _count(data: bytes, start: int, end: int, byte: int) -> int:
    count = 0
    for position in range(start, end):
        if data[position] == byte:
            count += 1
    return count


def _ends_before(data: bytes, position: int, end: int) -> bool:
    byte = data[position]
    following = position + 1
    if following >= end:
        return False
    if BLANK[byte]:
        if _begins_other(data, following, end):
            return True
    elif byte == SEMICOLON and BLANK[data[following]]:
        return True  # the shell's ;
    return _begins_pair(data, following, end)


def _begins_other(data: bytes, position: int, end: int) -> bool:
    """Says whether a comment or the next command of a shell begins here, behind a blank."""
    mark = data[position]
    after = data[position + 1] if position + 1 < end else BLANK_SPACE
    if mark in (HASH, SEMICOLON):
        return BLANK[after] != 0
    return after == mark and mark in (SLASH, AMPERSAND, PIPE)


def _begins_pair(data: bytes, position: int, end: int) -> bool:
    """Says whether a name and its separator begin here, be it in quotes."""
    name = position
    while name < end and name - position < _MAX_BEFORE_NAME and (BLANK[data[name]] or QUOTE[data[name]]):
        name += 1
    if name >= end or not _NAME_START[data[name]]:
        return False
    name = run_end(data, name, min(end, name + _MAX_NEXT_NAME), _NEXT_NAME)
    if name < end and QUOTE[data[name]]:
        name += 1
    if name < end and BLANK[data[name]]:
        name += 1
    if name >= end:
        return False
    if data[name] == COLON:
        return not data.startswith(b"//", name + 1)
    return data[name] == EQUALS
