"""Compares the profiles that may mask a text, then and now, where a recording may not tell all that decides them."""

from __future__ import annotations

from typing import Final

from leadglass_agent.policy.model import Profile
from leadglass_client.replay.changes import Kind

EITHER: Final = frozenset(Profile)
_NOTES: Final = {
    Kind.MASKED: "masked by the profile strict instead of balanced",
    Kind.UNMASKED: "masked by the profile balanced instead of strict",
    Kind.MAY_LOSE: "which profile masks it is not sure: it may be strict instead of balanced",
    Kind.MAY_SHOW: "which profile masks it is not sure: it may be balanced instead of strict",
}


def compared(was: frozenset[Profile], now: frozenset[Profile]) -> tuple[Kind, str] | None:
    """Gives what changes for a text that one of `was` masked, and one of `now` would mask; None if nothing does.

    What may be either counts as wider wherever it may be the weaker one.
    """
    kind = _kind(was, now)
    return None if kind is None else (kind, _NOTES[kind])


def _kind(was: frozenset[Profile], now: frozenset[Profile]) -> Kind | None:
    if was == now and len(was) == 1:
        return None
    if Profile.STRICT in was and Profile.BALANCED in now:
        return Kind.UNMASKED if len(was) == len(now) == 1 else Kind.MAY_SHOW
    return Kind.MASKED if len(was) == len(now) == 1 else Kind.MAY_LOSE
