"""Reads what links a name to its value: a separator, a sign, markup, or words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction import entities, escapes
from leadglass_agent.redaction.assigned import read_typed, read_value
from leadglass_agent.redaction.blocks import (
    KEY_RANK,
    read_below,
    read_default_of_block,
    read_next_argument,
    read_next_item,
)
from leadglass_agent.redaction.calls import confirm_call
from leadglass_agent.redaction.cells import confirm_cell
from leadglass_agent.redaction.columns import confirm_column
from leadglass_agent.redaction.extents import MAX_VALUE
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.headers import read_header
from leadglass_agent.redaction.keynames import AUTHORIZATION, TOKEN
from leadglass_agent.redaction.markup import (
    is_element,
    read_attribute,
    read_element_with_attributes,
    read_escaped_element,
    read_sibling,
)
from leadglass_agent.redaction.names import CLOSER, MAX_GAP, past_colour
from leadglass_agent.redaction.options import is_option
from leadglass_agent.redaction.password_words import is_word
from leadglass_agent.redaction.sentences import confirm_sentence, said_before
from leadglass_agent.redaction.signs import (
    AMPERSAND,
    BACKSLASH,
    BEYOND_ASCII,
    CLOSE_BRACE,
    CLOSE_BRACKET,
    COLON,
    COMMA,
    DASH,
    DOT,
    EQUALS,
    ESCAPE,
    GREATER,
    LESS,
    OPEN,
    OPEN_BRACE,
    OPEN_BRACKET,
    PERCENT,
    PIPE,
    QUESTION,
    SEMICOLON,
    SLASH,
    TILDE,
)
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, DIGIT, LINE_END, QUOTE, run_end, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.lines import Walks
    from leadglass_agent.redaction.names import Name

_MAX_TYPING: Final = 12
_WIDE_FORMS: Final = 0xEF
_EQUAL_RUN: Final = table(b"=")
_ARROW_END: Final = table(b">~")
_SIGN: Final = table(b"-?+|!~&*/^,<>;.\xef")
# Each with an equals sign behind it: := has its own step.
_ASSIGNERS: Final = table(b"?+|~&*/^")
_STATEMENT_END: Final = table(b"\r\n\0.);")
_LIST_OPENERS: Final = table(b"[=:")  # : is a symbol of Ruby: config[:password] = "x"
_PATH_MARKS: Final = table(b"/\\")
_WIDE_SEPARATORS: Final = (b"\xef\xbc\x9a", b"\xef\xbc\x9d")
# What a test of a page types into the field that was just named.
_TYPING: Final = (b"type(", b"fill(", b"sendKeys(", b"send_keys(", b"setValue(", b"val(")


def read_link(data: bytes, name: Name, walks: Walks, out: list[Span]) -> None:
    """Reads on from the name to its value and spans it."""
    if name.start >= walks.table_to and name.secret.form <= TOKEN and _heads_column(data, name, walks, out):
        return
    before = data[name.start - 1] if name.start > 0 else 0
    position = name.end
    if position < len(data) and _reads_at_once(data, position, name, out):
        return
    position = _past_gap(data, position, name, before)
    if position < 0:
        return
    if QUOTE[before] and not name.closed:
        name.enclosing = before
    if position >= len(data):
        said_before(data, name.start, name.secret, out)
        return
    byte = data[position]
    if byte == EQUALS:
        position = run_end(data, position, min(len(data), name.end + MAX_GAP), _EQUAL_RUN)
        if position < len(data) and _ARROW_END[data[position]]:
            position += 1
        read_value(data, position, name, EQUALS, walks, out)
    elif byte == COLON:
        _colon(data, position, name, before, walks, out)
    elif not _SIGN[byte] or not _sign(data, position, name, walks, out):
        _loosely(data, position, name, before, walks, out)


def _heads_column(data: bytes, name: Name, walks: Walks, out: list[Span]) -> bool:
    read_to = confirm_column(data, name.start, name.end, name.secret, out)
    if read_to:
        walks.table_to = read_to
    return read_to > 0


def _reads_at_once(data: bytes, position: int, name: Name, out: list[Span]) -> bool:
    """Reads a call, or a pair whose separator is escaped, right behind the name."""
    byte = data[position]
    if byte == OPEN:
        confirm_call(data, name.start, position, name.secret.rule_id, KEY_RANK, out)
        return True
    if byte in (PERCENT, BACKSLASH):
        start, end = escapes.linked_value(data, position, min(len(data), position + MAX_VALUE))
        if start >= 0 and not is_harmless(data[start:end], quoted=True):
            out.append(Span(start, end, KEY_RANK, name.secret.rule_id))
        return start >= 0
    return False


def _past_gap(data: bytes, position: int, name: Name, before: int) -> int:
    """Walks over blanks, closing marks and colours to what links name and value; -1 when there is nothing to link."""
    limit = min(len(data), position + MAX_GAP)
    while position < limit:
        byte = data[position]
        if BLANK[byte]:
            name.spaced = True
            position += 1
        elif CLOSER[byte]:
            if QUOTE[byte]:
                if name.spaced:
                    break  # the value's own
                name.closed = byte
            elif byte == CLOSE_BRACKET and not name.closed and not _LIST_OPENERS[before]:
                return -1  # the end of a list of names
            position += 1
        elif byte == ESCAPE:
            position = past_colour(data, position, limit)
        elif byte == CLOSE_BRACE and before == OPEN_BRACE:
            position += 1
        else:
            following = _past_mark(data, position, limit, name)
            if following <= position:
                break
            position = following
    return position


def _past_mark(data: bytes, position: int, limit: int, name: Name) -> int:
    """Walks past the size of an array, `char password[32]`, or a quote that is an entity; else gives `position`."""
    byte = data[position]
    if byte == OPEN_BRACKET and position + 1 < limit:
        closing = run_end(data, position + 1, limit, DIGIT)
        return closing + 1 if closing < limit and data[closing] == CLOSE_BRACKET else position
    if byte == AMPERSAND and not entities.is_element(data, name.start, position):
        closing = entities.closing_quote(data, position)
        if closing >= 0:
            name.closed = byte
            return closing + 1
    return position


def _colon(data: bytes, position: int, name: Name, before: int, walks: Walks, out: list[Span]) -> None:
    following = data[position + 1] if position + 1 < len(data) else 0
    if following == COLON and before != COLON and is_word(data, position + 2):
        read_value(data, position + 2, name, COLON, walks, out)
        return
    if following == COLON or (before == COLON and not name.closed) or data.startswith(b"//", position + 1):
        return  # a scope (a::b), a field of a colon-joined name (arn:…:secret:…), a URL
    read_value(data, position + (2 if following == EQUALS else 1), name, COLON, walks, out)


def _sign(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> bool:
    """Reads on behind a sign of code, markup or a table; says whether it is one that links."""
    byte = data[position]
    following = data[position + 1] if position + 1 < len(data) else 0
    if byte == GREATER:
        _greater(data, position, name, walks, out)
    elif byte == LESS:
        _less(data, position, name, walks, out)
    elif byte == COMMA:
        read_next_item(data, position + 1, name, out)
    elif (following == EQUALS and _ASSIGNERS[byte]) or (following == GREATER and byte == DASH):
        read_value(data, position + 2, name, EQUALS, walks, out)
    elif byte in (PIPE, QUESTION):
        return _bar(data, position, name, out)
    else:
        return _rare_sign(data, position, name, walks, out)
    return True


def _greater(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    if is_element(data, name):
        read_value(data, position + 1, name, GREATER, walks, out)
    elif data.startswith(b">>", position):
        read_value(data, position + 2, name, EQUALS, walks, out)
    elif is_word(data, position + 1):
        read_value(data, position + 1, name, EQUALS, walks, out)


def _less(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    if data.startswith(b"<-", position):
        read_value(data, position + len(b"<-"), name, EQUALS, walks, out)
    elif data.startswith(b"<<<", position):
        read_value(data, position + len(b"<<<"), name, EQUALS, walks, out)
    else:
        read_sibling(data, position, name, out)


def _bar(data: bytes, position: int, name: Name, out: list[Span]) -> bool:
    """Reads a default, `PASSWORD || "x"` and `password ?? "x"`, or the next cell of a table."""
    byte = data[position]
    if position + 1 < len(data) and data[position + 1] == byte:
        read_next_item(data, position + (3 if data.startswith(b"=", position + 2) else 2), name, out)
        return True
    if byte == PIPE:
        confirm_cell(data, position + 1, name.secret, out)
    return byte == PIPE


def _rare_sign(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> bool:
    byte = data[position]
    if byte == SEMICOLON and name.closed and data.startswith(b";s:", position):
        # PHP writes the length of each string before it: s:8:"password";s:12:"x";
        opening = data.find(b'"', position, position + _MAX_TYPING)
        read_value(data, max(opening, position + 1), name, EQUALS, walks, out)
    elif byte == SEMICOLON and not name.closed and not name.spaced:
        confirm_cell(data, position + 1, name.secret, out)
    elif byte == DOT and data[position + 1 : position + _MAX_TYPING].startswith(_TYPING):
        opening = data.find(b"(", position, position + _MAX_TYPING)
        confirm_call(data, opening, opening, name.secret.rule_id, KEY_RANK, out)
    elif byte == AMPERSAND and entities.is_element(data, name.start, position):
        read_escaped_element(data, position, name, out)
    elif byte == _WIDE_FORMS and data.startswith(_WIDE_SEPARATORS, position):
        read_value(data, position + len(_WIDE_SEPARATORS[0]), name, COLON, walks, out)
    else:
        return False
    return True


def _loosely(data: bytes, position: int, name: Name, before: int, walks: Walks, out: list[Span]) -> None:
    """Reads on where nothing but blanks, a closing quote or the end of the line stands behind the name."""
    byte = data[position]
    if name.spaced and name.secret.form >= AUTHORIZATION and (QUOTE[byte] or byte == OPEN_BRACKET):
        read_header(data, position, name, walks, out)
    elif name.closed and (name.spaced or LINE_END[byte]):
        _behind_quote(data, position, name, walks, out)
    elif name.spaced and before == LESS and not name.closed:
        read_element_with_attributes(data, position, name, walks, out)
    elif LINE_END[byte] and is_option(data, name.start):
        read_next_argument(data, position, name, out)
    elif _STATEMENT_END[byte]:
        said_before(data, name.start, name.secret, out)
    elif name.spaced:
        if not _PATH_MARKS[before] and not read_typed(data, position, name, walks, out):
            confirm_sentence(data, name.start, position, name.secret, out)
    elif byte >= BEYOND_ASCII:
        confirm_sentence(data, name.start, position, name.secret, out)
    elif ((byte == SLASH and not name.closed) or byte == TILDE) and is_word(data, position + 1):
        read_value(data, position + 1, name, EQUALS, walks, out)


def _behind_quote(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    """Reads on behind a name in quotes, be it behind blanks or on the next line."""
    byte = data[position]
    if name.spaced and QUOTE[byte] and name.secret.form <= TOKEN:
        read_next_item(data, position, name, out)
    elif name.spaced and byte == OPEN_BRACE:
        read_default_of_block(data, position, name, out)
    elif LINE_END[byte] and data.startswith((b"\r\n\r\n", b"\n\n"), position):
        read_below(data, position, name, out)
    else:
        read_attribute(data, position, name, walks, out)
