"""Decides a recorded verdict about a path anew: whether it is told, and with which details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.inspect_pb2 import (
    ACCESS_RULE_NO_SUCH_FILE,
    ACCESS_VERDICT_ALLOWED,
    ACCESS_VERDICT_DENIED,
    ExplainAccessRequest,
    ExplainAccessResponse,
)
from leadglass_agent.policy.model import Permission
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Kind, Tally
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.files import both, missing_gain, path_hidden_by, policy_path

if TYPE_CHECKING:
    from leadglass_client.replay.admitting import KnownProcess, Sight
    from leadglass_client.replay.permitted import Permitted

_ACCESS: Final = Permission.FILES_ACCESS
_METADATA: Final = Permission.FILES_METADATA


def access_anew(
    request: ExplainAccessRequest,
    reply: ExplainAccessResponse,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    """Gives the verdict that is still told; a path that is hidden looks like one that is not there."""
    requested = policy_path(request.path)
    shown = sight(after.scope, process)
    if reply.rule == ACCESS_RULE_NO_SUCH_FILE:
        gained = missing_gain(_ACCESS, after, before, process) if shown.path(requested) is not False else ()
        return Anew((reply,), changes=gained)
    tally = Tally()
    admitted = _admitted(shown, requested, reply, is_same=before is not None and before.scope == after.scope)
    if admitted is False:
        tally.add(Kind.LOST, _ACCESS, request.path, path_hidden_by(shown, requested))
        return Anew((_nothing(reply),), changes=tally.changes())
    if admitted is None:
        tally.add(Kind.MAY_LOSE, _ACCESS, request.path)
    anew = ExplainAccessResponse()
    anew.CopyFrom(reply)
    _details(anew, request.path, sight(after.widened[_METADATA], process), tally)
    return Anew((anew,), changes=tally.changes())


def _admitted(shown: Sight, requested: str, reply: ExplainAccessResponse, *, is_same: bool) -> bool | None:
    """Says whether the path is admitted, and where it led, which the recording tells of a yes alone."""
    if is_same:
        return shown.path(requested)
    is_told = reply.verdict == ACCESS_VERDICT_ALLOWED and reply.HasField("component")
    return both(shown, requested, raw_text(reply.component.path) if is_told else None)


def _details(anew: ExplainAccessResponse, path: str, metadata: Sight, tally: Tally) -> None:
    """Takes away, or says may be added, what files.metadata tells of the part that decided and of the process."""
    told = metadata.path(policy_path(path))
    if not anew.HasField("identity"):
        if told is not False:
            tally.add(Kind.SHOWN if told else Kind.MAY_SHOW, _METADATA, path)
    elif told is None:
        tally.add(Kind.MAY_LOSE, _METADATA, path)
    elif not told:
        tally.add(Kind.MASKED, _METADATA, path)
        anew.ClearField("identity")
    if anew.HasField("component"):
        where = metadata.path(raw_text(anew.component.path))
        if where is None:
            tally.add(Kind.MAY_LOSE, _METADATA, anew.component.path.text)
        elif not where:
            tally.add(Kind.MASKED, _METADATA, anew.component.path.text)
            anew.ClearField("component")


def _nothing(reply: ExplainAccessResponse) -> ExplainAccessResponse:
    return ExplainAccessResponse(
        verdict=ACCESS_VERDICT_DENIED, rule=ACCESS_RULE_NO_SUCH_FILE, redaction=reply.redaction
    )
