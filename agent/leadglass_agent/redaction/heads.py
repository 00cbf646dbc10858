"""Spans credentials that have a shape of their own: a head that Hyperscan found, and the run that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, DIGIT, HEX, run_end, run_start, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId

# A lead is looked for this far back: the longest documented part before a head, a JOSE header with a certificate
# thumbprint, is under 1 KiB.
_MAX_LEAD: Final = 2048
# A filler such as xxxxxxxx is a placeholder of documentation; a random credential never ends in it.
_PLACEHOLDER_TAIL: Final = 12
_PLACEHOLDER_DISTINCT: Final = 2
_MAX_COLOUR: Final = 4
_PERCENT: Final = 0x25
_BACKSLASH: Final = 0x5C
_M: Final = 0x6D
_U: Final = 0x75
_BRACKET: Final = 0x5B
_SEMICOLON: Final = 0x3B
_LETTER_ESCAPES: Final = table(b"nrtabfv")
# Lengths of %3d and \u003d.
_PERCENT_ESCAPE: Final = 3
_UNICODE_ESCAPE: Final = 6


@final
class Head:
    """One head as the confirm step needs it; the tables are of 256 bytes, an empty one holds nothing."""

    __slots__ = ("at_word_start", "keep", "lead", "rank", "rule_id", "tail", "tail_most", "width")

    def __init__(
        self,
        rule_id: RuleId,
        rank: int,
        width: int,
        keep: int,
        tail: bytes,
        tail_most: int,
        lead: bytes,
        *,
        at_word_start: bool,
    ) -> None:
        self.rule_id = rule_id
        self.rank = rank
        self.width = width
        self.keep = keep
        self.tail = tail
        self.tail_most = tail_most
        self.lead = lead
        self.at_word_start = at_word_start


def confirm_head(data: bytes, end: int, head: Head) -> Span | None:
    """Spans the credential whose head ends at `end`; None for a part of a word or a placeholder."""
    start = end - head.width
    if head.at_word_start and not begins_word(data, start):
        return None
    if head.tail_most:
        end = run_end(data, end, min(len(data), end + head.tail_most), head.tail)
    if is_filler(data, max(start, end - _PLACEHOLDER_TAIL), end):
        return None
    if head.lead:
        start = run_start(data, start, max(0, start - _MAX_LEAD), head.lead)
    return Span(start + head.keep, end, head.rank, head.rule_id)


def is_filler(data: bytes, start: int, end: int) -> bool:
    """Says whether at most two different bytes make up this stretch, as in xxxxxxxx and 0000-0000."""
    first = data[start]
    second = first
    for position in range(start + 1, end):
        byte = data[position]
        if byte not in (first, second):
            if second != first:
                return False
            second = byte
    return True


def begins_word(data: bytes, start: int) -> bool:
    r"""Says whether no letter or digit stands before, but for the end of an escape (\n, %3D, \u003d, a colour)."""
    if start == 0 or not ALNUM[data[start - 1]]:
        return True
    before = data[start - 1]
    if start > 1 and data[start - 2] == _BACKSLASH and _LETTER_ESCAPES[before]:
        return True
    if start >= _PERCENT_ESCAPE and data[start - 3] == _PERCENT and HEX[before] and HEX[data[start - 2]]:
        return True
    if start >= _UNICODE_ESCAPE and data[start - 5] == _U and data[start - 6] == _BACKSLASH:
        return all(HEX[data[position]] for position in range(start - 4, start))
    if before == _M:
        colour = run_start(data, start - 1, max(0, start - _MAX_COLOUR), DIGIT)
        return colour > 0 and data[colour - 1] in (_BRACKET, _SEMICOLON)
    return False
