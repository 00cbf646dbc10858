"""Decides what of one run of bytes is masked, by its shape and what stood before it."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.identifiers import CODE, PASSWORD_NAME, SECRET, TRANSPARENT, kind_of
from leadglass_agent.redaction.liberal import is_grouped, is_loosely_said, phrase_end
from leadglass_agent.redaction.precise import is_precise
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.run_counts import (
    CLASS,
    IS_DIGIT,
    IS_HIGH,
    IS_JOINER,
    IS_LOWER,
    IS_SIGN,
    IS_UPPER,
)
from leadglass_agent.redaction.shapes import DIGEST, PASSWORD, PLAIN, RANDOM, SHORT, WEAK
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.surroundings import (
    BESIDE,
    EXPECTANT,
    LIBERAL,
    LINKED,
    PRECISE,
    REACH,
    Line,
    is_named,
    is_public,
    is_said,
    link,
    may_be_secret,
    note,
    secret_follows,
)
from leadglass_agent.redaction.tables import BASE64, BLANK, DIGIT, LINE_END, QUOTE, run_end, run_start, table, until
from leadglass_agent.redaction.verdict import is_wanted

TOKEN_LIKE: Final = RuleId("token-like")
PASSWORD_LIKE: Final = RuleId("password-like")
# Behind everything that knows what it found, before echoes.
_RANK: Final = 80

_MAX_EXTENT: Final = 65_536
_MIN_RUN: Final = 4
_MIN_CODE: Final = 3
_MAX_CODE: Final = 8
_BARE_CODE: Final = 4
_CODE_REACH: Final = 24
_MAX_ARMOUR: Final = 32_768

_EQUALS: Final = 0x3D
_SLASH: Final = 0x2F
_DASH: Final = 0x2D
_DOT: Final = 0x2E
_P: Final = 0x70
_T: Final = 0x74
_I: Final = 0x69
_SPACE: Final = 0x20
_BRACE: Final = 0x7B
_U: Final = 0x75
_BACKSLASH: Final = 0x5C
_SENTENCE_END: Final = table(b".!?*")
_MARKS: Final = table(b"*_-#!?$@&^.~+%")
_REFERENCE_MARKS: Final = table(b"${}<>[]()|:")
_PAIR_START: Final = table(b" \t\r\n\0\"'`=,(")
_PAIR_END: Final = table(b" \t\r\n\0\"'`,)@|")
# What a mail server asks for, in base64: "Username:" and "Password:".
_PROMPTS: Final = frozenset((b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6", b"dXNlcm5hbWU6", b"cGFzc3dvcmQ6"))
_CODE_KINDS: Final = IS_UPPER | IS_DIGIT | IS_JOINER
# A password that is a word stands so close to its name, and is no shorter.
_NEAR: Final = 32
_MIN_WORD: Final = 6
_VALUE_STOP: Final = table(b" \t\r\n\x0b\x0c\0\"'`,;()[]{}<>|\\")


def read_number(data: bytes, start: int, end: int, line: Line, out: list[Span]) -> None:
    """Masks numbers that stand beside the name of a code or, when they are long, of a secret."""
    if line.asked_for_code and _BARE_CODE <= end - start <= _MAX_CODE and run_end(data, start, end, DIGIT) == end:
        out.append(Span(start, end, _RANK, PASSWORD_LIKE))
    elif line.secret_kind == CODE or end - start <= _MAX_CODE:
        _code(data, start, end, line, out)
    elif line.secret_end > 0 and line.secret_end == line.name_end and link(data, start, line) == LINKED:
        out.append(Span(start, end, _RANK, TOKEN_LIKE))


def read_run(  # noqa: C901, PLR0911, PLR0912 - one row for each form that needs no shape
    data: bytes, start: int, end: int, kinds: int, line: Line, out: list[Span]
) -> int:
    """Reads a run that is more than a short word; gives the place to go on from."""
    if end < len(data) and data[end] == _EQUALS and kinds & IS_SIGN:
        # a=1&b=2: what stands behind the last & is the next name.
        cut = max(data.rfind(b"&", start, end), data.rfind(b"?", start, end))
        if cut >= start:
            if cut > start:
                read_run(data, start, cut, kinds & ~IS_SIGN, line, out)
            return cut + 1
    stop = end
    while (
        stop - start > _MIN_RUN and _SENTENCE_END[data[stop - 1]] and (data[stop - 1] == _DOT or kinds & IS_DIGIT == 0)
    ):
        stop -= 1
    if kinds & IS_DIGIT == 0 and stop - start > 1:
        first = run_end(data, start, stop, _MARKS) if kinds & IS_SIGN else start
        if kinds & IS_HIGH or may_be_secret(data, stop):
            note(data, first, stop, line)
    if stop - start < _MIN_RUN:
        return end
    if kinds == _CODE_KINDS and stop - start == 8 and data[start + 1] == _DASH and data.startswith(b" is your", end):  # noqa: PLR2004
        out.append(Span(start + 2, end, _RANK, PASSWORD_LIKE))  # G-123456 is your verification code
        return end
    if (
        kinds == IS_LOWER | IS_JOINER
        and 0 <= line.secret_end < start
        and start - line.secret_end <= _NEAR
        and data[start] != _DASH
        and data.count(b"-", start, stop) > 1
        and not is_harmless(data[start:stop])
        and (line.secret_kind == PASSWORD_NAME or data.startswith(b" is ", start - 4))
    ):
        out.append(Span(start, stop, _RANK, PASSWORD_LIKE))  # correct-horse-battery
        return end
    if data[start] == _DASH and data.startswith(b"-----BEGIN ", start):
        return _behind_public_block(data, start, end, line)
    if data[start] == _DASH and data[start + 1] == _P and (start == 0 or _PAIR_START[data[start - 1]]):
        # mysql -psecret
        shape = shape_of(data, start + 2, stop)
        if is_harmless(data[start + 2 : stop]):
            return end
        if shape >= PASSWORD or (shape == WEAK and kinds & IS_SIGN):
            out.append(Span(start + 2, _extended(data, start + 2, stop, shape), _RANK, PASSWORD_LIKE))
            return max(end, out[-1].end)
    return max(end, _judge(data, start, stop, line, out))


def _judge(  # noqa: C901, PLR0911, PLR0912 - one row for each ground
    data: bytes, start: int, end: int, line: Line, out: list[Span]
) -> int:
    """Decides whether a run is masked; gives the place to go on from."""
    if start > 0 and data[start - 1] == _BACKSLASH and data[start] == _U:
        return end  # an escaped letter
    shape = shape_of(data, start, end)
    if line.mode != EXPECTANT and shape < PASSWORD and end < len(data) and data[end] in b"=:":
        return end  # a name
    if line.mode == PRECISE and shape == SHORT and end < len(data) and data[end] == _EQUALS:
        return end
    if (
        line.mode != EXPECTANT
        and _REFERENCE_MARKS[data[start - 1 if start > 0 else 0]]
        and _is_reference_before(data, start)
    ):
        return end
    if line.mode != EXPECTANT and shape <= WEAK and line.secret_end >= 0 and line.secret_end <= start:
        if line.mode == LIBERAL or line.secret_kind == PASSWORD_NAME:
            phrase = phrase_end(data, start, end, line)
            if phrase > end:
                out.append(Span(start, phrase, _RANK, PASSWORD_LIKE))
                return phrase
        if is_loosely_said(data, start, end, line) or is_grouped(data[start:end]):
            out.append(Span(start, end, _RANK, PASSWORD_LIKE))
            return end
    if line.mode == PRECISE and not is_precise(data, start, end, shape, line):
        return end
    if (
        (shape <= WEAK if line.mode != PRECISE else shape == WEAK)
        and line.secret_kind == PASSWORD_NAME
        and line.secret_end <= start
    ):
        stop = _plain_password_end(data, start, end, line)
        if stop >= end and _is_no_name(data, start, end) and not is_harmless(data[start:stop]):
            out.append(Span(start, stop, _RANK, PASSWORD_LIKE))
            return stop
    if shape == PLAIN:
        return end
    if shape in (RANDOM, DIGEST) and is_public(data, start):
        return run_end(data, end, len(data), BASE64)
    if not is_wanted(data, start, end, shape, line):
        return run_end(data, end, len(data), BASE64) if shape == RANDOM else end
    stop = _extended(data, start, end, shape)
    begin = _begun(data, start, shape)
    value = data[begin:stop]
    if value in _PROMPTS or ((shape < PASSWORD or _may_be_reference(value)) and is_harmless(value)):
        return end
    out.append(Span(begin, stop, _RANK, PASSWORD_LIKE if shape in (PASSWORD, WEAK) else TOKEN_LIKE))
    return stop


def _is_reference_before(data: bytes, start: int) -> bool:
    """Says whether a run stands in the braces of a reference: ${NAME}."""
    return start > 1 and data[start - 1] == _BRACE and data[start - 2] in b"$%{#"


def _may_be_reference(value: bytes) -> bool:
    for byte in value:
        if _REFERENCE_MARKS[byte]:
            return True
    return b"xxx" in value.lower() or b"your" in value.lower()


def _is_no_name(data: bytes, start: int, end: int) -> bool:
    """Says whether a word is not itself the name of a secret, a reference to one or a name before a value."""
    if start > 0 and _REFERENCE_MARKS[data[start - 1]] and data[start - 1] not in b"])>":
        return False
    if end < len(data) and data[end] in b"=:}":
        return False
    return kind_of(data[max(start, end - REACH) : end]) not in (SECRET, CODE, PASSWORD_NAME)


def _plain_password_end(data: bytes, start: int, end: int, line: Line) -> int:
    """Gives the end of a password without digits, as of `salasana: meripihka`; -1 where a sentence goes on."""
    linked = link(data, start, line)
    if linked != LINKED or not (is_named(data, line) or kind_of(line.name(data)) == TRANSPARENT):
        return end if end - start >= _MIN_WORD and is_said(data, start, end, line) else -1
    if end < len(data) and not QUOTE[data[start - 1]]:
        end = until(data, end, min(len(data), end + REACH), _VALUE_STOP)
        following = run_end(data, end, min(len(data), end + 2), _PAIR_END)
        if end < len(data) and data[end] in b"([":
            return -1
        if end < len(data) and BLANK[data[end]] and following < len(data) and not LINE_END[data[following - 1]]:
            return -1
    return end


def _begun(data: bytes, start: int, shape: int) -> int:
    if shape == RANDOM and start > 0 and data[start - 1] == _SLASH:
        first = run_start(data, start, max(0, start - 4096), BASE64)
        if data[first] != _SLASH and (first == 0 or data[first - 1] not in b".:~@%"):
            return first
    return start


def _extended(data: bytes, start: int, end: int, shape: int) -> int:
    """Gives the end of what belongs to a masked run: other signs of the same value."""
    limit = min(len(data), end + _MAX_EXTENT)
    if shape == PASSWORD:
        if start > 0 and QUOTE[data[start - 1]]:
            closing = data.find(data[start - 1 : start], end, min(limit, end + 64))
            if closing >= 0 and data.find(b"\n", end, closing) < 0 and data.find(b" ", end, closing) < 0:
                return closing
        return run_end(data, end, limit, _MARKS)
    return run_end(data, end, limit, BASE64)


def _code(data: bytes, start: int, end: int, line: Line, out: list[Span]) -> None:
    """Masks a short number that a name such as `pin` or `door code` is near to."""
    stop = run_end(data, start, end, DIGIT)
    length = stop - start
    if not _MIN_CODE <= length <= _MAX_CODE or (stop < end and CLASS[data[stop]] != IS_SIGN):
        return
    said = stop + 3 < len(data) and data[stop] == _SPACE and data[stop + 1] in (_I, _T)
    if said and length >= _BARE_CODE and data.startswith((b" is ", b" to log in", b" to sign in", b" to verify"), stop):
        if data[stop + 1] == _T or secret_follows(data, stop):
            out.append(Span(start, end, _RANK, PASSWORD_LIKE))
    elif line.secret_kind == CODE and line.secret_end > 0 and start - line.secret_end <= _CODE_REACH:
        linked = link(data, start, line)
        if linked == LINKED or (length >= _BARE_CODE and (linked == BESIDE or line.name_end != line.secret_end)):
            out.append(Span(start, end, _RANK, PASSWORD_LIKE))


def _behind_public_block(data: bytes, start: int, end: int, line: Line) -> int:
    """Gives the end of a certificate's, a signature's or a public key's block; other blocks are read on."""
    stop = data.find(b"\n", start, start + 80)
    head = data[start : stop if stop > 0 else start + 80]
    if b"CERTIFICATE" not in head and b"PUBLIC" not in head and b"SIGNATURE" not in head:
        return end
    if start < line.sought_to:
        return end
    closing = data.find(b"-----END ", start, min(len(data), start + _MAX_ARMOUR))
    if closing > 0:
        return closing + len(b"-----END")
    line.sought_to = start + _MAX_ARMOUR
    return end
