"""Finds values that begin behind the end of their line: block scalars, here-documents, a string on the next line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.extents import EMPTY, MAX_VALUE, NONE, NOT_FOUND, trimmed
from leadglass_agent.redaction.quotes import quoted_within
from leadglass_agent.redaction.signs import DASH, NEWLINE, RETURN, TILDE
from leadglass_agent.redaction.tables import ALNUM, BLANK, LINE_END, QUOTE, SPACE, run_end, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.extents import Value
    from leadglass_agent.redaction.lines import Walks

# The mark, an indentation and how the line ends are kept.
_MAX_HEAD: Final = 4
_MAX_LINES: Final = 256
_MAX_WORD: Final = 32


def block_scalar(data: bytes, position: int, limit: int, name_start: int) -> Value:
    """Reads a YAML block scalar: every following line that is indented deeper than its key."""
    # No further: a line of many such marks would be read to its end at each.
    head_end = until(data, position, min(limit, position + _MAX_HEAD + 1), LINE_END)
    if head_end - position > _MAX_HEAD or head_end >= limit:
        return NONE
    line = name_start
    while line > 0 and not LINE_END[data[line - 1]] and name_start - line < MAX_VALUE:
        line -= 1
    indent = name_start - line
    end = head_end
    for _ in range(_MAX_LINES):
        next_line = end
        if next_line < limit and data[next_line] == RETURN:
            next_line += 1
        if next_line >= limit or data[next_line] != NEWLINE:
            break
        text = run_end(data, next_line + 1, limit, BLANK)
        text_end = until(data, text, limit, LINE_END)
        if text_end > text and text - next_line - 1 <= indent:
            break
        end = text_end
    return _trimmed_both(data, head_end, end)


def here_document(data: bytes, position: int, limit: int, walks: Walks) -> Value:
    """Reads a here-document; `position` is behind its `<<`."""
    if position < limit and data[position] in (DASH, TILDE):
        position += 1
    if position < limit and QUOTE[data[position]]:
        position += 1
    word_end = run_end(data, position, min(limit, position + _MAX_WORD), ALNUM)
    word = data[position:word_end]
    start = walks.line.until(data, word_end, limit)
    if not word or start >= limit:
        return NONE
    closing = data.find(word, start, limit)
    return _trimmed_both(data, start, limit if closing < 0 else closing)


def on_next_line(data: bytes, position: int, limit: int, enclosing: int) -> Value:
    """Finds the string on the line behind the one that ends at `position`; EMPTY when none stands there."""
    # A formatter broke the line behind the separator: only a quoted string is certainly its value.
    if data[position] == RETURN and position + 1 < limit and data[position + 1] == NEWLINE:
        position += 1
    if data[position] != NEWLINE:
        return EMPTY
    quoted = quoted_within(data, run_end(data, position + 1, limit, BLANK), limit, enclosing)
    return EMPTY if quoted[0] == NOT_FOUND else quoted


def _trimmed_both(data: bytes, start: int, end: int) -> Value:
    return trimmed(data, run_end(data, start, end, SPACE), end)
