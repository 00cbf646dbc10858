"""Candidate spans, and how overlapping ones become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId

_MOVES: Final = 8
_TOKENS: Final[dict[str, bytes]] = {}


@final
class Span:
    """Bytes start to end (exclusive) that a rule wants masked; of two that overlap, the lower rank gives the name.

    A plain class and not a dataclass: the compiled engine makes one for each secret of a dense text.
    """

    __slots__ = ("end", "rank", "rule_id", "start")

    def __init__(self, start: int, end: int, rank: int, rule_id: RuleId) -> None:
        self.start = start
        self.end = end
        self.rank = rank
        self.rule_id = rule_id


def merge(spans: list[Span]) -> list[Span]:
    """Orders spans by position and joins those that overlap; touching spans stay apart."""
    if len(spans) == 0:
        return spans
    spans = _ordered(spans)
    merged: list[Span] = []
    current = spans[0]
    for index in range(1, len(spans)):
        span = spans[index]
        if span.start < current.end:
            named = span if span.rank < current.rank else current
            current = Span(current.start, max(current.end, span.end), named.rank, named.rule_id)
        else:
            merged.append(current)
            current = span
    merged.append(current)
    return merged


def interleaved(one: list[Span], other: list[Span]) -> list[Span]:
    """Puts two ordered lists of spans into one that is ordered by their begin."""
    both: list[Span] = []
    index = 0
    for span in one:
        while index < len(other) and other[index].start < span.start:
            both.append(other[index])
            index += 1
        both.append(span)
    both.extend(other[index:])
    return both


def replace(data: bytes, spans: list[Span]) -> bytes:
    """Puts the constant token of its rule in the place of each span.

    Spans are ordered and do not overlap; anything else is an error of the caller and yields no text.
    """
    pieces: list[bytes] = []
    position = 0
    length = len(data)
    for span in spans:
        if not position <= span.start < span.end <= length:
            raise RedactionError
        pieces.append(data[position : span.start])
        pieces.append(token(span.rule_id))
        position = span.end
    pieces.append(data[position:])
    return b"".join(pieces)


def token(rule_id: RuleId) -> bytes:
    """Gives the rule's token, the same whatever the value."""
    known = _TOKENS.get(rule_id)
    if known is None:
        known = b"[redacted:" + rule_id.encode("ascii") + b"]"
        _TOKENS[rule_id] = known
    return known


def _place(span: Span) -> tuple[int, int, int]:
    return span.start, span.end, span.rank


def _ordered(spans: list[Span]) -> list[Span]:
    """Orders spans by their place; the steps give them nearly so, and few moves are cheaper than a key for each."""
    ordered: list[Span] = []
    left = _MOVES * len(spans)
    for span in spans:
        index = len(ordered)
        while index > 0 and _is_before(span, ordered[index - 1]):
            index -= 1
        if index == len(ordered):
            ordered.append(span)
            continue
        left -= len(ordered) - index
        if left < 0:
            return sorted(spans, key=_place)
        ordered.insert(index, span)
    return ordered


def _is_before(one: Span, other: Span) -> bool:
    if one.start != other.start:
        return one.start < other.start
    return one.rank < other.rank if one.end == other.end else one.end < other.end
