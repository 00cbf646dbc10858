"""Tells made-up strings from words, numbers and identifiers by their bytes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.human_passwords import human_shape
from leadglass_agent.redaction.letter_pairs import PAIR_COST
from leadglass_agent.redaction.run_counts import CLASS, IS_JOINER, IS_SIGN, count
from leadglass_agent.redaction.shapes import DIGEST, HEX_SHORT, LETTERS, PASSWORD, PLAIN, RANDOM, SHORT, UUID, WEAK
from leadglass_agent.redaction.tables import HEX

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

    from leadglass_agent.redaction.run_counts import Counts

_DASH: Final = 0x2D
_ZERO: Final = 0x30
_X: Final = 0x78
_L: Final = 0x6C
_LAST_LETTER: Final = 26
_UUID_LENGTH: Final = 36
_DIGEST: Final = 32
_LONG: Final = 16
_LONG_ONE_CASE: Final = 20
# Mean cost of a letter pair, in eighths of a bit: of 3,400 words in our own pages 1 % lie above 43, of random strings
# of ten letters 2 % lie below 37 (measured when the table was made).
_RARE_PAIRS: Final = 41
_RATHER_RARE_PAIRS: Final = 38
_MIN_LETTERS: Final = 8
# What stands before an @ is looked at apart, in so short a run: the work stays linear.
_MAX_ADDRESS: Final = 128
_MAX_LEET: Final = 12
_MANY: Final = 3


def shape_of(data: bytes, start: int, end: int) -> int:  # noqa: C901, PLR0911, PLR0912 - one row for each shape
    """Says what the bytes start to end look like; reads each a few times."""
    while start < end and CLASS[data[start]] & (IS_JOINER | IS_SIGN) and data[start] not in b"!$%":
        start += 1
    if start + 2 < end and data[start] == _ZERO and data[start + 1] | 0x20 == _X:
        return _hex_number(data, start, end)
    counts = count(data, start, end)
    letters = counts.lower + counts.upper
    if letters == 0 or (data[start] == _L and data.startswith(b"lib", start)):
        return PLAIN
    if counts.digits == 0 and counts.signs == 0:
        return _letters_only(data, start, end, counts)
    best = counts.best_end - counts.best_start
    if counts.best_is_hex:
        if best >= _DIGEST:
            return DIGEST
        if end - start == _UUID_LENGTH and _is_uuid(data, start):
            return UUID
        if counts.signs == 0 and (best == end - start or counts.joiners == 0 or best >= _LONG):
            return HEX_SHORT if best == end - start and best >= _MIN_LETTERS and counts.digits > 0 else PLAIN
    elif counts.signs == 0 or best >= _LONG:
        if best >= _LONG and counts.best_changes * 5 >= best:
            often = counts.best_changes * 3 >= best
            if (
                counts.lower > 0
                and counts.upper > 0
                and (often or _has_rare_pairs(data, start, end, _RATHER_RARE_PAIRS))
            ):
                return RANDOM
            if best >= _LONG_ONE_CASE and counts.best_digit_runs >= _MANY:
                return RANDOM
        one_case = counts.lower == 0 or counts.upper == 0
        if best >= _LONG_ONE_CASE and one_case and counts.digits > 1 and _has_rare_pairs(data, start, end, _RARE_PAIRS):
            return RANDOM
        if counts.groups > 1 and counts.digits > 1 and counts.changes > 0:
            return SHORT
    spread = end - start - counts.joiners - counts.signs
    if (
        end - start > _LONG_ONE_CASE
        and counts.lower > 0
        and counts.upper > 0
        and (
            counts.changes * 3 >= spread
            or (counts.changes * 4 >= spread > 2 * _LONG_ONE_CASE)
            or (counts.changes * 5 >= spread > _LONG_ONE_CASE and _has_rare_pairs(data, start, end, _RARE_PAIRS))
        )
        and (counts.joiners + counts.signs) * 4 <= spread
    ):
        return RANDOM if counts.digits > 0 else SHORT
    mixed = counts.lower > 0 and counts.upper > 0 and counts.digits > 0
    if (
        counts.signs == 0
        and mixed
        and spread >= _MIN_LETTERS
        and counts.changes * 3 >= spread
        and counts.joiners * 4 <= spread
    ):
        return SHORT if counts.joiners > 0 or best > _MAX_LEET else PASSWORD
    if (
        counts.signs == 0
        and counts.joiners == 0
        and best >= _MIN_LETTERS
        and counts.changes * 3 >= best
        and not counts.best_is_hex
    ):
        return SHORT
    before_at = PLAIN
    if counts.signs > 0 and end - start <= _MAX_ADDRESS:
        at = data.rfind(b"@", start, end)
        if at > start:
            before_at = shape_of(data, start, at)
    return human_shape(data, start, end, counts, before_at)


def _hex_number(data: bytes, start: int, end: int) -> int:
    position = start + 2
    while position < end and HEX[data[position]]:
        position += 1
    if position == end:
        return DIGEST if end - start - 2 >= 2 * _DIGEST else PLAIN
    return PLAIN if CLASS[data[position]] & (IS_JOINER | IS_SIGN) else WEAK


def _letters_only(data: bytes, start: int, end: int, counts: Counts) -> int:
    best = counts.best_end - counts.best_start
    if counts.upper > 0 and counts.lower > 0 and counts.joiners == 0 and best > _MIN_LETTERS:
        # Words joined by capitals change their case less often.
        rare = counts.changes * 6 >= best and _has_rare_pairs(data, start, end, _RARE_PAIRS)
        if rare or counts.changes * 4 >= best:
            return RANDOM if best >= _LONG else SHORT
    if counts.upper > 1 and counts.lower > 0:
        return PLAIN
    if (
        best < _MIN_LETTERS
        or best != end - start
        or data.find(b"+", start, end) > 0
        or (counts.upper > 0 and counts.lower > 0)
        or not _has_rare_pairs(data, start, end, _RATHER_RARE_PAIRS)
    ):
        return PLAIN
    return RANDOM if best >= _LONG_ONE_CASE and _has_rare_pairs(data, start, end, _RARE_PAIRS) else LETTERS


def _is_uuid(data: bytes, start: int) -> bool:
    return (
        data[start + 8] == _DASH
        and data[start + 13] == _DASH
        and data[start + 18] == _DASH
        and data[start + 23] == _DASH
    )


def _has_rare_pairs(data: bytes, start: int, end: int, rare: int) -> bool:
    """Says whether a run of letters goes on as no word does."""
    cost: i64 = 0
    costs = PAIR_COST
    before: i64 = data[start] & 31
    position: i64 = start + 1
    stop: i64 = end
    letter: i64 = 0
    while position < stop:
        letter = data[position] & 31
        if 0 < letter <= _LAST_LETTER and 0 < before <= _LAST_LETTER:
            cost += costs[(before - 1) * _LAST_LETTER + letter - 1]
        before = letter
        position += 1
    return cost > rare * (end - start - 1)
