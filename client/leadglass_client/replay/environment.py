"""Decides recorded answers about environment variables anew, name by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.inspect_pb2 import PRESENCE_UNSET, ListEnvironmentRequest, ListEnvironmentResponse
from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import Permission
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Kind, Tally
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.gains import WITHOUT_BEFORE, Asked, gain
from leadglass_client.replay.permitted import Refused
from leadglass_client.views.policy_words import target_words

if TYPE_CHECKING:
    from leadglass_client.replay.admitting import KnownProcess, Sight
    from leadglass_client.replay.permitted import Permitted

_PRESENCE: Final = Permission.ENV_PRESENCE
_NAMES: Final = Permission.ENV_NAMES


def environment_anew(
    request: ListEnvironmentRequest,
    reply: ListEnvironmentResponse,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    """Gives the variables that are still told of; a hidden one looks unset if it was asked for, else it is left out."""
    if not request.names and after.widened[_NAMES] is None:
        return Anew(refused=Refused(Reason.POLICY_DENIED, f"listing names needs {_NAMES}"))
    return _asked(request, reply, after, before, process) if request.names else _listed(reply, after, before, process)


def _asked(
    request: ListEnvironmentRequest,
    reply: ListEnvironmentResponse,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    tally = Tally()
    anew = ListEnvironmentResponse()
    anew.CopyFrom(reply)
    shown = sight(after.scope, process)
    was_shown = None if before is None else sight(before.scope, process)
    for name, variable in zip(request.names, anew.variables, strict=False):
        admitted = shown.name(name)
        if variable.presence == PRESENCE_UNSET:
            was = None if was_shown is None else was_shown.name(name)
            if admitted is not False and was is not True and before is not after:
                tally.add(Kind.MAY_SHOW, _PRESENCE, name, WITHOUT_BEFORE if before is None else "if it is set")
        elif admitted is None:
            tally.add(Kind.MAY_LOSE, _PRESENCE, name)
        elif not admitted:
            tally.add(Kind.LOST, _PRESENCE, name, _hidden_by(shown, name))
            variable.presence = PRESENCE_UNSET
    return Anew((anew,), changes=tally.changes())


def _listed(reply: ListEnvironmentResponse, after: Permitted, before: Permitted | None, process: KnownProcess) -> Anew:
    tally = Tally()
    anew = ListEnvironmentResponse()
    anew.CopyFrom(reply)
    del anew.variables[:]
    presence, names = sight(after.scope, process), sight(after.widened[_NAMES], process)
    for variable in reply.variables:
        raw = raw_text(variable.name)
        answers = {presence.name(raw), names.name(raw)}
        if False in answers:
            by = presence if presence.name(raw) is False else names
            tally.add(Kind.LOST, _NAMES, variable.name.text, "" if raw is None else _hidden_by(by, raw))
            continue
        if None in answers:
            tally.add(Kind.MAY_LOSE, _NAMES, variable.name.text)
        anew.variables.add().CopyFrom(variable)
    was = None if before is None else (before.scope, before.widened[_NAMES])
    more = (
        ()
        if reply.unavailable
        else gain(Asked(_NAMES, was, (after.scope, after.widened[_NAMES]), process), target_words)
    )
    return Anew((anew,), changes=(*tally.changes(), *more))


def _hidden_by(shown: Sight, name: str) -> str:
    return shown.hidden_by(lambda scope: scope.admits_name(name))
