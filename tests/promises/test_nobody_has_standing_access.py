"""Promise: where the policy asks for grants nobody has standing access: no role and no session shows anything alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import pytest

from expecting import reason, refusal, until
from granting import envelope, grant_of, granting_agent, open_with
from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from running_agent import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

_READS: Final = (
    "processes.list",
    "processes.argv",
    "env.presence",
    "env.names",
    "files.metadata",
    "files.list",
    "files.access",
)
_SHORT_SECONDS: Final = 10
_INSPECT: Final = inspect_pb2.DESCRIPTOR.services_by_name["InspectService"]
# Bob may look as alice may; carol approves, erin administers, and of mallory no role knows.
_REFUSED: Final = {
    "alice": "APPROVAL_NEEDED",
    "bob": "APPROVAL_NEEDED",
    "carol": "POLICY_DENIED",
    "erin": "SESSION_MISSING",
    "mallory": "SESSION_MISSING",
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with granting_agent(tmp_path_factory.mktemp("agent")) as running_one:
        yield running_one


def _questions(caller: Caller, folder: Path) -> dict[str, Callable[[], object]]:
    """Gives one call of each method that looks into the pod, as it is answered to whoever may."""
    log = folder / "app.log"
    log.write_text("started\n", encoding="utf-8")
    process = common_pb2.ProcessRef(pid=os.getpid())
    metadata = (("leadglass-session", caller.session_id),) if caller.session_id else ()
    inspect = caller.inspect
    listing = inspect_pb2.ListProcessesRequest(page_size=1)
    names = inspect_pb2.ListEnvironmentRequest(process=process, names=["PATH"])
    files = inspect_pb2.StatFilesRequest(process=process, paths=[str(folder)])
    directory = inspect_pb2.ListDirectoryRequest(process=process, path=str(folder))
    text = inspect_pb2.ReadTextRequest(process=process, path=str(log))
    access = inspect_pb2.ExplainAccessRequest(
        process=process, path=str(folder), operation=inspect_pb2.ACCESS_OPERATION_LIST
    )
    return {
        "ExplainAccess": lambda: caller.call(inspect.ExplainAccess, access),
        "ListProcesses": lambda: caller.call(inspect.ListProcesses, listing),
        "ListEnvironment": lambda: caller.call(inspect.ListEnvironment, names),
        "StatFiles": lambda: caller.call(inspect.StatFiles, files),
        "ListDirectory": lambda: caller.call(inspect.ListDirectory, directory),
        "ReadText": lambda: list(inspect.ReadText(text, timeout=CALL_SECONDS, metadata=metadata)),
    }


def _answers(caller: Caller, folder: Path) -> dict[str, str]:
    """Asks everything; gives the reason of each refusal."""
    return {method: reason(call) for method, call in _questions(caller, folder).items()}


def _every(answer: str) -> dict[str, str]:
    return {method.name: answer for method in _INSPECT.methods}


@pytest.mark.parametrize("name", _REFUSED)
def test_nobody_whom_the_policy_names_is_shown_anything(agent: RunningAgent, tmp_path: Path, name: str) -> None:
    caller = agent.caller(name, session=False)
    assert _answers(caller, tmp_path) == _every("SESSION_MISSING")
    opened = reason(caller.open)
    assert opened == ("" if _REFUSED[name] != "SESSION_MISSING" else "POLICY_DENIED")
    assert _answers(caller, tmp_path) == _every(_REFUSED[name])

    asked = [record for record in agent.records() if record.get("caller", "").endswith(f"/user/{name}")]
    looks = [record for record in asked if record.get("method", "").startswith(f"/{_INSPECT.full_name}/")]
    assert {record["kind"] for record in looks} == {"REFUSED"}


def test_a_grant_gives_access_to_the_one_session_that_carries_it(agent: RunningAgent, tmp_path: Path) -> None:
    caller = agent.caller("alice")
    grant = grant_of(agent, permissions=(*_READS, "text.redacted"))
    other = agent.caller("alice", session=False)
    open_with(other, envelope(agent, grant, "carol"))
    assert _answers(other, tmp_path) == _every("")
    assert _answers(caller, tmp_path) == _every("APPROVAL_NEEDED")

    closing = access_pb2.CloseSessionRequest(session_id=other.session_id)
    other.access.CloseSession(closing, timeout=CALL_SECONDS)
    assert _answers(other, tmp_path) == _every("SESSION_ENDED")


def test_access_goes_by_itself_when_the_grant_ends(agent: RunningAgent, tmp_path: Path) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent, permissions=_READS, not_after_unix=int(time.time()) + _SHORT_SECONDS)
    text = envelope(agent, grant, "carol")
    open_with(caller, text)
    look = _questions(caller, tmp_path)["ListProcesses"]
    look()
    until(lambda: reason(look) == "SESSION_ENDED")
    assert _answers(caller, tmp_path) == _every("SESSION_ENDED")
    assert refusal(lambda: open_with(caller, text)) == "GRANT_REFUSED"
    assert time.time() >= grant.not_after_unix
