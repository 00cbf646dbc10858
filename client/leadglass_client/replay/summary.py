"""Sums up what another policy would change in a session, and which grants it would still need."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_client.replay.policies import Policies
    from leadglass_client.replay.recording import Recording
    from leadglass_client.replay.redecide import Redecided


class Outcome(StrEnum):
    """What another policy means for a session as a whole; one call that is wider makes it wider."""

    SAME = "SAME"
    NARROWER = "NARROWER"
    WIDER = "WIDER"


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant that the session carried, and in how many calls a permit rests on it: then, and now."""

    grant_id: str
    calls_then: int
    calls_now: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All calls, how many are wider and narrower, the grants, and what has to be said beside it."""

    outcome: Outcome
    calls: tuple[Redecided, ...]
    wider: int
    narrower: int
    grants: tuple[GrantUse, ...]
    notes: tuple[str, ...]


def summary_of(recording: Recording, policies: Policies, calls: tuple[Redecided, ...]) -> Summary:
    """Sums up calls that were decided anew."""
    wider = sum(any(change.kind.is_wider for change in one.anew.changes) for one in calls)
    narrower = sum(any(not change.kind.is_wider for change in one.anew.changes) for one in calls)
    outcome = Outcome.WIDER if wider else Outcome.NARROWER if narrower else Outcome.SAME
    return Summary(outcome, calls, wider, narrower, tuple(_grants(recording, calls)), tuple(_notes(policies, calls)))


def _grants(recording: Recording, calls: tuple[Redecided, ...]) -> Iterator[GrantUse]:
    for grant in recording.opened.grants:
        then = sum(grant in one.call.called.grants for one in calls)
        now = sum(grant in one.grants for one in calls if one.anew.refused is None)
        yield GrantUse(grant, then, now)


def _notes(policies: Policies, calls: tuple[Redecided, ...]) -> Iterator[str]:
    others = [one for one in calls if policies.before_of(one.call) is None]
    if policies.before is not None and others:
        yield f"{len(others)} calls were decided by a third policy, and are compared with what they showed alone"
    if any(one.call.called.standing is None for one in calls):
        yield "calls that were refused before the policy was asked stay refused"
