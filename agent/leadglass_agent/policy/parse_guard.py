"""Reads the thresholds at which the guard halts an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UnsetType

from leadglass_agent.policy.document import GuardPart
from leadglass_agent.policy.glob import check_path
from leadglass_agent.policy.model import GuardLimits
from leadglass_agent.policy.parse_names import read_globs

if TYPE_CHECKING:
    from leadglass_agent.policy.document import PolicyFile
    from leadglass_agent.strict_yaml import Document

DEFAULTS: Final = GuardLimits()


def guard_limits(document: Document[PolicyFile]) -> GuardLimits:
    """Reads `spec.guard`; what the file leaves out is DEFAULTS, and there is no way to turn the guard off."""
    part = document.value.spec.guard
    if isinstance(part, UnsetType):
        return DEFAULTS
    path = ("spec", "guard")
    if part == GuardPart():
        raise document.error(path, "'guard' needs at least one of its thresholds")
    return GuardLimits(
        denials=_or(part.denials, DEFAULTS.denials),
        missing_pids=_or(part.missing_pids, DEFAULTS.missing_pids),
        missing_paths=_or(part.missing_paths, DEFAULTS.missing_paths),
        distinct_pids=_or(part.distinct_pids, DEFAULTS.distinct_pids),
        distinct_paths=_or(part.distinct_paths, DEFAULTS.distinct_paths),
        calls=_or(part.calls, DEFAULTS.calls),
        sensitive_hits=_or(part.sensitive_hits, DEFAULTS.sensitive_hits),
        sensitive_paths=read_globs(document, (*path, "sensitivePaths"), part.sensitive_paths, check_path),
        new_sources=_or(part.new_sources, DEFAULTS.new_sources),
        halt_minutes=_or(part.halt_minutes, DEFAULTS.halt_minutes),
    )


def _or(given: int | UnsetType, otherwise: int) -> int:
    return otherwise if isinstance(given, UnsetType) else given
