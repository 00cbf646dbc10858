"""Spans the value behind a name's separator, unless it is plainly no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.blocks import KEY_RANK, read_below, read_pair_of_literals
from leadglass_agent.redaction.calls import confirm_continued, confirm_expression
from leadglass_agent.redaction.entities import without_quotes
from leadglass_agent.redaction.headers import read_header
from leadglass_agent.redaction.keynames import AUTHORIZATION
from leadglass_agent.redaction.names import MAX_GAP, MAX_KEY
from leadglass_agent.redaction.signs import (
    AMPERSAND,
    COLON,
    COMMA,
    EQUALS,
    GREATER,
    LESS,
    OPEN,
    OPEN_BRACKET,
    UPPER_A,
    UPPER_Z,
)
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BLANK, LINE_END, SPACE, run_end, table, until
from leadglass_agent.redaction.values import find_value
from leadglass_agent.redaction.verdicts import is_plain

if TYPE_CHECKING:
    from leadglass_agent.redaction.lines import Walks
    from leadglass_agent.redaction.names import Name

_MAX_LITERAL: Final = 120
_MAX_WORDS: Final = 8 * MAX_KEY
_MAX_TYPE: Final = 24
_GROUP: Final = 4
_TYPES: Final = frozenset(
    b"str string String &str text varchar char byte[] bytes any Any object Object secret SecretStr Optional[str]"
    b" CharSequence std::string auto var SecureString NSString const*".split()
)
_TYPE_INITIAL: Final = table(b"".join(word[:1] for word in _TYPES))
_TYPE_END: Final = table(b" \t=\r\n\0")
_TEMPLATE_HEAD: Final = table(b"<%= -")
_LOWER_WORDS: Final = table(b"abcdefghijklmnopqrstuvwxyz ")
_PHRASE_END: Final = table(b"\r\n\0\"'`<>{}[]")


def read_value(data: bytes, position: int, name: Name, separator: int, walks: Walks, out: list[Span]) -> None:
    """Spans the value at or after `position`, just behind the separator."""
    if name.secret.form >= AUTHORIZATION:
        read_header(data, position, name, walks, out)
        return
    if separator == GREATER:
        position = _past_wrapper(data, position)
    start, end, quoted = find_value(data, position, name.start, separator, name.enclosing, walks)
    if start < 0:
        if separator != GREATER:
            read_below(data, position, name, out)
    elif quoted:
        _quoted(data, start, end, name, separator, out)
    elif separator != EQUALS or data[position - 2 : position] != b"==":  # no comparison with another name
        _bare(data, start, end, name, separator, walks, out)


def read_typed(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> bool:
    """Reads past the type of a declaration, `var password string = "x"`; says whether a type stands there."""
    if position >= len(data) or not _TYPE_INITIAL[data[position]]:
        return False
    end = until(data, position, min(len(data), position + _MAX_TYPE), _TYPE_END)
    if data[position:end] not in _TYPES:
        return False
    position = run_end(data, end, min(len(data), end + MAX_GAP), BLANK)
    if position < len(data) and data[position] == EQUALS:
        read_value(data, position + 1, name, EQUALS, walks, out)
    return True


def _past_wrapper(data: bytes, position: int) -> int:
    """Walks past the tag of a wrapped value: `<Password><Value>x</Value></Password>`."""
    start = run_end(data, position, min(len(data), position + MAX_GAP), SPACE)
    if data.startswith(b"<![CDATA[", start):
        return start + len(b"<![CDATA[")
    if data.startswith(b"<", start) and data[start + 1 : start + 2] != b"/":
        return max(position, data.find(b">", start, min(len(data), start + MAX_GAP)) + 1)
    return position


def _quoted(data: bytes, start: int, end: int, name: Name, separator: int, out: list[Span]) -> None:
    rule_id = name.secret.rule_id
    if data[start] == OPEN_BRACKET and data.startswith(b"[]", start):  # Go's []byte("x")
        confirm_expression(data, start + len(b"[]"), min(len(data), start + _MAX_LITERAL), rule_id, KEY_RANK, out)
        return
    if not is_plain(data, data[start:end], True, name.start, separator, name.secret):  # noqa: FBT003 - by position
        out.append(Span(start, end, KEY_RANK, rule_id))
        confirm_continued(data, end, rule_id, KEY_RANK, out)


def _bare(data: bytes, start: int, end: int, name: Name, separator: int, walks: Walks, out: list[Span]) -> None:
    if _is_code(data, start, end, name, separator, walks, out):
        return
    if name.closed == AMPERSAND:
        start, end = without_quotes(data, start, end)
    if end < len(data) and (BLANK[data[end]] or data[end] == COMMA):
        end = _words_end(data, start, end, name.secret.rule_id)
    if separator == COLON and end < len(data) and data[end] == LESS and _is_capitalized(data[start:end]):
        return  # a generic type
    if not is_plain(data, data[start:end], False, name.start, separator, name.secret):  # noqa: FBT003 - by position
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def _is_code(data: bytes, start: int, end: int, name: Name, separator: int, walks: Walks, out: list[Span]) -> bool:
    """Reads a template's expression, a call and what follows a type; says whether nothing more is to be read."""
    rule_id = name.secret.rule_id
    if data[start] == LESS and data.startswith(b"<%", start):
        confirm_expression(data, run_end(data, start, end, _TEMPLATE_HEAD), end, rule_id, KEY_RANK, out)
        return True
    if data[start] == OPEN:
        read_pair_of_literals(data, start, name, out)
    if separator == COLON and _annotated(data, start, name, walks, out):
        return True
    return confirm_expression(data, start, end, rule_id, KEY_RANK, out)


def _annotated(data: bytes, start: int, name: Name, walks: Walks, out: list[Span]) -> bool:
    """Reads past the type behind a colon: `password: str = "x"`."""
    equals = data.find(b"=", start, min(len(data), start + MAX_GAP))
    if equals < 0 or data[start:equals].strip() not in _TYPES:
        return False
    read_value(data, equals + 1, name, EQUALS, walks, out)
    return True


def _is_capitalized(text: bytes) -> bool:
    return text.isalpha() and UPPER_A <= text[0] <= UPPER_Z


def _words_end(data: bytes, start: int, end: int, rule_id: str) -> int:
    """Goes on over the words of a recovery phrase, to the end of the line, and over groups of four letters."""
    limit = min(len(data), end + _MAX_WORDS)
    if rule_id == "recovery-phrase":
        return until(data, end, limit, _PHRASE_END)
    if data[end] == COMMA:
        return end
    if rule_id == "password":
        # Words to the end of the line: correct horse battery staple.
        stop = run_end(data, end, limit, _LOWER_WORDS)
        if data.count(b" ", end, stop) > 1 and (stop >= len(data) or LINE_END[data[stop]]):
            return stop
    return _groups_end(data, end, limit) if end - start == _GROUP else end


def _groups_end(data: bytes, end: int, limit: int) -> int:
    """Goes on over groups of four letters, as a provider of mail gives out passwords for programs."""
    while end + _GROUP < limit and BLANK[data[end]]:
        following = end + 1 + _GROUP
        group = data[end + 1 : following]
        if not (group.isalnum() and group.islower()) or (following < limit and ALNUM[data[following]]):
            break
        end = following
    return end
