"""Reads the conditions of a role: tiers, windows of the week, the certificate's age, evidence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, get_args

from msgspec import UNSET, UnsetType

from leadglass_agent.policy import document as parts
from leadglass_agent.policy.model import Conditions, EvidenceRule, TimeWindow
from leadglass_agent.policy.parse_names import listed, refuse_twice

if TYPE_CHECKING:
    from leadglass_agent.strict_yaml import Document, Path

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MIDNIGHT: Final = "24:00"
_DAY_MINUTES: Final = 24 * 60
_DAYS: Final[tuple[str, ...]] = get_args(parts.Day)


def role_conditions(
    document: Document[parts.PolicyFile], path: Path, part: parts.ConditionsPart | UnsetType
) -> Conditions:
    """Reads a role's conditions; what the file leaves out asks for nothing."""
    if isinstance(part, UnsetType):
        return Conditions()
    if part == parts.ConditionsPart():
        raise document.error(path, "conditions need 'tiers', 'windows', 'maxCertificateHours' or 'evidence'")
    tiers = () if isinstance(part.tiers, UnsetType) else part.tiers
    windows = () if isinstance(part.windows, UnsetType) else part.windows
    refuse_twice(document, listed((*path, "tiers"), tiers))
    hours = part.max_certificate_hours
    return Conditions(
        tiers=frozenset(tiers),
        windows=tuple(_window(document, (*path, "windows", at), window) for at, window in enumerate(windows)),
        max_certificate_hours=None if isinstance(hours, UnsetType) else hours,
        evidence=_evidence(document, (*path, "evidence"), part.evidence),
    )


def _window(document: Document[parts.PolicyFile], path: Path, part: parts.WindowPart) -> TimeWindow:
    refuse_twice(document, listed((*path, "days"), part.days))
    end = _DAY_MINUTES if part.until == _MIDNIGHT else _minute(document, (*path, "until"), part.until)
    start = _minute(document, (*path, "from"), part.start)
    if start == end:
        # It could be read as a whole day or as no time at all.
        raise document.error((*path, "until"), 'a window ends when it starts; a whole day is "00:00" until "24:00"')
    return TimeWindow(days=frozenset(_DAYS.index(day) for day in part.days), start=start, end=end)


def _minute(document: Document[parts.PolicyFile], path: Path, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise document.error(path, 'a time is "HH:MM" in UTC, from "00:00" to "23:59"; a window can end at "24:00"')
    return int(found[1]) * 60 + int(found[2])


def _evidence(
    document: Document[parts.PolicyFile], path: Path, part: parts.EvidenceRulePart | UnsetType
) -> EvidenceRule | None:
    if isinstance(part, UnsetType):
        return None
    if document.value.spec.evidence is UNSET:
        raise document.error(path, "evidence is asked for, and 'spec.evidence' does not say whose tokens are any")
    amr = () if isinstance(part.amr, UnsetType) else part.amr
    acr = () if isinstance(part.acr, UnsetType) else part.acr
    refuse_twice(document, listed((*path, "amr"), amr))
    refuse_twice(document, listed((*path, "acr"), acr))
    return EvidenceRule(amr=frozenset(amr), acr=frozenset(acr), max_minutes=part.max_minutes)
