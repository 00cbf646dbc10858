"""Tells the lines of logs from those of any other text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.tables import ALNUM, DIGIT, LINE_END

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

# A time, a serial number or a level stands so near to the beginning of an entry.
_REACH: Final = 128
_COLON: Final = 0x3A
_MIN_NUMBER: Final = 5
_MIN_EPOCH: Final = 9
_OF_HOUR: Final = 2
_LEVELS: Final = (b"INFO", b"WARN", b"DEBUG", b"ERROR", b"TRACE", b"FATAL", b"level=", b'"level"', b"NOTICE")
# The second byte of the levels that begin with this one; no two of one first byte differ there.
_SECOND: Final = bytes(next((level[1] for level in _LEVELS if level[0] == byte), 0) for byte in range(256))
_OTHER: Final = 0
_LETTER: Final = 1
_INITIAL: Final = 2
_DIGIT: Final = 3
_END: Final = 4
_KINDS: Final = bytes(
    _DIGIT
    if DIGIT[byte]
    else _INITIAL
    if _SECOND[byte]
    else _LETTER
    if ALNUM[byte]
    else _END
    if LINE_END[byte]
    else _OTHER
    for byte in range(256)
)
# Behind so many entries in a row, so many bytes are leapt over.
_MANY: Final = 32
_LEAP: Final = 2048
# What a heading gives when there is none, and when it has no time.
_NONE: Final = -1
_TIMELESS: Final = 0


def stretches(data: bytes) -> list[int]:
    """Gives where each stretch of lines that are alike ends: first one of a log's entries, then other lines, in turn.

    Most logs show the time in the same column of each line, so that is where it is looked for first. Behind many such
    lines in a row only one in some is looked at, up to the first that is none: a few other lines among thousands of
    entries may be taken for entries.
    """
    ends: list[int] = []
    in_log = True
    length: i64 = len(data)
    begin: i64 = 0
    # Where the time stands in a line, from its beginning.
    column: i64 = 0
    # How many entries stood one behind the other.
    row: i64 = 0
    place: i64 = 0
    find = data.find
    while begin < length:
        is_log = column > 0 and _shows_time(data, begin, column)
        if is_log and in_log:
            row += 1
            if row > _MANY:
                leap: i64 = find(b"\n", min(length, begin + _LEAP))
                if leap >= 0 and _shows_time(data, leap + 1, column):
                    begin = leap + 1
                    continue
                row = 0
        else:
            row = 0
        end: i64 = find(b"\n", begin)
        if end < 0:
            end = length
        if not is_log or begin + column >= end:
            place = _heading(data, begin)
            is_log = place != _NONE
            if place > begin:
                column = place - begin
        if is_log != in_log:
            ends.append(begin)
            in_log = is_log
        begin = end + 1
    ends.append(length)
    return ends


def _shows_time(data: bytes, begin: int, column: int) -> bool:
    """Says whether the line at `begin` shows a time whose first colon is in this column."""
    place: i64 = begin + column
    return (
        place + 2 < len(data)
        and data[place] == _COLON
        and DIGIT[data[place - 1]] != 0
        and DIGIT[data[place + 1]] != 0
        and DIGIT[data[place + 2]] != 0
    )


def is_entry(data: bytes, start: int) -> bool:
    """Says whether the line at `start` is one of a log: a time of day, a level or a long number heads it."""
    return _heading(data, start) != _NONE


def _heading(data: bytes, start: int) -> int:  # noqa: C901 - one walk, without a call for each byte
    """Finds what makes a line an entry; gives the place of the first colon of its time, if that is what does."""
    length: i64 = len(data)
    position: i64 = start
    limit: i64 = min(length, position + _REACH)
    digits: i64 = 0
    byte: i64 = 0
    kind: i64 = 0
    least: i64 = _MIN_NUMBER
    kinds = _KINDS
    while position < limit:
        byte = data[position]
        kind = kinds[byte]
        position += 1
        if kind == _LETTER:
            digits = 0
            least = _MIN_EPOCH
            continue
        if kind == _DIGIT:
            digits += 1
            continue
        if kind == _END:
            break
        if kind == _INITIAL and position < length and data[position] == _SECOND[byte]:
            if data.startswith(_LEVELS, position - 1):
                return _TIMELESS
        elif (
            byte == _COLON
            and 0 < digits <= _OF_HOUR
            and position + 1 < length
            and DIGIT[data[position]]
            and DIGIT[data[position + 1]]
        ):
            return position - 1
        if digits > 0:
            if digits >= least and not ALNUM[byte]:
                return _TIMELESS
            least = _MIN_EPOCH
            digits = 0
        elif ALNUM[byte]:
            least = _MIN_EPOCH
    return _NONE
