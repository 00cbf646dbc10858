"""Finds values in markup that is written as entities: `&quot;x&quot;`, `&lt;password&gt;x&lt;/password&gt;`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.extents import EMPTY, MAX_VALUE, NONE
from leadglass_agent.redaction.signs import AMPERSAND

if TYPE_CHECKING:
    from leadglass_agent.redaction.extents import Value

_QUOTES: Final = (b"&quot;", b"&#34;", b"&#39;", b"&apos;", b"&#x22;", b"&#x27;")
# What may close the quote around a name.
_CLOSERS: Final = (b"&quot;", b"&#34;", b"&#39;", b"&apos;")


def entity_quoted(data: bytes, position: int, limit: int) -> Value:
    """Finds the string whose quote is the entity at `position`; NONE when no such entity stands there."""
    for entity in _QUOTES:
        if data.startswith(entity, position):
            start = position + len(entity)
            end = data.find(entity, start, limit)
            return (start, end, True) if end > start else EMPTY
    return NONE


def closing_quote(data: bytes, position: int) -> int:
    """Gives the place of the semicolon of the quote's entity at `position`, or -1."""
    return data.find(b";", position) if data.startswith(_CLOSERS, position) else -1


def is_element(data: bytes, name_start: int, position: int) -> bool:
    """Says whether the name that ends before the & at `position` is an element's."""
    return data.startswith(b"&gt;", position) and data.endswith(b"&lt;", 0, name_start)


def element_value(data: bytes, position: int) -> tuple[int, int]:
    """Gives the bounds of the text behind the `&gt;` at `position`; they are no value when the end is not behind."""
    start = position + len(b"&gt;")
    return start, data.find(b"&lt;", start, min(len(data), start + MAX_VALUE))


def without_quotes(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Gives the bounds of a value without the entities of its quotes, if it has them."""
    if data[start] == AMPERSAND:
        opened = data.find(b";", start, end)
        closing = data.find(b"&", opened, end) if opened >= 0 else -1
        if closing > opened + 1:
            return opened + 1, closing
    return start, end
