"""Finds where a quoted string begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.extents import EMPTY, MAX_VALUE, NONE
from leadglass_agent.redaction.signs import BACKSLASH, BACKTICK, NEWLINE
from leadglass_agent.redaction.tables import ALNUM, LINE_END, QUOTE, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.extents import Value

_MAX_PREFIX: Final = 2
# JSON in JSON in JSON.
_MAX_ESCAPES: Final = 8
_TRIPLE: Final = 3
_STRING_PREFIX: Final = table(b"bBrRuUfFlLnN@$cC")


def quoted_value(data: bytes, position: int) -> Value:
    """Finds the quoted string that begins at `position`, a prefix letter allowed; NONE when there is none."""
    return quoted_within(data, position, min(len(data), position + MAX_VALUE), 0)


def quoted_within(data: bytes, position: int, limit: int, enclosing: int) -> Value:
    """Finds a quoted string as `quoted_value` does, up to `limit`; the enclosing quote begins none."""
    start = position
    while start < limit and start - position < _MAX_PREFIX and _STRING_PREFIX[data[start]]:
        start += 1
    if start >= limit or not (QUOTE[data[start]] or data[start] == BACKSLASH):
        return NONE
    opening = start
    while opening < limit and data[opening] == BACKSLASH and opening - start < _MAX_ESCAPES:
        opening += 1
    if opening >= limit or not QUOTE[data[opening]]:
        return NONE
    quote = data[opening]
    if opening > start:
        return _escaped(data, data[start : opening + 1], opening + 1, limit)
    if quote == enclosing:
        return NONE
    if limit - start >= _TRIPLE and data[start + 1] == quote and data[start + 2] == quote:
        return _triple(data, start, limit)
    return _plain(data, quote, start + 1, limit)


def _triple(data: bytes, start: int, limit: int) -> Value:
    closing = data.find(data[start : start + _TRIPLE], start + _TRIPLE, limit)
    end = limit if closing < 0 else closing
    return (start + _TRIPLE, end, True) if end > start + _TRIPLE else EMPTY


def _plain(data: bytes, quote: int, start: int, limit: int) -> Value:
    position = start
    while position < limit:
        byte = data[position]
        if byte == quote:
            # A doubled quote is one of the text, in SQL, YAML and CSV; at the very start it is an empty string.
            if position > start and _is_doubled(data, position, quote, limit):
                position += 2
                continue
            break
        if byte == BACKSLASH and position + 1 < limit:
            position += 2
            continue
        if LINE_END[byte]:
            break
        position += 1
    position = min(position, limit)
    return (start, position, True) if position > start else EMPTY


def _is_doubled(data: bytes, position: int, quote: int, limit: int) -> bool:
    if position + 1 >= limit or data[position + 1] != quote or quote == BACKTICK:
        return False
    following = data[position + 2] if position + 2 < limit else NEWLINE
    return ALNUM[following] != 0


def _escaped(data: bytes, quote: bytes, start: int, limit: int) -> Value:
    # The quote first: else a line of many quotes would be read to its end at each.
    closing = data.find(quote, start, limit)
    end = until(data, start, limit if closing < 0 else closing, LINE_END)
    return (start, end, True) if end > start else EMPTY
