"""Reads names and values in XML, HTML and property lists: as elements, as attributes, as siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.assigned import read_value
from leadglass_agent.redaction.blocks import KEY_RANK
from leadglass_agent.redaction.entities import element_value
from leadglass_agent.redaction.extents import MAX_VALUE
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.names import MAX_GAP
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import CASE_BIT, EQUALS, GREATER, LESS, LOWER_C, LOWER_V, SLASH
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, run_end, run_start, table
from leadglass_agent.redaction.values import find_value
from leadglass_agent.redaction.verdicts import is_plain

if TYPE_CHECKING:
    from leadglass_agent.redaction.lines import Walks
    from leadglass_agent.redaction.names import Name

_MAX_ATTRIBUTES: Final = 120
_TAG: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:")
_TAG_END: Final = table(b"><{}\r\n\0")
_TAG_CLOSE: Final = table(b">/")


def is_element(data: bytes, name: Name) -> bool:
    """Says whether the > behind the name closes a tag: `<password>`, `<ns:password>`, `<entry key="password">`."""
    start = run_start(data, name.start, max(0, name.start - MAX_GAP), _TAG)
    if start > 0 and data[start - 1] == LESS:
        return True
    if not name.closed:
        return False
    opening = data.rfind(b"<", max(0, name.start - _MAX_ATTRIBUTES), name.start)
    return opening >= 0 and data.find(b">", opening, name.start) < 0


def read_element_with_attributes(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    """Reads `<password xsi:type="xsd:string">x</password>`."""
    closing = data.find(b">", position, min(len(data), position + _MAX_ATTRIBUTES))
    if closing <= 0:
        return
    found = data.find(b"value=", position, closing)
    if found > 0:
        start, end, _quoted = quoted_value(data, found + len(b"value="))
        if start > 0 and not is_harmless(data[start:end], quoted=True):
            out.append(Span(start, end, KEY_RANK, name.secret.rule_id))
    elif data[closing - 1] != SLASH:
        read_value(data, closing + 1, name, GREATER, walks, out)


def read_sibling(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads a property list's `<key>Password</key><string>x</string>`."""
    if not data.startswith(b"</", position):
        return
    limit = min(len(data), position + _MAX_ATTRIBUTES)
    opening = data.find(b"<", position + len(b"</"), limit)
    start = data.find(b">", opening, limit) + 1 if opening > 0 else 0
    if start <= 0 or data[opening + 1] == SLASH:
        return
    end = data.find(b"<", start, min(len(data), start + MAX_VALUE))
    if end > start and not is_harmless(data[start:end], quoted=True):
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def read_escaped_element(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads the text of an element whose tags are entities: `&lt;password&gt;x&lt;/password&gt;`."""
    start, end = element_value(data, position)
    if end > start and not is_harmless(data[start:end], quoted=True):
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def read_attribute(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    """Reads `name="password" … value="x"`, whatever other attributes stand between."""
    limit = min(len(data), position + _MAX_ATTRIBUTES)
    while position < limit:
        byte = data[position]
        if _TAG_CLOSE[byte] and _value_before(data, name, out):
            return
        if _TAG_END[byte]:
            return
        length = _attribute_length(data, position)
        if length > 0:
            position = run_end(data, position + length, limit, BLANK)
            if position < limit and data[position] == EQUALS:
                _attribute_value(data, position + 1, name, walks, out)
            return
        position += 1


def _attribute_length(data: bytes, position: int) -> int:
    """Gives the length of the name of an attribute that holds a value, or 0 for any other word."""
    byte = data[position]
    if byte == LOWER_C:
        return len(b"content") if data.startswith(b"content=", position) else 0
    length = len(b"value")
    if byte | CASE_BIT == LOWER_V and data[position : position + length].lower() == b"value":
        return length
    return 0


def _attribute_value(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    start, end, quoted = find_value(data, position, name.start, EQUALS, 0, walks)
    if start >= 0 and not is_plain(data, data[start:end], quoted, name.start, EQUALS, name.secret):
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def _value_before(data: bytes, name: Name, out: list[Span]) -> bool:
    """Reads `<input value="x" name="password">`: the value stands before the name."""
    opening = data.rfind(b"<", max(0, name.start - _MAX_ATTRIBUTES), name.start)
    found = data.find(b"value=", opening, name.start) if opening >= 0 else -1
    if found < 0:
        return False
    start, end, _quoted = quoted_value(data, found + len(b"value="))
    if start < 0 or end > name.start or is_harmless(data[start:end], quoted=True):
        return False
    out.append(Span(start, end, KEY_RANK, name.secret.rule_id))
    return True
