"""Finds the other occurrences of values that were found once, within one window of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import hyperscan

from leadglass_agent.redaction.harmless import names_secret
from leadglass_agent.redaction.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadglass_agent.redaction.findings import RuleId

# Shorter values stand in words that have nothing to do with them.
_MIN_LENGTH: Final = 6
MAX_LENGTH: Final = 4096
MAX_VALUES: Final = 256
_MAX_BYTES: Final = 65_536
_RANK: Final = 90
# Values times bytes that are searched in the time of a compilation, of which some is for each value: 100 us and 20 us,
# against 3.7 GB/s for one value, as measured.
_COMPILATION: Final = 400_000
_COMPILED_VALUE: Final = 75_000
# So many values are searched in the time of one walk over all bytes.
_WALK: Final = 16
# Values that end in the same bytes, and are compared one by one wherever these stand.
_MAX_ALIKE: Final = 4
_NONE: Final = bytes(256)
# An occurrence is one integer, end << 8 | value's number.
NUMBER_BITS: Final = 8
NUMBER_MASK: Final = (1 << NUMBER_BITS) - 1


def values_of(data: bytes, spans: Iterable[Span]) -> dict[bytes, RuleId]:
    """Collects the distinct values worth looking for again, the first rule that named each, at most 256."""
    values: dict[bytes, RuleId] = {}
    for span in spans:
        if _MIN_LENGTH <= span.end - span.start <= MAX_LENGTH:
            value = data[span.start : span.end]
            if not (value.isalpha() and names_secret(value)):
                values.setdefault(value, span.rule_id)
            if len(values) == MAX_VALUES:
                break
    return values


def echoes(data: bytes, values: dict[bytes, RuleId]) -> list[Span]:
    """Spans every occurrence of each value; those of one value that overlap are one span."""
    spans: list[Span] = []
    for value, rule_id in values.items():
        _search(data, 0, value, rule_id, spans, len(data) + 1)
    return spans


@final
class Echoes:
    """The values that one text has shown so far: the first 256, and 64 KiB of them at most.

    Those that came last are looked for one by one, and the others in one compiled pass: a text whose values come one by
    one does not pay for a compilation at each, and a short text for none.
    """

    __slots__ = ("_bytes", "_latest", "_searched", "_settled", "_settled_group", "is_waiting")

    def __init__(self) -> None:
        # Whether somebody else looks for what is known, in many windows at once.
        self.is_waiting = False
        # Values times bytes that the latest were looked for in.
        self._searched = 0
        self._settled: dict[bytes, RuleId] = {}
        self._settled_group: Group | None = None
        self._latest: dict[bytes, RuleId] = {}
        self._bytes = 0

    @property
    def has_room(self) -> bool:
        """Says whether another value may be kept."""
        return len(self._settled) + len(self._latest) < MAX_VALUES and self._bytes < _MAX_BYTES

    @property
    def count(self) -> int:
        """Counts the values that are known."""
        return len(self._settled) + len(self._latest)

    def known(self, data: bytes, cut: int, most: int) -> tuple[list[Span], int]:
        """Spans the occurrences behind `cut` of all values so far, at most so many; gives how far it searched."""
        spans: list[Span] = []
        end = len(data)
        if self.is_waiting:
            return spans, end
        self._searched += len(self._latest) * len(data)
        if self._searched > _COMPILATION + _COMPILED_VALUE * self.count:
            self.settle(self.group())
        if self._settled_group is not None:
            end = min(end, self._settled_group.search(data, cut, spans, most))
        for value, rule_id in self._latest.items():
            # One that began before the cut still belongs to the text behind it.
            start = max(0, cut - len(value) + 1)
            end = min(end, _search(data, start, value, rule_id, spans, most))
        return spans, end

    def group(self) -> Group:
        """Compiles all that are known, numbered as they came."""
        if self._settled_group is not None and not self._latest:
            return self._settled_group
        return Group({**self._settled, **self._latest})

    def settle(self, group: Group) -> None:
        """Takes the compiled group of all that are known for the windows to come."""
        self._settled |= self._latest
        self._settled_group = group
        self._latest = {}
        self._searched = 0

    def forget(self, count: int) -> None:
        """Forgets the values that came last, but so many."""
        for value in list(self._latest)[count - len(self._settled) :]:
            del self._latest[value]
            self._bytes -= len(value)

    def fresh(self, data: bytes, cut: int, spans: list[Span], found: list[Span], most: int) -> int:
        """Adds the other occurrences of values that this window shows first; gives how far it searched."""
        if not self.has_room:
            return len(data)
        values = self._new(data, spans)
        if len(values) * len(data) > _WALK * len(data) + _COMPILATION:
            if not _search_tails(data, cut, values, found, most):
                return Group(values).search(data, cut, found, most)
            return len(data)
        end = len(data)
        for value, rule_id in values.items():
            end = min(end, _search(data, cut, value, rule_id, found, most))
        return end

    def keep(self, data: bytes, spans: list[Span], cut: int, end: int) -> None:
        """Keeps the values that stand between `cut` and `end` for the windows to come, as long as there is room."""
        values = self._new(data, [span for span in spans if cut <= span.start and span.end <= end])
        if not values:
            return
        self._latest |= values
        self._bytes += sum(map(len, values))

    def _new(self, data: bytes, spans: list[Span]) -> dict[bytes, RuleId]:
        room = MAX_VALUES - len(self._settled) - len(self._latest)
        size = self._bytes
        values: dict[bytes, RuleId] = {}
        for value, rule_id in values_of(data, spans).items():
            if value in self._settled or value in self._latest or size + len(value) > _MAX_BYTES:
                continue
            if len(values) == room:
                break
            values[value] = rule_id
            size += len(value)
        return values


@final
class Group:
    """Values that are looked for in one compiled pass."""

    __slots__ = ("_compiled", "literals", "rules")

    def __init__(self, values: dict[bytes, RuleId]) -> None:
        self.literals = list(values)
        self.rules = list(values.values())
        self._compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        # As literals they compile a third faster, but a NUL would end them.
        is_plain = not any(b"\0" in literal for literal in self.literals)
        self._compiled.compile(
            expressions=self.literals if is_plain else [_escaped(literal) for literal in self.literals],
            ids=list(range(len(self.literals))),
            elements=len(self.literals),
            flags=[0] * len(self.literals),
            literal=is_plain,
        )

    def search(self, data: bytes, cut: int, spans: list[Span], most: int) -> int:
        """Adds the span of each occurrence; gives the place up to which it searched."""
        found, is_all = self.occurrences(data, cut, most)
        for occurrence in found:
            literal = self.literals[occurrence & NUMBER_MASK]
            end = occurrence >> NUMBER_BITS
            if stands_alone(data, end - len(literal), literal):
                spans.append(Span(end - len(literal), end, _RANK, self.rules[occurrence & NUMBER_MASK]))
        return len(data) if is_all else found[-1] >> NUMBER_BITS

    def occurrences(self, data: bytes | memoryview, cut: int, most: int) -> tuple[list[int], bool]:
        """Finds where values end behind `cut`, at most so many; says whether these are all."""
        collector = _Ends(cut, most)
        try:
            self._compiled.scan(data, match_event_handler=collector)  # type: ignore[type-var]  # it takes any buffer
        except hyperscan.ScanTerminated:
            return collector.found, False
        return collector.found, True


@final
class _Ends:
    """What Hyperscan calls for each occurrence."""

    __slots__ = ("_cut", "_most", "found")

    def __init__(self, cut: int, most: int) -> None:
        self.found: list[int] = []
        self._cut = cut
        self._most = most

    def __call__(self, number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
        """Keeps an occurrence; says whether it is the last one that is wanted."""
        if end > self._cut:
            self.found.append(end << NUMBER_BITS | number)
        return len(self.found) >= self._most


def _escaped(literal: bytes) -> bytes:
    return b"".join([b"\\x%02x" % byte for byte in literal])


def _search_tails(data: bytes, cut: int, values: dict[bytes, RuleId], spans: list[Span], most: int) -> bool:
    """Spans the occurrences of many values in one walk; gives up on values that end alike, and on too many spans.

    For a single window this costs a tenth of what compiling the values does.
    """
    # By their ends, as credentials of one kind begin alike.
    tails: dict[bytes, list[bytes]] = {}
    for value in values:
        alike = tails.setdefault(value[-_MIN_LENGTH:], [])
        alike.append(value)
        if len(alike) > _MAX_ALIKE:
            return False
    # For each first byte, which second bytes follow.
    seconds = [_NONE] * 256
    for tail in tails:
        first = tail[0]
        seconds[first] = seconds[first][: tail[1]] + b"\1" + seconds[first][tail[1] + 1 :]
    found: list[Span] = []
    for position in range(len(data) - _MIN_LENGTH + 1):
        if not seconds[data[position]][data[position + 1]]:
            continue
        end = position + _MIN_LENGTH
        listed = tails.get(data[position:end])
        if listed is None or end <= cut:
            continue
        for value in listed:
            start = end - len(value)
            if start >= 0 and data.startswith(value, start) and stands_alone(data, start, value):
                found.append(Span(start, end, _RANK, values[value]))
                if len(found) >= most:
                    return False
    spans.extend(found)
    return True


def _search(data: bytes, position: int, value: bytes, rule_id: RuleId, spans: list[Span], most: int) -> int:
    """Adds the span of each occurrence; overlapping ones, as of 1111111 among ones, grow into one span."""
    found = 0
    last: Span | None = None
    position = data.find(value, position)
    while position >= 0:
        end = position + len(value)
        if stands_alone(data, position, value):
            if last is not None and position < last.end:
                last.end = end
            else:
                last = Span(position, end, _RANK, rule_id)
                spans.append(last)
                found += 1
                if found >= most:
                    return end
        position = data.find(value, position + 1)
    return len(data)


def stands_alone(data: bytes, start: int, value: bytes) -> bool:
    """Keeps a password that is a word from being found within other words."""
    if not value.isalpha():
        return True
    end = start + len(value)
    return not data[max(0, start - 1) : start].isalnum() and not data[end : end + 1].isalnum()
