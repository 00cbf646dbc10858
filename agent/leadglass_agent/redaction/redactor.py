"""Raw bytes to Clean text: the public face of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.redaction import argv, database, echo
from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.findings import Finding, RedactionError, RuleId, merge
from leadglass_agent.redaction.mask import Clean, mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.redaction.findings import Span

__all__ = ["Finding", "Redaction", "RedactionError", "Redactor", "RuleId"]


@dataclass(frozen=True, slots=True)
class Redaction:
    """Clean text, and what was masked in it; positions are those of the input."""

    text: Clean
    findings: tuple[Finding, ...]


class Redactor:
    """Masks secrets in text and in argument lists; what goes wrong inside yields RedactionError and no text."""

    def __init__(self, profile: str = "balanced") -> None:
        """Compiles the catalogue; raises ValueError for a profile that does not exist."""
        if profile != "balanced":
            message = "the redaction profile is not one of: balanced"
            raise ValueError(message)
        self._database = database.build(load_rules())

    @property
    def rule_count(self) -> int:
        """Counts the catalogue's kinds and the context rules."""
        return self._database.rule_count

    def redact(self, data: bytes) -> Redaction:
        """Masks every secret found in `data`; raises RedactionError and nothing else."""
        try:
            spans = self._database.spans(data)
            return _redaction(data, spans, echo.values_of(data, spans))
        except Exception:  # noqa: BLE001 - whatever fails here, the answer is no text, and its message may hold a value
            raise RedactionError from None

    def redact_arguments(self, arguments: Sequence[bytes]) -> tuple[Redaction, ...]:
        """Masks an argument list, one redaction for each argument; raises RedactionError and nothing else."""
        try:
            by_option = argv.spans(arguments)
            spans = [[*self._database.spans(data), *more] for data, more in zip(arguments, by_option, strict=True)]
            values: dict[bytes, RuleId] = {}
            for argument, found in zip(arguments, spans, strict=True):
                values |= echo.values_of(argument, found)
            return tuple(_redaction(data, found, values) for data, found in zip(arguments, spans, strict=True))
        except Exception:  # noqa: BLE001 - whatever fails here, the answer is no text, and its message may hold a value
            raise RedactionError from None


def _redaction(data: bytes, spans: list[Span], values: dict[bytes, RuleId]) -> Redaction:
    findings = merge([*spans, *echo.echoes(data, values)]) if spans or values else ()
    return Redaction(mask(data, findings), findings)
