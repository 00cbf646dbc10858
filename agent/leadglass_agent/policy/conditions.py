"""Says which of a role's conditions does not hold for a standing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Conditions, EvidenceRule, TimeWindow
    from leadglass_agent.policy.standing import Evidence, Standing

_NANOSECONDS: Final = 1_000_000_000
_DAY_SECONDS: Final = 86_400
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday
# The issuer's clock may run ahead of ours; RFC 7519 §4.1.5 leaves "a few minutes" at most, one is enough with NTP.
_CLOCK_SKEW_SECONDS: Final = 60


class Unmet(StrEnum):
    """A condition that does not hold."""

    OTHER_TIER = "OTHER_TIER"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    CERTIFICATE_TOO_OLD = "CERTIFICATE_TOO_OLD"
    EVIDENCE_NEEDED = "EVIDENCE_NEEDED"


def unmet(conditions: Conditions, standing: Standing) -> Unmet | None:
    """Names the condition that the caller can do least about, None if all hold."""
    now = standing.unix_ns // _NANOSECONDS
    if conditions.tiers and standing.tier not in conditions.tiers:
        return Unmet.OTHER_TIER
    if conditions.windows and not any(_is_within(window, now) for window in conditions.windows):
        return Unmet.OUTSIDE_WINDOW
    hours = conditions.max_certificate_hours
    if hours is not None and now - standing.certificate_since_unix > hours * 3600:
        return Unmet.CERTIFICATE_TOO_OLD
    if conditions.evidence is not None and not _satisfies(standing.evidence, conditions.evidence, now):
        return Unmet.EVIDENCE_NEEDED
    return None


def _is_within(window: TimeWindow, now: int) -> bool:
    day, second = divmod(now, _DAY_SECONDS)
    weekday, minute = (day + _EPOCH_WEEKDAY) % 7, second // 60
    if window.start < window.end:
        return weekday in window.days and window.start <= minute < window.end
    # Over midnight: the evening of its own day, or the morning of the day after it.
    return (weekday in window.days and minute >= window.start) or (
        (weekday - 1) % 7 in window.days and minute < window.end
    )


def _satisfies(evidence: Evidence | None, rule: EvidenceRule, now: int) -> bool:
    if evidence is None or not rule.amr <= evidence.amr:
        return False
    if rule.acr and evidence.acr not in rule.acr:
        return False
    return -_CLOCK_SKEW_SECONDS <= now - evidence.auth_unix <= rule.max_minutes * 60
