"""Tells where lines and the runs within them begin and end."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.signs import BACKSLASH
from leadglass_agent.redaction.tables import ALNUM, BLANK, LINE_END, NAME, Walk, run_end, table

_LOOKBACK: Final = 64
_RUN_STOP: Final = table(b" \t\r\n\x0b\x0c\0\"'`<>")
_QUERY_STOP: Final = table(b" \t\r\n\x0b\x0c\0\"'`<>&;")
_PAIR_STOP: Final = table(b";\r\n\0\"'")
_ELEMENT_STOP: Final = table(b"<\0")
_LIST_MARKS: Final = table(b" \t-#;\"'`")
_EXPORTS: Final = (
    *(b"export", b"set", b"setx", b"env", b"ENV", b"ARG"),
    *(b"local", b"const", b"let", b"var", b"readonly", b"define"),
)
# These may have options of their own before the name.
_DECLARATIONS: Final = (b"declare", b"typeset")


@final
class Walks:
    """The walks that the values of one text share, and how far its tables were read."""

    __slots__ = ("element", "line", "pair", "query", "run", "table_to")

    def __init__(self) -> None:
        self.line = Walk(LINE_END)
        self.run = Walk(_RUN_STOP)
        self.query = Walk(_QUERY_STOP)
        self.pair = Walk(_PAIR_STOP)
        self.element = Walk(_ELEMENT_STOP)
        self.table_to = 0


def begins_line(data: bytes, start: int) -> bool:
    """Says whether nothing but indentation, an export or a list mark stands before `start` on its line."""
    floor = max(0, start - _LOOKBACK)
    line = start
    while line > floor and not LINE_END[data[line - 1]]:
        line -= 1
    if line == floor and floor > 0 and not LINE_END[data[floor - 1]]:
        return False
    line = run_end(data, line, start, _LIST_MARKS)
    if line >= start:
        return True
    word_end = run_end(data, line, start, ALNUM)
    word = data[line:word_end]
    if word in _DECLARATIONS:
        word_end = run_end(data, run_end(data, word_end, start, BLANK), start, NAME)
    elif word not in _EXPORTS:
        return False
    return word_end < start and run_end(data, word_end, start, _LIST_MARKS) >= start


def line_end(data: bytes, position: int, limit: int, enclosing: int, walks: Walks) -> int:
    """Gives the end of the line, or the enclosing quote's place when that comes first."""
    end = walks.line.until(data, position, limit)
    if enclosing:
        closing = data.find(enclosing, position, end)
        if closing >= 0:
            # The quotes of a JSON text within a string are escaped, and so is the one that closes.
            while closing > position and data[closing - 1] == BACKSLASH:
                closing -= 1
            return closing
    return end
