"""Spans what looks like a password on the line of a word for one, where nothing links the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless, names_secret
from leadglass_agent.redaction.identifiers import (
    ACCOUNT,
    ANY,
    CODE,
    IDENTIFIER,
    PASSWORD_NAME,
    SECRET,
    THING,
    TRANSPARENT,
    kind_of,
)
from leadglass_agent.redaction.keynames import VALUE
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.phrases import is_phrase
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.run_counts import CLASS, IS_DIGIT, IS_HIGH, IS_LOWER, IS_SIGN, IS_UPPER
from leadglass_agent.redaction.shapes import COUNTED, PASSWORD, RANDOM, SHORT, WEAK
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.surroundings import LINKED, Line, is_public, link
from leadglass_agent.redaction.tables import BASE64, LINE_END, LOWER, QUOTE, SPACE, UPPER, run_end, table

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

    from leadglass_agent.redaction.names import Name

_RANK: Final = 60
_REACH: Final = 96
_REACH_BACK: Final = 64
_MIN_PASSWORD: Final = 6
_MIN_RANDOM: Final = 16
_MIN_PHRASE: Final = 3
# No word for an access asks for more of a run: a run of many such words is read once for each.
_MAX_RUN: Final = 1024
_SPACE: Final = 0x20
_COLON: Final = 0x3A
_COMMA: Final = 0x2C
_DOUBLE_QUOTE: Final = 0x22
_BEYOND: Final = 0x80
_MOST: Final = 2
_LETTERS: Final = IS_LOWER | IS_UPPER
_MAX_QUOTED: Final = 160
_MIN_QUOTED: Final = 8
_MAX_OWNER: Final = 8
# Words before the name of what a password is for.
_OWNERS: Final = tuple(b"user for from by account host on in at to of named called key table column field".split())
_CREDENTIAL: Final = RuleId("credential")
# What a mail server asks for, in base64: "Username:" and "Password:".
_PROMPTS: Final = frozenset((b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6", b"dXNlcm5hbWU6", b"cGFzc3dvcmQ6"))
_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
_MARKS: Final = table(b"*_-#!?$@&^.~+%=|;:")
_TRAILING: Final = table(b".?-_*")
# A path, a call, a subscript, an address, a tag.
_NEVER_BEHIND: Final = table(b"/\\@([{<")
_NEVER_BEFORE: Final = table(b"/\\({[:=")
_PROSE: Final = table(LOWER + UPPER + b" \t'(),.;:-" + _BEYOND_ASCII)


def read_nearby(data: bytes, name: Name, read_to: int, out: list[Span]) -> int:
    """Spans the passwords on the line of a name, behind it or else before it; gives the place up to which it read.

    What has a name of its own is left to that name, unless it says nothing. No byte behind a name is read twice.
    """
    secret = name.secret
    least = COUNTED if secret.form == VALUE else SHORT
    count = len(out)
    start = max(name.end, read_to)
    limit = min(len(data), name.end + _REACH)
    stop = _scan(data, start, limit, name.start, name.end, least, secret.rule_id, out)
    if len(out) == count and secret.form == VALUE:
        begin = _reach_back(data, name.start, read_to)
        if name.start - begin >= _MIN_PASSWORD:
            _scan(data, begin, name.start, begin, begin, PASSWORD, secret.rule_id, out)
    return stop


def _reach_back(data: bytes, start: int, read_to: int) -> int:
    """Gives the place before a name where what is near to it begins: on its line, and in its string of JSON."""
    floor: i64 = max(0, start - _REACH_BACK, read_to)
    position: i64 = start
    byte: i64 = 0
    while position > floor:
        byte = data[position - 1]
        if LINE_END[byte]:
            return position
        if byte == _DOUBLE_QUOTE and position > 1 and data[position - 2] == _COLON:
            return position
        position -= 1
    while position < start and floor > 0 and not SPACE[data[position]]:
        position += 1  # the end of a run that began before
    return position


def read_access(data: bytes, end: int, out: list[Span]) -> None:
    """Spans the passwords behind a word for an access, such as `creds` or `wifi`, on its line."""
    _scan(data, end, min(len(data), end + _REACH), end, end, PASSWORD, _CREDENTIAL, out)


def _scan(  # noqa: C901 - one walk, without a call for each byte
    data: bytes, begin: int, stop: int, name_from: int, name_to: int, least: int, rule_id: RuleId, out: list[Span]
) -> int:
    """Looks at each run of the stretch that may be a password; gives the place where the line or the stretch ends."""
    position: i64 = begin
    limit: i64 = stop
    length: i64 = min(len(data), stop + _MAX_RUN)
    classes = CLASS
    line: Line | None = None
    start: i64 = 0
    kind: i64 = 0
    kinds: i64 = 0
    name_start: i64 = name_from
    name_end: i64 = name_to
    end_of_name: i64 = name_to
    count = len(out)
    while position < limit:
        kind = classes[data[position]]
        if kind == 0:
            if LINE_END[data[position]]:
                break
            if (
                data[position] == _DOUBLE_QUOTE
                and position > end_of_name
                and position + 2 < length
                and data[position + 1] == _COMMA
                and data[position + 2] == _DOUBLE_QUOTE
            ):
                break  # the end of a string of JSON, behind which the next name stands
            if QUOTE[data[position]] and data[position - 1 if position > 0 else 0] == _SPACE:
                first, last, _quoted = quoted_value(data, position)
                if first > 0 and least < PASSWORD and _is_quoted_password(data, first, last, name_end):
                    out.append(Span(first, last, _RANK, rule_id))
                    return last
            position += 1
            continue
        start = position
        kinds = 0
        while kind != 0:
            kinds |= kind
            position += 1
            if position >= length or (kinds == IS_HIGH and classes[data[position]] != IS_HIGH):
                break
            kind = classes[data[position]]
        if (
            kinds & _LETTERS != 0
            and (
                kinds & (IS_DIGIT | IS_SIGN) != 0 or (kinds & _LETTERS == _LETTERS and position - start >= _MIN_RANDOM)
            )
            and position - start >= _MIN_PASSWORD
        ):
            if line is None:
                line = Line()
                line.secret_end = name_to
                line.secret_kind = SECRET
            line.name_start = name_start
            line.name_end = name_end
            position = max(position, _judge(data, start, position, least, rule_id, line, out))
            if len(out) - count >= _MOST:
                break
        name_start = start
        name_end = position
    return position


def _is_quoted_password(data: bytes, start: int, end: int, name_end: int) -> bool:
    """Says whether a string in quotes is a passphrase, or a word that can be no word of a language and no user."""
    if end - start > _MAX_QUOTED:
        return False
    text = data[start:end]
    if is_phrase(text, _MIN_PHRASE):
        return True
    before = data[max(0, name_end - _MAX_OWNER) : name_end].lower()
    if before.endswith(_OWNERS) or not text.isalnum() or len(text) < _MIN_QUOTED:
        return False
    return is_password(text, expected=True) and not text.isdigit() and not is_harmless(text, quoted=True)


def _judge(data: bytes, start: int, end: int, least: int, rule_id: RuleId, line: Line, out: list[Span]) -> int:
    """Spans the run if it is a password; gives the place to go on from."""
    stop = end
    while stop > start and (_TRAILING[data[stop - 1]] or data[stop - 1] >= _BEYOND):
        stop -= 1
    shape = shape_of(data, start, stop)
    if shape == WEAK and least == COUNTED and _has_sign(data, start, stop):
        shape = COUNTED
    if shape < least or (start > 0 and _NEVER_BEHIND[data[start - 1]]) or is_public(data, start):
        return end
    if end < len(data) and _NEVER_BEFORE[data[end]]:
        return end
    if not _is_free(data, start, line):
        return end
    if shape == RANDOM:
        stop = run_end(data, end, min(len(data), end + _MAX_RUN), BASE64)
    text = data[start:stop]
    if is_harmless(text, quoted=True) or names_secret(text) or text in _PROMPTS:
        return end
    out.append(Span(start, max(stop, end), _RANK, rule_id))
    return stop


def _has_sign(data: bytes, start: int, stop: int) -> bool:
    """Says whether a sign stands in a word: one that is no address of a user at a host."""
    at = data.find(b"@", start, stop)
    if at >= 0 and (data.find(b".", at, stop) > 0 or data.find(b"-", at, stop) > 0):
        return False
    return any(CLASS[data[position]] == IS_SIGN for position in range(start, stop - 1))


def _is_free(data: bytes, start: int, line: Line) -> bool:
    """Says whether a run has no name of its own, or one that says nothing."""
    kind = kind_of(line.name(data)) if line.name_end > line.name_start else ANY
    if line.name_end <= line.secret_end:
        return True
    if link(data, start, line) != LINKED:
        return kind not in (IDENTIFIER, THING)
    if kind in (TRANSPARENT, SECRET, CODE, PASSWORD_NAME, ACCOUNT):
        return True
    return kind == ANY and run_end(data, line.secret_end, line.name_start, _PROSE) >= line.name_start
