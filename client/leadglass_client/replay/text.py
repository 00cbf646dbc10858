"""Decides a recorded window of a text file anew: whether it is shown, and by which profile it is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_BALANCED,
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_FOUND,
)
from leadglass.v1.inspect_pb2 import TEXT_END_UNAVAILABLE, ReadTextRequest, ReadTextResponse
from leadglass_agent.policy.model import Permission, Profile
from leadglass_agent.policy.scope import Scope
from leadglass_agent.views.text import profile_of
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Change, Kind
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.files import both, missing_gain, path_hidden_by, policy_path
from leadglass_client.replay.profiles import EITHER, compared

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
    is_same = before is not None and before.scope == after.scope
    changes = () if is_same else _masked_anew(replies, _profiles(shown, canonical))
    if admitted is None:
        changes = (Change(Kind.MAY_LOSE, _TEXT.value, lines, (request.path,)), *changes)
    return Anew(tuple(replies), changes=changes)


def _profiles(shown: Sight, canonical: str | None) -> frozenset[Profile]:
    """Gives the profiles that a file may be masked by."""
    if canonical is None:
        return EITHER
    return frozenset(one or profile_of(Scope(), canonical) for one in shown.profiles(canonical))


def _masked_anew(replies: Sequence[ReadTextResponse], now: frozenset[Profile]) -> tuple[Change, ...]:
    lines = sum(len(reply.lines) for reply in replies)
    was = next((reply.redaction for reply in replies if reply.lines), None)
    if was is None:
        return ()
    change = compared(frozenset({Profile.BALANCED if was == REDACTION_PROFILE_BALANCED else Profile.STRICT}), now)
    return () if change is None else (Change(change[0], _TEXT.value, lines, (), change[1]),)


def _no_text() -> ReadTextResponse:
    return ReadTextResponse(
        end=TEXT_END_UNAVAILABLE, unavailable=UNAVAILABLE_REASON_NOT_FOUND, redaction=REDACTION_PROFILE_STRICT
    )
