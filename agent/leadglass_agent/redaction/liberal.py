"""Decides which plain words are passwords where the strict profile takes nearly all for one near a password's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.identifiers import ANY, CODE, IDENTIFIER, PASSWORD_NAME, SECRET, THING, kind_of
from leadglass_agent.redaction.password_words import is_structured
from leadglass_agent.redaction.phrases import is_phrase, is_prose_word
from leadglass_agent.redaction.surroundings import LIBERAL, LINKED, link
from leadglass_agent.redaction.tables import ALNUM, BLANK, DIGIT, LINE_END, LOWER, QUOTE, run_end, run_start, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.surroundings import Line

_MIN_MIXED: Final = 5
_MAX_PHRASE: Final = 160
_MIN_GROUPS: Final = 3
_MIN_GROUP: Final = 4
_MAX_GROUP: Final = 8
_MIN_CERTAIN: Final = 8
_LEAST_LINKED: Final = 2
_LEAST_SAID: Final = 3
_DOT: Final = 0x2E
_MIN_WORD: Final = 5
_MAX_WORD: Final = 48
_REACH: Final = 64
_FIRST_WORD: Final = 2
_NEVER_BEHIND: Final = table(b"/\\.@${<#%_-&")
_NEVER_BEFORE: Final = table(b"=:([{\\/@%")
# What stands between a name and the word that it introduces, but for blanks and quotes.
_LINKS: Final = table(b":=/|>\t" + bytes(range(0x80, 0x100)))
_GAP: Final = table(b" \t\"'`*([" + b":=/|>-" + bytes(range(0x80, 0x100)))
_CLOSE: Final = table(b" \t.,;!)\"'`*]" + bytes(range(0x80, 0x100)))
_MARKS: Final = table(b".-_+~")
_LOWER: Final = table(LOWER)
_WORDS: Final = table(LOWER + b" ")
_COPULAS: Final = frozenset(
    (b"", b"is", b"was", b"are", b"ist", b"lautet", b"est", b"es", b"is now", b"set to", b"with", b"c'est", b"jest")
)


def has_number(data: bytes, start: int, end: int) -> bool:
    """Says whether a run has a digit."""
    return any(DIGIT[data[position]] for position in range(start, end))


def is_in_quotes(data: bytes, start: int, end: int) -> bool:
    """Says whether a run fills a string in quotes."""
    return start > 0 and end < len(data) and QUOTE[data[start - 1]] != 0 and data[end] == data[start - 1]


def is_grouped(text: bytes) -> bool:
    """Says whether it is a code in groups of one length that dashes part: ABCD-EFGH-IJKL, 123456-234567-345678."""
    groups = text.split(b"-")
    if len(groups) < _MIN_GROUPS or not _MIN_GROUP <= len(groups[0]) <= _MAX_GROUP:
        return False
    return all(len(group) == len(groups[0]) and group.isalnum() and group == group.upper() for group in groups)


def phrase_end(data: bytes, start: int, end: int, line: Line) -> int:
    """Gives the end of a passphrase of plain words that begins with this word; `end` when it begins none."""
    if start == 0 or start - line.secret_end > _REACH or run_end(data, start, end, _LOWER) < end:
        return end
    gap = run_start(data, start, max(line.secret_end, start - _REACH), _GAP)
    is_linked = any(_LINKS[data[position]] or QUOTE[data[position]] for position in range(gap, start))
    if not is_linked and data[line.secret_end : start].strip().lower() not in _COPULAS:
        return end
    stop = run_end(data, start, min(len(data), start + _MAX_PHRASE), _WORDS)
    while stop > end and BLANK[data[stop - 1]]:
        stop -= 1
    ends_line = stop >= len(data) or LINE_END[data[stop]] != 0 or QUOTE[data[stop]] != 0 or data[stop] == _DOT
    least = _LEAST_LINKED if is_linked and line.mode == LIBERAL else _LEAST_SAID
    if stop > end and ends_line and is_phrase(data[start:stop], least):
        return stop
    return end


def is_loosely_said(  # noqa: PLR0911 - one row for each ground
    data: bytes, start: int, end: int, line: Line
) -> bool:
    """Says whether a run that looks like nothing is taken for the password that its line speaks of."""
    length = end - start
    if not _MIN_WORD <= length <= _MAX_WORD or start < line.secret_end or start - line.secret_end > _REACH:
        return False
    if _NEVER_BEHIND[data[start - 1]] or (end < len(data) and _NEVER_BEFORE[data[end]]):
        return False
    text = data[start:end]
    kind = kind_of(line.name(data)) if link(data, start, line) == LINKED else ANY
    if kind in (IDENTIFIER, THING) or is_harmless(text, quoted=True) or kind_of(text) in (SECRET, CODE, PASSWORD_NAME):
        return False
    digits = sum(1 for byte in text if DIGIT[byte])
    if digits == length or run_end(data, start, end, _MARKS) > start:
        return False
    if digits > 0 and line.mode == LIBERAL:
        return length >= _MIN_MIXED and b"." not in text and not is_structured(text) and not text.startswith(b"0x")
    if digits > 0 and line.secret_kind == PASSWORD_NAME and length >= _MIN_CERTAIN:
        return is_in_quotes(data, start, end) or end >= len(data) or LINE_END[data[end]] != 0
    if line.mode != LIBERAL:
        return False
    return line.secret_kind == PASSWORD_NAME and text.isalpha() and _stands_for_itself(data, start, end, line)


def _stands_for_itself(data: bytes, start: int, end: int, line: Line) -> bool:
    """Says whether a word of letters is set apart: in quotes, behind a sign, or right behind a line's first name."""
    if is_prose_word(data[start:end]):
        return False
    if QUOTE[data[start - 1]] and end < len(data) and data[end] == data[start - 1]:
        return True
    gap = run_start(data, start, max(0, start - _REACH), _GAP)
    if gap == line.secret_end and run_end(data, gap, start, BLANK) == start:
        name = run_start(data, line.secret_end, max(0, line.secret_end - _REACH), ALNUM)
        before = run_start(data, name, max(0, name - _REACH), BLANK)
        if end - start >= _MIN_CERTAIN and (end >= len(data) or LINE_END[data[end]]):
            return True
        return before == 0 or LINE_END[data[before - 1]] != 0
    if not any(_LINKS[data[position]] for position in range(gap, start)):
        return False
    following = run_end(data, end, min(len(data), end + _REACH), _CLOSE)
    return following >= len(data) or LINE_END[data[following]] != 0 or following > end + 1
