"""Tells by its bytes whether a word of a text can be a password."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.signs import BANG, BEYOND_ASCII, DOT
from leadglass_agent.redaction.tables import ALNUM, DIGIT, table, until

_MIN_PASSWORD: Final = 4
_MIN_LETTERS: Final = 3
_MIN_DIGITS: Final = 3
_MAX_WORD: Final = 160
# A path of this length has more words than a random token has slashes.
_LONG: Final = 24
_MAX_SLASHES: Final = 3
_MAX_UNIT: Final = 2
_MAX_NUMBER: Final = 2
_COUNTED: Final = 8
_SPLIT: Final = table(b" \t\r\n\0")
_OPENING: Final = table(b"\"'`(<[{*")
_CLOSING: Final = table(b"\"'`)>],;:!?.}*")
_SYMBOL: Final = table(b"!@#$%^&*+~?|")
# First bytes of UTF-8: of letters of Latin, Greek and Cyrillic script, and of quotes and scripts without blanks.
_LETTER_LEAD: Final = table(bytes(range(0xC3, 0xD3)))
_MARK_LEAD: Final = table(bytes((0xC2,)) + bytes(range(0xE0, 0xF8)))
_LEAD_BITS: Final = 0xC0
_NEVER: Final = table(b"(){}[]<>\"' \t\r\n")
_VARIABLE: Final = table(b"$%{<&?@")
_MARK: Final = table(b"?!=&*")
_UNITS: Final = frozenset(
    b" s ms us ns m h d th st nd rd kb mb gb k g t z utc am pm bit bits bytes v sec min x px days rc a b e".split(b" ")
)


def is_word(data: bytes, position: int) -> bool:
    """Says whether what stands here can be no name of a scope: `password::Summer#2024`."""
    end = until(data, position, min(len(data), position + _MAX_WORD), _SPLIT)
    return is_password(data[position:end])


def is_password(text: bytes, *, expected: bool = False) -> bool:
    """Says whether a word can be no word of a language: letters with digits or symbols within, or a mixed token.

    `expected` says that the sentence promised a password here, so that a word with a number behind it is one.
    """
    length = len(text)
    if length < _MIN_PASSWORD:
        return False
    digits = 0
    letters = 0
    symbols = 0
    for byte in text:
        if DIGIT[byte]:
            digits += 1
        elif ALNUM[byte] or _LETTER_LEAD[byte]:
            letters += 1
        elif _SYMBOL[byte]:
            symbols += 1
        elif _NEVER[byte]:
            return False
    if digits and letters:
        return expected or not is_structured(text)
    if not symbols:
        return False
    if letters >= _MIN_LETTERS and (symbols > 1 or not (_VARIABLE[text[0]] or _MARK[text[length - 1]])):
        return True
    return symbols > 1 and digits >= _MIN_DIGITS


def is_structured(text: bytes) -> bool:
    """Says whether it is a time, an address, a version, a size or a path rather than a password."""
    if b"/" in text or (text and text[0] == DOT):
        return b"://" in text or len(text) < _LONG or text.count(b"/") > _MAX_SLASHES or text.startswith((b"/", b"."))
    at = text.find(b"@")
    if at > 0 and b"." in text[at:] and text[at:].replace(b".", b"").replace(b"@", b"").replace(b"-", b"").isalnum():
        return True
    lower = text.lower()
    unit = lower.strip(b"0123456789.,:x-+")
    if unit in _UNITS or (len(unit) <= _MAX_UNIT and lower[:1].isdigit() and b"." in lower):
        return True
    # A word with a number behind it, of lower-case letters alone: user1, host-12, node3.
    head = lower.rstrip(b"0123456789")
    is_counted = len(text) < _COUNTED and len(text) - len(head) <= _MAX_NUMBER
    return is_counted and text == lower and head.rstrip(b"-_.").isalpha()


def _past_letter(data: bytes, position: int, limit: int) -> int:
    """Walks past one letter of UTF-8."""
    position += 1
    while position < limit and data[position] & _LEAD_BITS == BEYOND_ASCII:
        position += 1
    return position


def stripped(data: bytes, start: int, end: int) -> tuple[int, int, bool]:
    """Gives the bounds of a word without the marks around it, and whether one of them opened it."""
    quoted = False
    while start < end and (_OPENING[data[start]] or _MARK_LEAD[data[start]]):  # 「 and its like
        quoted = True
        start = _past_letter(data, start, end)
    while end > start and data[end - 1] >= BEYOND_ASCII:
        lead = end - 1
        while lead > start and data[lead] & _LEAD_BITS == BEYOND_ASCII:
            lead -= 1
        if not _MARK_LEAD[data[lead]]:
            break
        end = lead
    while end > start and _CLOSING[data[end - 1]]:
        if data[end - 1] == BANG and not quoted:  # a password may end in !
            break
        end -= 1
    return start, end, quoted
