"""Says of a call that was refused whether another policy would answer it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from leadglass.v1.access_pb2 import RevealRequest
from leadglass.v1.inspect_pb2 import ListEnvironmentRequest
from leadglass_agent.errors import Reason
from leadglass_agent.policy.decide import budget_of, roles_of, session_limits
from leadglass_agent.policy.glob import matches_name
from leadglass_agent.policy.model import Permission, SpiffeId
from leadglass_client.replay.changes import Anew, Change, Kind
from leadglass_client.replay.gains import WITHOUT_BEFORE, Asked, gain
from leadglass_client.views.policy_words import target_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from leadglass_agent.policy.model import Policy
    from leadglass_client.replay.admitting import KnownProcess
    from leadglass_client.replay.permitted import Permitted
    from leadglass_client.replay.recording import RecordedCall

# A no of the policy, which another policy can turn into a yes.
_OF_POLICY: Final = frozenset(
    {Reason.POLICY_DENIED, Reason.APPROVAL_NEEDED, Reason.CONDITION_UNMET, Reason.PROCESS_NOT_FOUND}
)
# A no of the policy's numbers: which of them, for a caller.
_NUMBERS: Final[dict[str, Callable[[Policy, SpiffeId], object]]] = {
    Reason.BUDGET_SPENT: budget_of,
    Reason.RATE_LIMITED: lambda policy, caller: session_limits(policy, caller).calls_per_minute,
    Reason.HALTED: lambda policy, _caller: policy.guard,
    Reason.REVEAL_REFUSED: lambda policy, _caller: policy.break_glass,
    Reason.REVIEW_OWED: lambda policy, _caller: policy.break_glass,
}
# Sessions that end so end under every policy, and those that end so end by what the policy says of everything else.
_ENDS_ALWAYS: Final = frozenset({"CLOSED", "ENDED_BY_ADMIN", "REVOKED", "TARGET_GONE", "AGENT_STOPPED"})
_ENDS_BY_RULES: Final = frozenset({"POLICY_TIGHTENED", "GRANT_ENDED"})
_ANOTHER: Final = "the limit that refused it is another one"
_LESS_SPENT: Final = "the calls before it spend less than they did"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a refusal stands in: whose session, how it ended ("" if that is not known), and the policies.

    `before` is None if it is not there. `has_narrowed` says whether a call of the session before is answered with less.
    """

    caller: SpiffeId
    state: str
    after: Policy
    before: Policy | None
    has_narrowed: bool


def covers(policy: Policy, request: RevealRequest) -> bool:
    """Says whether break-glass covers the variable of a reveal."""
    glass = policy.break_glass
    return glass is not None and any(matches_name(glob, request.name) for glob in glass.names)


def within_limits(call: RecordedCall, setting: Setting) -> tuple[Change, ...]:
    """Tells of a call that the policy's numbers refused whether they may let it through now."""
    if setting.before is setting.after or not roles_of(setting.after, setting.caller):
        return ()
    read = _NUMBERS.get(call.refusal)
    if call.refusal == Reason.SESSION_ENDED:
        read = _end_of(setting.state)
    if read is None:
        return ()
    what = call.called.permission
    if setting.before is None:
        return (Change(Kind.MAY_SHOW, what, note=WITHOUT_BEFORE),)
    if read(setting.before, setting.caller) != read(setting.after, setting.caller):
        return (Change(Kind.MAY_SHOW, what, note=_ANOTHER),)
    if call.refusal == Reason.BUDGET_SPENT and setting.has_narrowed:
        return (Change(Kind.MAY_SHOW, what, note=_LESS_SPENT),)
    return ()


def still_refused(
    call: RecordedCall,
    request: Message | None,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess | None,
    setting: Setting,
) -> Anew:
    """Tells of a call that the policy of now permits, and that was refused, whether it is answered."""
    if isinstance(request, RevealRequest) and call.refusal == Reason.REVEAL_REFUSED:
        return _revealed(call, request, setting)
    if call.refusal not in _OF_POLICY:
        return Anew(changes=within_limits(call, setting))
    if before is not None and (before.scope, before.widened) == (after.scope, after.widened):
        return Anew()
    if call.refusal == Reason.PROCESS_NOT_FOUND:
        was = None if before is None else (before.scope,)
        found = gain(Asked(Permission.PROCESSES_LIST, was, (after.scope,), process), target_words)
        return Anew(changes=tuple(replace(change, what=call.called.permission) for change in found))
    is_list = isinstance(request, ListEnvironmentRequest) and not request.names
    if is_list and after.widened[Permission.ENV_NAMES] is None:
        return Anew()  # listing names needs that as well
    return Anew(changes=(Change(Kind.ANSWERED, call.called.permission),))


def _revealed(call: RecordedCall, request: RevealRequest, setting: Setting) -> Anew:
    if not covers(setting.after, request):
        return Anew()
    if setting.before is not None and not covers(setting.before, request):
        return Anew(changes=(Change(Kind.ANSWERED, call.called.permission, note="breakGlass covers the variable"),))
    return Anew(changes=within_limits(call, setting))


def _end_of(state: str) -> Callable[[Policy, SpiffeId], object] | None:
    """Gives what a session's end depends on, by the state that it ended in."""
    if state in _ENDS_ALWAYS:
        return None
    if state in _ENDS_BY_RULES:
        return lambda policy, _caller: policy.digest
    if state == Reason.HALTED:
        return _NUMBERS[Reason.HALTED]
    return lambda policy, caller: (
        session_limits(policy, caller).max_minutes,
        session_limits(policy, caller).idle_minutes,
    )
