"""Raw bytes to Clean text: the public face of the engine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from leadglass_agent.redaction import database
from leadglass_agent.redaction.argv.arguments import find as find_in_arguments
from leadglass_agent.redaction.findings import Finding, RedactionError, RuleId
from leadglass_agent.redaction.mask import Clean, mask
from leadglass_agent.redaction.rule_ids import rule_ids_of
from leadglass_agent.redaction.spans import merge
from leadglass_agent.redaction.stream import RedactionStream, redact_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.redaction.spans import Span

__all__ = ["PROFILES", "Finding", "Redaction", "RedactionError", "Redactor", "RuleId"]

PROFILES: Final = ("balanced", "strict")


class Redaction(msgspec.Struct, frozen=True, gc=False):
    """Clean text, and what was masked in it; positions are those of the input."""

    text: Clean
    findings: tuple[Finding, ...]


class Redactor:
    """Masks secrets in text and in argument lists; what goes wrong inside yields RedactionError and no text."""

    def __init__(self, profile: str = "balanced") -> None:
        """Loads the catalogue; raises ValueError for a profile that does not exist."""
        if profile not in PROFILES:
            message = f"the redaction profile is not one of: {', '.join(PROFILES)}"
            raise ValueError(message)
        self.profile = profile
        self._database = dataclasses.replace(database.load(), is_strict=profile == "strict")

    @property
    def rule_count(self) -> int:
        """Counts the catalogue's kinds and the context rules."""
        return self._database.rule_count

    def bare_scan(self, data: bytes) -> int:
        """Counts the candidates that the database alone reports, without any step behind it: what the scan costs."""
        return len(self._database.candidates(data, len(data), 1)[0])

    @property
    def rule_ids(self) -> frozenset[RuleId]:
        """Every rule that a mask can name."""
        return rule_ids_of(self._database)

    def redact(self, data: bytes) -> Redaction:
        """Masks every secret found in `data`; raises RedactionError and nothing else."""
        try:
            return Redaction(*redact_whole(data, self._database))
        except Exception:  # noqa: BLE001 - whatever fails here, the answer is no text, and its message may hold a value
            raise RedactionError from None

    def stream(self) -> RedactionStream:
        """Begins a text that arrives in chunks."""
        return RedactionStream(self._database)

    def redact_arguments(self, arguments: Sequence[bytes]) -> tuple[Redaction, ...]:
        """Masks an argument list, one redaction for each argument; raises RedactionError and nothing else."""
        try:
            listed = list(arguments)
            known = self._database
            spans = find_in_arguments(listed, known.compiled, known.steps, known.is_strict)
            if not spans:
                return tuple([Redaction(mask(argument, []), ()) for argument in listed])
            return tuple([_redaction(argument, spans.get(index)) for index, argument in enumerate(listed)])
        except Exception:  # noqa: BLE001 - whatever fails here, the answer is no text, and its message may hold a value
            raise RedactionError from None


def _redaction(data: bytes, spans: list[Span] | None) -> Redaction:
    if spans is None:
        return Redaction(mask(data, []), ())
    merged = merge(spans)
    return Redaction(mask(data, merged), tuple([Finding(span.rule_id, span.start, span.end) for span in merged]))
