"""Decides a recorded window of a text file anew: whether it is shown, and by which profile it is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_FOUND,
    RedactionProfile,
)
from leadglass.v1.inspect_pb2 import TEXT_END_UNAVAILABLE, ReadTextRequest, ReadTextResponse
from leadglass_agent.policy.model import Permission, Profile
from leadglass_agent.views.text import profile_of
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Change, Kind
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.files import both, missing_gain, path_hidden_by, policy_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_client.replay.admitting import KnownProcess, Sight
    from leadglass_client.replay.permitted import Permitted

_TEXT: Final = Permission.TEXT_REDACTED


def text_anew(
    request: ReadTextRequest,
    replies: Sequence[ReadTextResponse],
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    """Gives the window, or the one message that a hidden file is answered with.

    Text that another profile would mask stays as it was recorded: what a mask hid is not there to be masked anew.
    """
    file = next((reply.file for reply in replies if reply.HasField("file")), None)
    shown = sight(after.scope, process)
    requested = policy_path(request.path)
    if file is None:
        is_missing = any(reply.unavailable == UNAVAILABLE_REASON_NOT_FOUND for reply in replies)
        if shown.path(requested) is False:
            return Anew((_no_text(),))
        return Anew(tuple(replies), changes=missing_gain(_TEXT, after, before, process) if is_missing else ())
    canonical = raw_text(file.path)
    admitted = both(shown, requested, canonical)
    lines = sum(len(reply.lines) for reply in replies)
    if admitted is False:
        note = path_hidden_by(shown, requested, canonical)
        return Anew((_no_text(),), changes=(Change(Kind.LOST, _TEXT.value, lines, (), note),))
    changes = _masked_anew(replies, _profile(shown, canonical))
    if admitted is None:
        changes = (Change(Kind.MAY_LOSE, _TEXT.value, lines, (request.path,)), *changes)
    return Anew(tuple(replies), changes=changes)


def _profile(shown: Sight, canonical: str | None) -> Profile | None:
    """Gives the profile of a file; None if that depends on what is not known."""
    if canonical is None:
        return None
    profiles = {profile_of(shown.least, canonical), profile_of(shown.most, canonical)}
    return profiles.pop() if len(profiles) == 1 else None


def _masked_anew(replies: Sequence[ReadTextResponse], profile: Profile | None) -> tuple[Change, ...]:
    lines = sum(len(reply.lines) for reply in replies)
    was = next((reply.redaction for reply in replies if reply.lines), None)
    if profile is None or was is None or RedactionProfile.Value(f"REDACTION_PROFILE_{profile.name}") == was:
        return ()
    is_stricter = profile is Profile.STRICT
    note = f"masked by the profile {'strict instead of balanced' if is_stricter else 'balanced instead of strict'}"
    return (Change(Kind.MASKED if is_stricter else Kind.UNMASKED, _TEXT.value, lines, (), note),)


def _no_text() -> ReadTextResponse:
    return ReadTextResponse(
        end=TEXT_END_UNAVAILABLE, unavailable=UNAVAILABLE_REASON_NOT_FOUND, redaction=REDACTION_PROFILE_STRICT
    )
