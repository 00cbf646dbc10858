"""Promise: nothing of the pod is read without an open session of the caller's own key, and each read is on record."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_client.authority import issue_client
from running_agent import CALL_SECONDS, Caller, RunningAgent, reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

_PROCESS: Final = common_pb2.ProcessRef(pid=os.getpid())
_READS: Final[dict[str, Message]] = {
    "ListProcesses": inspect_pb2.ListProcessesRequest(),
    "ListEnvironment": inspect_pb2.ListEnvironmentRequest(process=_PROCESS),
    "StatFiles": inspect_pb2.StatFilesRequest(process=_PROCESS, paths=["/"]),
    "ListDirectory": inspect_pb2.ListDirectoryRequest(process=_PROCESS, path="/"),
    "ReadText": inspect_pb2.ReadTextRequest(process=_PROCESS, path="/etc/hosts.log"),
    "ExplainAccess": inspect_pb2.ExplainAccessRequest(
        process=_PROCESS, path="/", operation=inspect_pb2.ACCESS_OPERATION_READ
    ),
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as agent:
        yield agent


def _refusal(caller: Caller, read: str, *sessions: str) -> tuple[str, str]:
    """Makes a read that names these sessions; gives the status and the reason of its refusal."""
    method: grpc.UnaryUnaryMultiCallable[Any, Any] = getattr(caller.inspect, read)
    metadata = tuple(("leadglass-session", session) for session in sessions)

    def ask() -> None:
        reply = method(_READS[read], timeout=CALL_SECONDS, metadata=metadata)
        # A stream says how it ends when it is read.
        list(reply if read == "ReadText" else ())

    with pytest.raises(grpc.RpcError) as refused:
        ask()
    assert isinstance(refused.value, grpc.Call)
    return refused.value.code().name, reason_of(refused.value)


def test_every_method_that_reads_is_tried_here() -> None:
    assert set(_READS) == {method.name for method in inspect_pb2.DESCRIPTOR.services_by_name["InspectService"].methods}


@pytest.mark.parametrize("read", _READS)
def test_a_read_without_a_session_is_refused(agent: RunningAgent, read: str) -> None:
    caller = agent.caller("alice", session=False)

    assert _refusal(caller, read) == ("FAILED_PRECONDITION", "SESSION_MISSING")


@pytest.mark.parametrize("session", ["", "no-such-session", "x" * 4_000, "0"])
def test_a_session_that_was_never_opened_opens_nothing(agent: RunningAgent, session: str) -> None:
    assert _refusal(agent.caller(session=False), "ListProcesses", session)[0] == "FAILED_PRECONDITION"


def test_a_call_that_names_two_sessions_is_refused(agent: RunningAgent) -> None:
    caller = agent.caller()

    assert _refusal(caller, "ListProcesses", caller.session_id, caller.session_id)[1] == "SESSION_MISSING"
    caller.access.CloseSession(access_pb2.CloseSessionRequest(session_id=caller.session_id), timeout=CALL_SECONDS)


def test_a_session_is_of_no_use_to_another_person_or_to_another_key_of_the_same_person(agent: RunningAgent) -> None:
    alice = agent.caller("alice")
    again = issue_client(agent.authority, "/user/alice", agent.folder / "clients" / "alice-again")
    thieves = (
        agent.caller("bob", session=False),
        Caller(agent.channel(again.certificate, again.key)),
    )

    for thief, read in itertools.product(thieves, _READS):
        assert _refusal(thief, read, alice.session_id) == ("FAILED_PRECONDITION", "SESSION_UNKNOWN")
    for thief in thieves:
        with pytest.raises(grpc.RpcError):
            thief.access.CloseSession(access_pb2.CloseSessionRequest(session_id=alice.session_id), timeout=CALL_SECONDS)
    assert alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1)).processes


@pytest.mark.parametrize("read", _READS)
def test_a_closed_session_reads_nothing_more(agent: RunningAgent, read: str) -> None:
    caller = agent.caller("bob")
    session = caller.session_id
    caller.access.CloseSession(access_pb2.CloseSessionRequest(session_id=session), timeout=CALL_SECONDS)

    assert _refusal(caller, read, session) == ("FAILED_PRECONDITION", "SESSION_ENDED")


def test_each_read_and_each_refusal_is_in_the_audit_log_before_it_is_answered(agent: RunningAgent) -> None:
    caller = agent.caller("carol-is-nobody", session=False)
    before = len(agent.records())
    assert _refusal(caller, "ListEnvironment")[0] == "FAILED_PRECONDITION"
    (refused,) = [record for record in agent.records()[before:] if record["kind"] == "REFUSED"]

    assert refused["caller"] == "spiffe://test.leadglass/user/carol-is-nobody"
    assert refused["refusal"] == "SESSION_MISSING"


def test_a_session_without_an_acceptable_reason_or_ticket_is_not_opened(agent: RunningAgent) -> None:
    caller = agent.caller("dave", session=False)
    for reason, ticket in ((".", "T-1"), ("." * 40, "T-1"), ("a reason of several words", ""), ("", "")):
        with pytest.raises(grpc.RpcError):
            caller.access.OpenSession(access_pb2.OpenSessionRequest(reason=reason, ticket=ticket), timeout=CALL_SECONDS)


def test_a_session_ends_when_its_longest_time_is_over(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        caller = agent.caller(session=False)
        wanted = access_pb2.OpenSessionRequest(reason="only for the blink of an eye, please", ticket="T-1")
        wanted.requested_duration.FromSeconds(1)
        caller.session_id = caller.access.OpenSession(wanted, timeout=CALL_SECONDS).session.session_id
        with pytest.raises(grpc.RpcError) as refused:
            _read_for(30.0, caller)
        assert reason_of(refused.value) == "SESSION_ENDED"


def _read_for(seconds: float, caller: Caller) -> None:
    """Reads again and again, until it is refused or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1))
        time.sleep(0.2)
