"""What was found where: rule ids, positions, never a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Iterable

RuleId = NewType("RuleId", str)


class RedactionError(Exception):
    """The redactor failed, so there is no text; the message is fixed and holds nothing of the input."""

    def __init__(self) -> None:
        super().__init__("redaction failed; nothing is shown")


@dataclass(frozen=True, slots=True)
class Finding:
    """One masked span of the input: bytes start to end (exclusive), and the rule that asked for it."""

    rule_id: RuleId
    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One candidate span; of two that overlap, the lower rank (the more specific rule) gives the name."""

    start: int
    end: int
    rank: int
    rule_id: RuleId


def merge(spans: Iterable[Span]) -> tuple[Finding, ...]:
    """Merges overlapping spans into findings ordered by position; touching spans stay apart."""
    findings: list[Finding] = []
    current: Span | None = None
    for span in sorted(spans):
        if current is None:
            current = span
        elif span.start < current.end:
            named = span if span.rank < current.rank else current
            current = Span(current.start, max(current.end, span.end), named.rank, named.rule_id)
        else:
            findings.append(Finding(current.rule_id, current.start, current.end))
            current = span
    if current is not None:
        findings.append(Finding(current.rule_id, current.start, current.end))
    return tuple(findings)
