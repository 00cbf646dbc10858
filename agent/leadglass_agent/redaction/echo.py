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
_MAX_LENGTH: Final = 4096
MAX_VALUES: Final = 256
_MAX_BYTES: Final = 65_536
_RANK: Final = 90
# Values times bytes behind which one compiled pass costs less than a search for each value, measured: 20 us to compile
# a value, 5 GB/s to search for one.
_WORTH_COMPILING: Final = 524_288
_LATEST: Final = 8


def values_of(data: bytes, spans: Iterable[Span]) -> dict[bytes, RuleId]:
    """Collects the distinct values worth looking for again, the first rule that named each, at most 256."""
    values: dict[bytes, RuleId] = {}
    for span in spans:
        if _MIN_LENGTH <= span.end - span.start <= _MAX_LENGTH:
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

    __slots__ = ("_bytes", "_latest", "_settled", "_settled_group")

    def __init__(self) -> None:
        self._settled: dict[bytes, RuleId] = {}
        self._settled_group: _Group | None = None
        self._latest: dict[bytes, RuleId] = {}
        self._bytes = 0

    @property
    def has_room(self) -> bool:
        """Says whether another value may be kept."""
        return len(self._settled) + len(self._latest) < MAX_VALUES and self._bytes < _MAX_BYTES

    def known(self, data: bytes | memoryview, cut: int, most: int) -> tuple[list[Span], int]:
        """Spans the occurrences behind `cut` of all values so far, at most so many; gives how far it searched."""
        spans: list[Span] = []
        end = len(data)
        if self._settled_group is not None:
            end = min(end, self._settled_group.search(data, cut, spans, most))
        if self._latest:
            text = bytes(data)
            for value, rule_id in self._latest.items():
                # One that began before the cut still belongs to the text behind it.
                start = max(0, cut - len(value) + 1)
                end = min(end, _search(text, start, value, rule_id, spans, most))
        return spans, end

    def fresh(self, data: bytes, cut: int, spans: list[Span], found: list[Span], most: int) -> int:
        """Adds the other occurrences of values that this window shows first; gives how far it searched."""
        if not self.has_room:
            return len(data)
        values = self._new(data, spans)
        if len(values) * len(data) > _WORTH_COMPILING:
            return _Group(values).search(data, cut, found, most)
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
        if len(self._latest) > max(_LATEST, len(self._settled) // 4):
            self._settled |= self._latest
            self._settled_group = _Group(self._settled)
            self._latest = {}

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
class _Group:
    """Values that are looked for in one compiled pass."""

    __slots__ = ("_compiled", "_literals", "_rules")

    def __init__(self, values: dict[bytes, RuleId]) -> None:
        self._literals = list(values)
        self._rules = list(values.values())
        self._compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        # As literals they compile a third faster, but a NUL would end them.
        is_plain = not any(b"\0" in literal for literal in self._literals)
        self._compiled.compile(
            expressions=self._literals if is_plain else [_escaped(literal) for literal in self._literals],
            ids=list(range(len(self._literals))),
            elements=len(self._literals),
            flags=[0] * len(self._literals),
            literal=is_plain,
        )

    def search(self, data: bytes | memoryview, cut: int, spans: list[Span], most: int) -> int:
        """Adds the span of each occurrence; gives the place up to which it searched."""
        collector = _Ends(cut, most)
        try:
            self._compiled.scan(data, match_event_handler=collector)  # type: ignore[type-var]  # it takes any buffer
        except hyperscan.ScanTerminated:
            searched = collector.found[-1][1]
        else:
            searched = len(data)
        for number, end in collector.found:
            start = end - len(self._literals[number])
            if _stands_alone(data, start, self._literals[number]):
                spans.append(Span(start, end, _RANK, self._rules[number]))
        return searched


@final
class _Ends:
    """What Hyperscan calls for each occurrence."""

    __slots__ = ("_cut", "_most", "found")

    def __init__(self, cut: int, most: int) -> None:
        self.found: list[tuple[int, int]] = []
        self._cut = cut
        self._most = most

    def __call__(self, number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
        """Keeps an occurrence; says whether it is the last one that is wanted."""
        if end > self._cut:
            self.found.append((number, end))
        return len(self.found) >= self._most


def _escaped(literal: bytes) -> bytes:
    return b"".join([b"\\x%02x" % byte for byte in literal])


def _search(data: bytes, position: int, value: bytes, rule_id: RuleId, spans: list[Span], most: int) -> int:
    """Adds the span of each occurrence; overlapping ones, as of 1111111 among ones, grow into one span."""
    found = 0
    last: Span | None = None
    position = data.find(value, position)
    while position >= 0:
        end = position + len(value)
        if _stands_alone(data, position, value):
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


def _stands_alone(data: bytes | memoryview, start: int, value: bytes) -> bool:
    """Keeps a password that is a word from being found within other words."""
    if not value.isalpha():
        return True
    end = start + len(value)
    return not bytes(data[max(0, start - 1) : start]).isalnum() and not bytes(data[end : end + 1]).isalnum()
