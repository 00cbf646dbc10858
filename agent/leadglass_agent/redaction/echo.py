"""Finds the other occurrences of values that were found once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import hyperscan

from leadglass_agent.redaction.findings import RedactionError, RuleId, Span
from leadglass_agent.redaction.harmless import names_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

# Shorter values stand in words that have nothing to do with them.
_MIN_LENGTH: Final = 6
_MAX_LENGTH: Final = 4096
# The search costs one pass of the text for each distinct value.
_MAX_VALUES: Final = 256
# So many occurrences of so few values are an attack on memory, not a text: the redactor gives up and shows nothing.
_MAX_OCCURRENCES: Final = 65_536
_BYTES_PER_OCCURRENCE: Final = 16
_RANK: Final = 90
# Bytes times values behind which one compiled pass is cheaper than a pass for each value.
_WORTH_COMPILING: Final = 16 * 1024 * 1024


def values_of(data: bytes, spans: Iterable[Span]) -> dict[bytes, RuleId]:
    """Collects the distinct values worth looking for again, the first rule that named each, at most 256."""
    values: dict[bytes, RuleId] = {}
    for span in spans:
        if _MIN_LENGTH <= span.end - span.start <= _MAX_LENGTH:
            value = data[span.start : span.end]
            if not (value.isalpha() and names_secret(value)):
                values.setdefault(value, span.rule_id)
            if len(values) == _MAX_VALUES:
                break
    return values


def echoes(data: bytes, values: dict[bytes, RuleId]) -> list[Span]:
    """Spans every occurrence of each value; raises RedactionError when there are more than memory is meant for."""
    limit = _MAX_OCCURRENCES + len(data) // _BYTES_PER_OCCURRENCE
    if len(values) * len(data) > _WORTH_COMPILING:
        return _in_one_pass(data, values, limit)
    spans: list[Span] = []
    for value, rule_id in values.items():
        position = data.find(value)
        while position >= 0:
            if _stands_alone(data, position, value):
                spans.append(Span(position, position + len(value), _RANK, rule_id))
            if len(spans) > limit:
                raise RedactionError
            position = data.find(value, position + 1)
    return spans


def _in_one_pass(data: bytes, values: dict[bytes, RuleId], limit: int) -> list[Span]:
    literals = list(values)
    compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    compiled.compile(
        expressions=[b"".join(b"\\x%02x" % byte for byte in literal) for literal in literals],
        ids=list(range(len(literals))),
        elements=len(literals),
        flags=[0] * len(literals),
    )
    spans: list[Span] = []

    def on_match(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
        value = literals[number]
        if _stands_alone(data, end - len(value), value):
            spans.append(Span(end - len(value), end, _RANK, values[value]))
        return len(spans) > limit

    try:
        compiled.scan(data, match_event_handler=on_match)
    except hyperscan.ScanTerminated:
        raise RedactionError from None
    return spans


def _stands_alone(data: bytes, start: int, value: bytes) -> bool:
    """Keeps a password that is a word from being found within other words."""
    if not value.isalpha():
        return True
    end = start + len(value)
    return not data[max(0, start - 1) : start].isalnum() and not data[end : end + 1].isalnum()
