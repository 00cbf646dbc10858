"""Masks a text that is at hand: many windows first, then one search for the echoes that they would have looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.echo import MAX_LENGTH, NUMBER_BITS, NUMBER_MASK, stands_alone
from leadglass_agent.redaction.windows import Mark

if TYPE_CHECKING:
    from leadglass_agent.redaction.windows import Sizes, Windows

# Windows that are masked before the search for their echoes. To compile the values costs as much as some windows, so
# each search covers twice as many as the one before.
_FEWEST: Final = 8
_MOST: Final = 128


def mask_ahead(data: bytes, windows: Windows, sizes: Sizes) -> None:
    """Masks the whole text as a stream over it would.

    A window looks for all values that were found before it. Few texts hold such an echo that no rule has found anyway,
    so the windows first go without; where the search afterwards comes upon one, they go back and look one by one.
    """
    place = (0, 0)
    ahead = alone = _FEWEST
    while place[0] < len(data) or windows.is_open:
        mark = Mark(windows)
        following = _mask_some(data, windows, sizes, place, ahead)
        if following[0] >= 0:
            place = following
            ahead = min(2 * ahead, _MOST)
            continue
        windows.back(mark)
        # A text that has one often has more: then nearly all of its windows are masked once.
        for _ in range(max(ahead, alone)):
            if place[0] < len(data) or windows.is_open:
                place = _step(data, windows, sizes, place)
        ahead = _FEWEST
        alone = min(2 * alone, _MOST)


def _step(data: bytes, windows: Windows, sizes: Sizes, place: tuple[int, int]) -> tuple[int, int]:
    """Masks one window; a place is the next byte to decide, and the first one that is read again for it."""
    cut, keep = place
    stop = min(len(data), cut + sizes.window)
    following, more = windows.step(data[keep:stop], cut - keep, memoryview(data)[keep:stop], last=stop == len(data))
    return keep + following, keep + more


def _mask_some(data: bytes, windows: Windows, sizes: Sizes, place: tuple[int, int], most: int) -> tuple[int, int]:
    """Masks so many windows without echoes; gives the next place, below zero when they have overlooked one."""
    echoes = windows.echoes
    begin = place[0]
    before = len(windows.findings)
    # From which place on each value counts.
    since = [begin] * echoes.count
    was_open = windows.is_open
    steps = 0
    echoes.is_waiting = True
    while steps < most and (place[0] < len(data) or windows.is_open):
        place = _step(data, windows, sizes, place)
        steps += 1
        was_open = was_open or windows.is_open
        since.extend([place[0]] * (echoes.count - len(since)))
    echoes.is_waiting = False
    if len(since) == 0 or since[0] >= len(data):
        return place
    group = echoes.group()
    low = max(0, begin - MAX_LENGTH)
    high = min(len(data), place[0] + MAX_LENGTH)
    found, is_all = group.occurrences(memoryview(data)[low:high], begin - low, sizes.most * (steps + 1))
    if not is_all or _is_crowded(found, sizes):
        return -1, -1
    findings = windows.findings
    index = before
    for occurrence in found:
        number = occurrence & NUMBER_MASK
        literal = group.literals[number]
        end = low + (occurrence >> NUMBER_BITS)
        start = end - len(literal)
        if end <= since[number] or start >= place[0] or not stands_alone(data, start, literal):
            continue
        # Within a span of the same name an echo changes nothing; the rest of a long secret is not looked at.
        while index < len(findings) and findings[index].end < end:
            index += 1
        if was_open or index == len(findings):
            return -1, -1
        finding = findings[index]
        if finding.start > start or finding.rule_id != group.rules[number]:
            return -1, -1
    echoes.settle(group)
    return place


def _is_crowded(found: list[int], sizes: Sizes) -> bool:
    """Says whether a window would have ended early at its echoes; orders them by their ends."""
    found.sort()
    reach = (sizes.window + sizes.context) << NUMBER_BITS
    most = sizes.most
    return any(found[index] - found[index - most + 1] <= reach for index in range(most - 1, len(found)))
