"""Decides each call of a recording anew by a policy, and says what would become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import RevealRequest
from leadglass.v1.inspect_pb2 import (
    ExplainAccessRequest,
    ExplainAccessResponse,
    ListDirectoryRequest,
    ListDirectoryResponse,
    ListEnvironmentRequest,
    ListEnvironmentResponse,
    ListProcessesRequest,
    ListProcessesResponse,
    ReadTextRequest,
    ReadTextResponse,
    StatFilesRequest,
    StatFilesResponse,
)
from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import SpiffeId
from leadglass_client.replay.access import access_anew
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.budgets import SessionBudget
from leadglass_client.replay.changes import Anew, Change, Kind
from leadglass_client.replay.environment import environment_anew
from leadglass_client.replay.facts import Facts
from leadglass_client.replay.files import directory_anew, files_anew
from leadglass_client.replay.messages import replies_of, request_of
from leadglass_client.replay.method_needs import require_its_needs
from leadglass_client.replay.permitted import Permitted, Refused, permitted, standing_then
from leadglass_client.replay.processes import processes_anew
from leadglass_client.replay.refusals import Setting, covers, still_refused, within_limits
from leadglass_client.replay.session_terms import SessionTerms
from leadglass_client.replay.text import text_anew

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_agent.policy.model import Policy
    from leadglass_client.replay.admitting import KnownProcess
    from leadglass_client.replay.policies import Policies
    from leadglass_client.replay.recording import RecordedCall, Recording


_ABOUT_ONE_PROCESS = (
    ListEnvironmentRequest,
    StatFilesRequest,
    ListDirectoryRequest,
    ReadTextRequest,
    ExplainAccessRequest,
    RevealRequest,
)


@dataclass(frozen=True, slots=True)
class Redecided:
    """One call, what becomes of it, and the rules and grants that permit it now."""

    call: RecordedCall
    anew: Anew
    rules: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


def redecide(recording: Recording, policies: Policies) -> tuple[Redecided, ...]:
    """Decides all calls, in their order.

    Raises RecordingError on what is no call or reply of its method, and ValueError for a permission that this version
    does not have.
    """
    for call in recording.calls:
        require_its_needs(call)
    replies = {call.number: replies_of(call) for call in recording.calls}
    facts = Facts(replies.items())
    standings = (standing_then(call) for call in recording.calls)
    terms = SessionTerms(recording.opened, policies.after, next(filter(None, standings), None))
    budget = SessionBudget(recording.opened, policies.after)
    caller, closed = SpiffeId(recording.opened.caller), recording.closed
    decided: list[Redecided] = []
    has_narrowed = False
    for call in recording.calls:
        setting = Setting(
            caller=caller,
            state="" if closed is None else closed.state,
            after=policies.after,
            before=policies.before_of(call),
            has_narrowed=has_narrowed,
        )
        one = _within(budget, _one(call, replies[call.number], setting, facts, terms))
        has_narrowed = has_narrowed or any(not change.kind.is_wider for change in one.anew.changes)
        decided.append(one)
    return tuple(decided)


def _within(budget: SessionBudget, one: Redecided) -> Redecided:
    """Counts what is answered on the session's budget."""
    if one.call.refusal or one.anew.refused is not None:
        return one
    spent = budget.spend(one.call, request_of(one.call), one.anew.replies)
    return replace(one, anew=replace(one.anew, changes=(*one.anew.changes, *spent))) if spent else one


def _one(
    call: RecordedCall, replies: tuple[Message, ...], setting: Setting, facts: Facts, terms: SessionTerms
) -> Redecided:
    ended = terms.refuses(call)
    if ended is not None:
        return Redecided(call, _refused(call, ended))
    after = permitted(setting.after, setting.caller, call)
    if after is None:  # it was refused before the policy was asked
        return Redecided(call, Anew(changes=within_limits(call, setting)))
    if isinstance(after, Refused):
        return Redecided(call, _refused(call, after))
    was = setting.before
    before = after if was is setting.after else None if was is None else permitted(was, setting.caller, call)
    anew = _view(call, replies, after, before if isinstance(before, Permitted) else None, facts, setting)
    return Redecided(call, anew, after.rules, after.grants)


def _view(
    call: RecordedCall,
    replies: tuple[Message, ...],
    after: Permitted,
    before: Permitted | None,
    facts: Facts,
    setting: Setting,
) -> Anew:
    request = request_of(call)
    process = _process(request, replies, facts, call.number)
    if process is not None and sight(after.scope, process).process() is False:
        return _refused(call, Refused(Reason.PROCESS_NOT_FOUND, "the process is outside of what the rules select"))
    if call.refusal:
        return still_refused(call, request, after, before, process, setting)
    anew = _rows(call.number, request, replies, after, before, process, facts)
    if anew is None:
        anew = _value(request, setting.after) or Anew(replies)
    if anew.refused is not None:
        return _refused(call, anew.refused)
    if process is not None and sight(after.scope, process).process() is None:
        change = Change(
            Kind.MAY_LOSE, call.called.permission, note="which process it was about is not in the recording"
        )
        return Anew(anew.replies, changes=(change, *anew.changes))
    return anew


def _rows(
    number: int,
    request: Message | None,
    replies: tuple[Message, ...],
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess | None,
    facts: Facts,
) -> Anew | None:
    """Decides the rows of a view anew; None for a method that is no view."""
    match request, *replies:
        case ListProcessesRequest() as asked, ListProcessesResponse() as reply:
            return processes_anew(number, asked, reply, after, before, facts)
        case ListEnvironmentRequest() as asked, ListEnvironmentResponse() as reply if process is not None:
            return environment_anew(asked, reply, after, before, process)
        case _:
            return None if process is None else _of_path(request, replies, after, before, process)


def _of_path(
    request: Message | None,
    replies: tuple[Message, ...],
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew | None:
    """Decides what is told of a path anew."""
    match request, *replies:
        case StatFilesRequest() as asked, StatFilesResponse() as reply:
            return files_anew(asked, reply, after, before, process)
        case ListDirectoryRequest() as asked, ListDirectoryResponse() as reply:
            return directory_anew(asked, reply, after, before, process)
        case ExplainAccessRequest() as asked, ExplainAccessResponse() as reply:
            return access_anew(asked, reply, after, before, process)
        case ReadTextRequest() as asked, *texts:
            messages = [one for one in texts if isinstance(one, ReadTextResponse)]
            return text_anew(asked, messages, after, before, process)
        case _:
            return None


def _value(request: Message | None, policy: Policy) -> Anew | None:
    """Decides a reveal: break-glass has to cover the variable, whatever the grant says."""
    if not isinstance(request, RevealRequest):
        return None
    if not covers(policy, request):
        return Anew(refused=Refused(Reason.REVEAL_REFUSED, "breakGlass does not cover this variable"))
    return None


def _process(request: Message | None, replies: tuple[Message, ...], facts: Facts, number: int) -> KnownProcess | None:
    """Gives what is known of the process that a call is about; None if it is about none."""
    if not isinstance(request, _ABOUT_ONE_PROCESS):
        return None
    ref: ProcessRef = request.process
    for reply in replies:
        if isinstance(reply, ListEnvironmentResponse) and reply.HasField("process"):
            ref = reply.process
    return facts.process(ref, number)


def _refused(call: RecordedCall, refused: Refused) -> Anew:
    """Makes a refusal; it is a change unless the call was refused before."""
    if call.refusal:
        return Anew(refused=refused)
    rows = 0 if call.ended is None else call.ended.rows
    return Anew(refused=refused, changes=(Change(Kind.REFUSED, call.called.permission, rows, (), refused.why),))
