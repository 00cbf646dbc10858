"""The two operating points of the redactor, built before any fork, so that all processes share their memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.policy.model import Profile
from leadglass_agent.redaction.redactor import Redactor

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId


@dataclass(frozen=True, slots=True)
class Redactors:
    """One redactor for each profile."""

    balanced: Redactor
    strict: Redactor

    def of(self, profile: Profile) -> Redactor:
        """Gives the redactor of a profile."""
        return self.strict if profile is Profile.STRICT else self.balanced

    @property
    def rule_ids(self) -> frozenset[RuleId]:
        """Every rule that a mask can name."""
        return self.balanced.rule_ids | self.strict.rule_ids


def build_redactors() -> Redactors:
    """Compiles both; raises RedactionError or what the catalogue finds wrong."""
    return Redactors(Redactor(Profile.BALANCED.value), Redactor(Profile.STRICT.value))
