"""Reads what stands around a secret as the strict profile reads everything: where one is written, others are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.strict import strict_stretch
from leadglass_agent.redaction.tables import BLANK, DIGITS, LINE_END, run_end, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.spans import Span

_REACH_BACK: Final = 256
_REACH: Final = 384
_MOST_LINES: Final = 8
# More spans than this are not added to a window, whatever it holds: its memory has a bound.
_MOST: Final = 256
_NEWLINE: Final = 0x0A
# What begins a line of a log, which has nothing to do with the line before: a time, a level in brackets, an object.
_ENTRY: Final = table(DIGITS + b"[{")


def read_around(data: bytes, spans: list[Span]) -> None:
    """Adds the strict pass's spans around each of these: to either end of their paragraph, no byte twice."""
    places = sorted([span.start << 32 | (span.end - span.start) for span in spans])
    read_to = 0
    found: list[Span] = []
    for place in places:
        start = place >> 32
        end = start + (place & 0xFFFFFFFF)
        if end <= read_to and start < read_to:
            # The end of what was read stands behind it, but its own reach may go further.
            begin = read_to
        else:
            begin = max(read_to, _paragraph_start(data, start))
        stop = _paragraph_end(data, end)
        if stop <= begin:
            continue
        read_to = strict_stretch(data, found, begin, stop, 0, _MOST - len(found))
        read_to = max(read_to, stop)
        if len(found) >= _MOST:
            break
    spans.extend(found)


def apart(spans: list[Span], count: int) -> list[Span]:
    """Gives the first `count` spans, and of the others those that overlap none of them: what a rule names is certain."""
    if count == 0 or count == len(spans):
        return spans
    certain = sorted([span.start << 32 | span.end for span in spans[:count]])
    others = sorted([spans[index].start << 32 | index for index in range(count, len(spans))])
    kept = spans[:count]
    position = 0
    read_to = 0
    for other in others:
        span = spans[other & 0xFFFFFFFF]
        while position < count and certain[position] >> 32 < span.end:
            read_to = max(read_to, certain[position] & 0xFFFFFFFF)
            position += 1
        if read_to <= span.start:
            kept.append(span)
    return kept


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
        if before <= floor or before >= position - 1 or _begins_entry(data, before):
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
