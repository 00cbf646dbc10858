"""Counts what a recorded session shows against another policy's budget, by the agent's own accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import (
    ExplainAccessRequest,
    ExplainAccessResponse,
    ListDirectoryRequest,
    ListDirectoryResponse,
    ListEnvironmentRequest,
    ListEnvironmentResponse,
    ListProcessesResponse,
    ReadTextRequest,
    ReadTextResponse,
    StatFilesRequest,
    StatFilesResponse,
)
from leadglass_agent.access.accounts import Shown, session_account
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.errors import BudgetSpent
from leadglass_agent.policy.decide import budget_of
from leadglass_agent.policy.glob import plain
from leadglass_agent.policy.model import SpiffeId
from leadglass_client.replay.changes import Change, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from leadglass_agent.policy.model import Policy
    from leadglass_agent.recordings.records import Opened
    from leadglass_client.replay.recording import RecordedCall


class SessionBudget:
    """The account of one session; that of a grant depends on the grant alone, whatever the policy."""

    def __init__(self, opened: Opened, policy: Policy) -> None:
        self._account = session_account(opened.session_id, budget_of(policy, SpiffeId(opened.caller)))
        self._disclosure = Disclosure()

    def spend(self, call: RecordedCall, request: Message | None, replies: Sequence[Message]) -> tuple[Change, ...]:
        """Counts an answer, or says that it is more than is left: an agent then refuses it, or cuts its page."""
        for at, reply in enumerate(replies):
            try:
                self._disclosure.spend((self._account,), _shown(request, reply, is_first=at == 0))
            except BudgetSpent as spent:
                note = f"the session's budget: {str(spent).partition(': ')[2]}"
                return (Change(Kind.MAY_LOSE, call.called.permission, note=note),)
        return ()


def _shown(request: Message | None, reply: Message, *, is_first: bool) -> Shown:
    """Gives what a reply discloses, as the agent counts it."""
    rows, answers = 0, 0
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    match request, reply:
        case _, ListProcessesResponse():
            rows = len(reply.processes)
        case ListEnvironmentRequest() as asked, ListEnvironmentResponse():
            rows, answers = len(reply.variables), len(asked.names)
            names = frozenset(variable.name.text for variable in reply.variables)
        case StatFilesRequest() as asked, StatFilesResponse():
            rows, answers, paths = len(reply.files), len(asked.paths), frozenset(map(plain, asked.paths))
        case ListDirectoryRequest() as asked, ListDirectoryResponse():
            path = plain(asked.path)
            below = path.rstrip("/")
            rows = len(reply.entries)
            paths = frozenset((path, *(f"{below}/{entry.name.text}" for entry in reply.entries)))
        case ExplainAccessRequest() as asked, ExplainAccessResponse():
            rows, answers, paths = 1, 1, frozenset({plain(asked.path)})
        case ReadTextRequest() as asked, ReadTextResponse():
            rows, paths = len(reply.lines), frozenset({plain(asked.path)})
        case _:
            pass
    return Shown(
        calls=int(is_first), rows=rows, names=names, paths=paths, reply_bytes=reply.ByteSize(), answers=answers
    )
