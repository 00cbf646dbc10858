"""Finds the bounds of a secret's name around a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.keynames import QUERY, TOKEN, classify
from leadglass_agent.redaction.signs import (
    BACKSLASH,
    BEYOND_ASCII,
    BLANK_SPACE,
    ESCAPE,
    LOWER_M,
    OPEN_BRACKET,
    SEMICOLON,
)
from leadglass_agent.redaction.tables import ALNUM, BLANK, DIGIT, NAME, run_end, run_start, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

# Kinds of candidates: behind the literal part of a name that needs nothing more, or behind its separator.
IN_NAME: Final = 0
BEHIND_SEPARATOR: Final = 1
# Within a value, eight bytes behind its beginning.
IN_VALUE: Final = 6
_VALUE_HEAD: Final = 8
_VALUE_OPENING: Final = table(b"\"'`\\ \t")

MAX_KEY: Final = 80
# Spaces, quotes and brackets between key and separator; a file that aligns its columns needs some room.
MAX_GAP: Final = 64
CLOSER: Final = table(b"\"'`])*\\")
_MAX_COLOUR: Final = 16
# What a colour says before its m is three digits at most, and an escaped letter begins a name of more than this.
_MOST_DIGITS: Final = 3
_MIN_ESCAPED: Final = 3
# A word of two letters and the space behind it.
_LEAST_BEFORE: Final = 3
_MAX_WORD_BEFORE: Final = 16
_COLOUR: Final = table(b"0123456789;[")
_ESCAPED_LETTERS: Final = table(b"nrt")
_EDGES: Final = table(b"-.")
# The first bytes of U+2000-203F (typographic quotes), U+3000-303F (CJK brackets), U+FF1A and FF1D (wide : and =).
_GENERAL_PUNCTUATION: Final = 0xE2
_CJK_PUNCTUATION: Final = 0xE3
_WIDE_FORMS: Final = 0xEF
_SECOND_OF_PUNCTUATION: Final = 0x80
_SECOND_OF_WIDE_FORMS: Final = 0xBC
_PUNCTUATION_LENGTH: Final = 3


@final
class Name:
    """One secret's name: where it stands, the quote around name and value together (or 0), its own closing quote.

    `spaced` says whether blanks stand behind it.
    """

    __slots__ = ("closed", "enclosing", "end", "secret", "spaced", "start")

    def __init__(self, start: int, end: int, secret: SecretName) -> None:
        self.start = start
        self.end = end
        self.secret = secret
        self.enclosing = 0
        self.closed = 0
        self.spaced = False


def name_end(data: bytes, end: int, kind: int) -> int:
    """Finds where the name ends whose candidate ends at `end`; `kind` says what stands right before `end`."""
    if kind == BEHIND_SEPARATOR:
        return _before_separator(data, end - 1)
    if kind == IN_VALUE:
        return _before_separator(data, run_start(data, end - _VALUE_HEAD, 0, _VALUE_OPENING) - 1)
    last = data[end - 1]
    if BLANK[last]:
        return end - 1
    # In the scripts without spaces the next word goes on at once.
    return end if last >= BEYOND_ASCII else _rest_of_name(data, end)


def read_name(data: bytes, end: int) -> Name | None:
    """Reads the name that ends at `end`; None when it is no secret's."""
    start = _past_escape(data, _name_start(data, end), end)
    if start < 0:
        return None
    secret = classify(data[start:end])
    if secret is None or secret.form in (TOKEN, QUERY):
        wider = _with_word_before(data, start, end)
        if wider is not None:
            return wider
    return None if secret is None else Name(start, end, secret)


def past_colour(data: bytes, position: int, limit: int) -> int:
    """Walks past the rest of a terminal's colour, whose escape byte stands at `position`."""
    return run_end(data, position + 1, min(limit, position + _MAX_COLOUR), _COLOUR) + 1


def _rest_of_name(data: bytes, position: int) -> int:
    limit = min(len(data), position + MAX_KEY)
    while position < limit and NAME[data[position]]:
        if data[position] >= _GENERAL_PUNCTUATION and _is_punctuation(data, position):
            break
        position += 1
    while position > 0 and _EDGES[data[position - 1]]:
        position -= 1
    return position


def _is_punctuation(data: bytes, position: int) -> bool:
    first = data[position]
    second = data[position + 1] if position + 1 < len(data) else 0
    if first in (_GENERAL_PUNCTUATION, _CJK_PUNCTUATION):
        return second == _SECOND_OF_PUNCTUATION
    return first == _WIDE_FORMS and second == _SECOND_OF_WIDE_FORMS


def _before_separator(data: bytes, position: int) -> int:
    floor = max(0, position - MAX_GAP)
    position = run_start(data, position, floor, BLANK)
    if position > floor and data[position - 1] == LOWER_M:  # the end of a colour
        colour = run_start(data, position - 1, max(floor, position - _MAX_COLOUR), _COLOUR)
        if colour > floor and data[colour - 1] == ESCAPE:
            position = run_start(data, colour - 1, floor, BLANK)
    return run_start(data, position, floor, CLOSER)


def _name_start(data: bytes, end: int) -> int:
    floor = max(0, end - MAX_KEY)
    start = end
    while start > floor and NAME[data[start - 1]]:
        start -= 1
        if data[start] >= _GENERAL_PUNCTUATION and _is_punctuation(data, start):
            start += _PUNCTUATION_LENGTH
            break
    while start < end and _EDGES[data[start]]:
        start += 1
    return start


def _past_escape(data: bytes, start: int, end: int) -> int:
    """Walks past the letters of a colour or of an escaped line end before a name; -1 when there is no name."""
    if start >= end:
        return -1
    before = data[start - 1] if start > 0 else 0
    if before in (OPEN_BRACKET, SEMICOLON):
        letters = run_end(data, start, end, DIGIT)
        if letters < end - 1 and data[letters] == LOWER_M and letters - start <= _MOST_DIGITS:
            return letters + 1
    elif before == BACKSLASH and _ESCAPED_LETTERS[data[start]] and end - start > _MIN_ESCAPED:
        return start + 1
    return start


def _with_word_before(data: bytes, start: int, end: int) -> Name | None:
    """Reads `API key` as one name: a name of two words that a space parts."""
    if start < _LEAST_BEFORE or data[start - 1] != BLANK_SPACE or not ALNUM[data[start - 2]]:
        return None
    word = run_start(data, start - 1, max(0, start - 1 - _MAX_WORD_BEFORE), ALNUM)
    secret = classify(data[word : start - 1] + b"_" + data[start:end])
    if secret is None or secret.form == QUERY:
        return None
    return Name(word, end, secret)
