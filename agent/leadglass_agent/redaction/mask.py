"""Clean text, and the only place that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.redaction.findings import Finding


@dataclass(frozen=True, slots=True, repr=False)
class Clean:
    """Bytes that went through the redactor; messages accept no other bytes of the target."""

    data: bytes

    def __repr__(self) -> str:
        """Says nothing of the content, which is still somebody's text."""
        return "Clean(...)"


def mask(data: bytes, findings: Sequence[Finding]) -> Clean:
    """Replaces each finding by the constant token of its rule.

    Findings are ordered and do not overlap; anything else is an error of the caller and yields no text.
    """
    if not findings:
        return Clean(data)
    pieces: list[bytes] = []
    position = 0
    for finding in findings:
        if not position <= finding.start < finding.end <= len(data):
            raise RedactionError
        pieces.append(data[position : finding.start])
        pieces.append(b"[redacted:%s]" % finding.rule_id.encode("ascii"))
        position = finding.end
    pieces.append(data[position:])
    return Clean(b"".join(pieces))
