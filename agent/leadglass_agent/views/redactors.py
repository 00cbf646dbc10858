"""The two operating points of the redactor, built before any fork, and what each process remembers of their work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.model import Profile
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views.environment_block import MAX_NAME_CHARACTERS
from leadglass_agent.views.one_catalogue import strict_of
from leadglass_agent.views.remembered import Remembered, ShownNames

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.views.command_line import Arguments

_MAX_NAME_CHARACTERS: Final = 1_024


@dataclass(frozen=True, slots=True)
class Redactors:
    """One redactor for each profile, and how names and command lines looked that it masked before."""

    balanced: Redactor
    strict: Redactor
    names: ShownNames
    variables: ShownNames
    arguments: Remembered[Arguments]

    @staticmethod
    def made_of(balanced: Redactor, strict: Redactor) -> Redactors:
        """Makes a pair that remembers nothing yet; names are masked as logs are: token-like parts are harmless."""
        names = ShownNames(balanced, _MAX_NAME_CHARACTERS)
        return Redactors(balanced, strict, names, ShownNames(balanced, MAX_NAME_CHARACTERS), Remembered())

    def of(self, profile: Profile) -> Redactor:
        """Gives the redactor of a profile."""
        return self.strict if profile is Profile.STRICT else self.balanced

    @property
    def rule_ids(self) -> frozenset[RuleId]:
        """Every rule that a mask can name."""
        return self.balanced.rule_ids | self.strict.rule_ids


@cache
def build_redactors() -> Redactors:
    """Loads the catalogue, once for both; raises RedactionError or what the catalogue finds wrong.

    Called again it gives the same: whoever loads it before everything else has the rest fill the room that this needs.
    """
    balanced = Redactor(Profile.BALANCED.value)
    return Redactors.made_of(balanced, strict_of(balanced))
