"""A redactor that masks nothing, to see what the lines behind it keep back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from leadglass_agent.redaction.mask import Clean
from leadglass_agent.redaction.redactor import Redaction, Redactor
from leadglass_agent.views.redactors import Redactors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.redaction.findings import RuleId


@dataclass
class _Stream:
    counts: dict[RuleId, int] = field(default_factory=dict)

    def feed(self, chunk: bytes) -> Clean:
        return Clean(chunk)

    def finish(self) -> Clean:
        return Clean(b"")


class _MasksNothing:
    profile = "balanced"
    rule_count = 0
    rule_ids: frozenset[RuleId] = frozenset()

    def redact(self, data: bytes) -> Redaction:
        return Redaction(Clean(data), ())

    def redact_arguments(self, arguments: Sequence[bytes]) -> tuple[Redaction, ...]:
        return tuple(self.redact(argument) for argument in arguments)

    def stream(self) -> _Stream:
        return _Stream()


def no_redactors() -> Redactors:
    """Gives both profiles, of which neither masks anything."""
    nothing = cast("Redactor", _MasksNothing())
    return Redactors.made_of(nothing, nothing)
