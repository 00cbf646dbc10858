"""Finds the value behind a name's separator, whatever form it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.block_scalars import block_scalar, here_document, on_next_line
from leadglass_agent.redaction.entities import entity_quoted
from leadglass_agent.redaction.extents import EMPTY, MAX_VALUE, NONE, NOT_FOUND, trimmed
from leadglass_agent.redaction.lines import line_end
from leadglass_agent.redaction.names import past_colour
from leadglass_agent.redaction.quotes import quoted_within
from leadglass_agent.redaction.signs import (
    AMPERSAND,
    BANG,
    CLOSE_BRACE,
    CLOSE_BRACKET,
    ESCAPE,
    GREATER,
    LESS,
    LOWER_S,
    OPEN_BRACE,
    OPEN_BRACKET,
    STAR,
)
from leadglass_agent.redaction.tables import BLANK, DIGITS, LINE_END, LOWER, QUOTE, SPACE, UPPER, run_end, table
from leadglass_agent.redaction.unquoted import unquoted_value

if TYPE_CHECKING:
    from leadglass_agent.redaction.extents import Value
    from leadglass_agent.redaction.lines import Walks

_MAX_BLANKS: Final = 256
_OPEN_ELEMENT: Final = 4096
_MAX_DUMP_HEAD: Final = 16
_MAX_TAG: Final = 40
_MAX_NUMBERS: Final = 2048
_MIN_NUMBERS: Final = 7
_NUMBERS: Final = table(b"0123456789abcdefABCDEFxX, \t\r\n")
_MAX_HASH_SCHEME: Final = 18
# What may stand before a value and is none of it, and what begins a value of more than a run of bytes.
_MARK: Final = table(b"*<s!\x1b")
_OPENING: Final = table(b"&[{|><\r\n\0")
_TAG_NAME: Final = table(LOWER + UPPER + DIGITS + b"-_!:./")
# Tags of what is kept elsewhere or encrypted.
_REFERENCES: Final = (b"!vault", b"!Ref", b"!Sub", b"!GetAtt", b"!ENV", b"!secret")


def find_value(data: bytes, position: int, name_start: int, separator: int, enclosing: int, walks: Walks) -> Value:
    """Finds the value at or after `position`, just behind the separator of the name that starts at `name_start`.

    `enclosing` is the quote around name and value together, or 0.
    """
    limit = min(len(data), position + MAX_VALUE)
    if separator == GREATER:
        return _element_text(data, position, limit, walks)
    position = run_end(data, position, min(limit, position + _MAX_BLANKS), BLANK)
    if position >= limit:
        return NONE
    if _MARK[data[position]]:
        position = _past_marks(data, position, limit)
        if position >= limit:
            return NONE
    quoted = quoted_within(data, position, limit, enclosing)
    if quoted[0] != NOT_FOUND:
        return quoted
    if _OPENING[data[position]]:
        opened = _opened(data, position, limit, name_start, enclosing, walks)
        if opened[0] != NOT_FOUND:
            return opened
    return unquoted_value(data, position, limit, name_start, enclosing, walks)


def header_value(data: bytes, position: int, enclosing: int, walks: Walks) -> Value:
    """Finds a header's whole value: up to its own or the enclosing quote, else to the end of the line."""
    limit = min(len(data), position + MAX_VALUE)
    position = run_end(data, position, min(limit, position + _MAX_BLANKS), BLANK)
    quoted = quoted_within(data, position, limit, enclosing)
    if quoted[0] != NOT_FOUND:
        return quoted
    return trimmed(data, position, line_end(data, position, limit, enclosing, walks))


def _element_text(data: bytes, position: int, limit: int, walks: Walks) -> Value:
    end = walks.element.until(data, position, limit)
    # So much text without a tag is a value that goes on behind what is at hand.
    is_open = end == limit and end - position >= _OPEN_ELEMENT
    return trimmed(data, position, end) if is_open or data.startswith(b"</", end) else NONE


def _past_marks(data: bytes, position: int, limit: int) -> int:
    """Reads past what is no part of a value: the end of bold or of a tag, a type, a colour, a YAML tag."""
    first = data[position]
    if first == STAR and data.startswith(b"** ", position):  # the end of bold in Markdown
        position += len(b"** ")
    elif first == LESS and data.startswith(b"</", position):
        closing = data.find(b">", position, min(limit, position + _MAX_TAG))
        position = run_end(data, closing + 1, limit, BLANK) if closing > 0 else position
    if position >= limit:
        return position
    if data[position] == LOWER_S and data.startswith(b"string(", position):  # what PHP dumps: string(32) "x"
        closing = data.find(b") ", position, min(limit, position + _MAX_DUMP_HEAD))
        if closing > 0:
            position = closing + len(b") ")
            if position >= limit:
                return position
    if data[position] == ESCAPE:
        return past_colour(data, position, limit)
    return _past_yaml_tag(data, position, limit) if data[position] == BANG else position


def _past_yaml_tag(data: bytes, position: int, limit: int) -> int:
    """Reads past the tag of a value: `!vault-plain x`."""
    end = run_end(data, position + 1, min(limit, position + _MAX_TAG), _TAG_NAME)
    if data[position:end] in _REFERENCES:
        return position
    if end > position + 1 and end < limit and BLANK[data[end]]:
        return run_end(data, end, limit, BLANK)
    return position


def _opened(  # noqa: PLR0911 - one row for each opening
    data: bytes, position: int, limit: int, name_start: int, enclosing: int, walks: Walks
) -> Value:
    """Finds a value that a bracket, an entity or the end of the line opens; EMPTY when it is certainly none."""
    first = data[position]
    if first == AMPERSAND:
        return entity_quoted(data, position, limit)
    if first in (OPEN_BRACKET, OPEN_BRACE):
        numbers = _bytes_of_key(data, position, limit)
        if numbers > 0:
            return position + 1, numbers, True
    if first == OPEN_BRACKET:
        return _list(data, position, limit, walks)
    if first == OPEN_BRACE:
        is_text = _is_hash_scheme(data, position) or data.startswith((b"{{", b"{}"), position)
        return NONE if is_text else EMPTY
    if LINE_END[first]:
        return on_next_line(data, position, limit, enclosing)
    if first == LESS:
        return here_document(data, position + 2, limit, walks) if data.startswith(b"<<", position) else NONE
    return block_scalar(data, position, limit, name_start)


def _list(data: bytes, position: int, limit: int, walks: Walks) -> Value:
    if data.startswith(b"[redacted:", position):
        return NONE
    closing = data.find(b"]", position, walks.line.until(data, position, limit))
    return (position, closing + 1, True) if closing > 0 else EMPTY


def _bytes_of_key(data: bytes, position: int, limit: int) -> int:
    """Gives the end of a key that is written as a list of its bytes, `{0x73, 0xc2, …}`; 0 for any other list."""
    end = run_end(data, position + 1, min(limit, position + _MAX_NUMBERS), _NUMBERS)
    if end >= limit or data[end] not in (CLOSE_BRACKET, CLOSE_BRACE):
        return 0
    return end if data.count(b",", position, end) >= _MIN_NUMBERS else 0


def _is_hash_scheme(data: bytes, position: int) -> bool:
    # {SSHA}… of LDAP and {bcrypt}… of Spring: the braces name how the password is kept.
    closing = data.find(b"}", position, position + _MAX_HASH_SCHEME)
    if closing < position + 2 or closing + 1 >= len(data):
        return False
    following = data[closing + 1]
    return not SPACE[following] and not QUOTE[following] and following not in (OPEN_BRACE, CLOSE_BRACE)
