"""Reads what stands around a secret as the strict profile reads everything: where one is written, others are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.strict import strict_stretch
from leadglass_agent.redaction.surroundings import EXPECTANT
from leadglass_agent.redaction.tables import BLANK, DIGITS, LINE_END, run_end, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.spans import Span

_REACH_BACK: Final = 256
_REACH: Final = 384
_MOST_LINES: Final = 8
# More spans than this are not added to a window, whatever it holds: its memory has a bound.
_MOST: Final = 256
_MOST_PLACES: Final = 4
_NEWLINE: Final = 0x0A
# What begins a line of a log, which has nothing to do with the line before: a time, a level in brackets, an object.
_ENTRY: Final = table(DIGITS + b"[{")


def read_around(data: bytes, spans: list[Span], out: list[Span]) -> None:
    """Adds the strict pass's spans around each of these ordered ones, to either end of their paragraph.

    No byte is read twice. A text of more secrets than some is a list of them, which the rules read.
    """
    read_to = 0
    length = len(data)
    for span in spans[:_MOST_PLACES]:
        if span.start >= length:
            break  # what the next window reads
        if span.end <= read_to and span.start < read_to:
            # The end of what was read stands behind it, but its own reach may go further.
            begin = read_to
        else:
            begin = max(read_to, _paragraph_start(data, span.start))
        stop = _paragraph_end(data, min(span.end, length))
        if stop <= begin:
            continue
        read_to = strict_stretch(data, spans, out, begin, stop, 0, _MOST - len(out), EXPECTANT)
        read_to = max(read_to, stop)
        if len(out) >= _MOST:
            break


def _paragraph_start(data: bytes, start: int) -> int:
    floor = max(0, start - _REACH_BACK)
    position = start
    while position > floor and not LINE_END[data[position - 1]]:
        position -= 1
    if position == floor and floor > 0:
        return _past_run(data, position, start)
    if _begins_entry(data, position):
        return position
    for _ in range(_MOST_LINES):
        before = data.rfind(b"\n", floor, max(floor, position - 1)) + 1
        if before < floor or (before == floor and floor > 0) or before >= position - 1 or _begins_entry(data, before):
            break
        if run_end(data, before, position - 1, BLANK) >= position - 2:
            break
        position = before
    return position


def _paragraph_end(data: bytes, end: int) -> int:
    limit = min(len(data), end + _REACH)
    position = data.find(b"\n", end, limit)
    if position < 0:
        return limit
    for _ in range(_MOST_LINES):
        following = position + 1
        text = run_end(data, following, limit, BLANK)
        if text >= limit or LINE_END[data[text]] or _begins_entry(data, following):
            return following
        position = data.find(b"\n", following, limit)
        if position < 0:
            return limit
    return position + 1


def _past_run(data: bytes, position: int, stop: int) -> int:
    """Walks past the end of a run that began before the reach."""
    while position < stop and not BLANK[data[position]]:
        position += 1
    return position


def _begins_entry(data: bytes, position: int) -> bool:
    return position < len(data) and _ENTRY[data[position]] != 0
