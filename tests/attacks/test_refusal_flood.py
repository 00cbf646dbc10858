"""A caller without a role who calls without end costs a bounded number of audit records, and every call is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import agent_pb2, common_pb2, inspect_pb2
from leadglass_agent.access.refusals import MAX_RECORDED
from leadglass_agent.audit.verify import verify
from running_agent import reason_of, running_agent

if TYPE_CHECKING:
    from pathlib import Path

_CALLS = MAX_RECORDED + 150


def test_a_flood_of_refused_calls_is_summed_up(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        mallory = agent.caller("mallory", session=False)
        for _ in range(_CALLS):
            with pytest.raises(grpc.RpcError) as refused:
                mallory.call(mallory.agent.GetSelf, agent_pb2.GetSelfRequest())
            assert reason_of(refused.value) == "POLICY_DENIED" or reason_of(refused.value) == "RATE_LIMITED"
        alice = agent.caller("alice")
        assert alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1)).processes
        assert agent.stop() == 0
        refusals = [record for record in agent.records() if record["kind"] == "REFUSED"]
        summed = sum(record.get("facts", {}).get("calls", 0) for record in refusals)
        assert len([record for record in refusals if "facts" not in record]) + summed == _CALLS
        assert len(refusals) < MAX_RECORDED + 10
        with agent.audit_log.open("rb") as log:
            assert verify(log).intact


def test_calls_outside_a_session_have_a_rate_of_their_own(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        alice = agent.caller("alice", session=False)
        reasons = set()
        for _ in range(700):
            try:
                alice.call(alice.agent.GetSelf, agent_pb2.GetSelfRequest())
            except grpc.RpcError as error:
                reasons.add(reason_of(error))
        assert reasons == {"RATE_LIMITED"}


def test_a_refusal_behind_an_intent_is_recorded_however_many_there_are(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        alice = agent.caller()
        gone = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=4_194_304), names=["PATH"])
        for _ in range(_CALLS):
            with pytest.raises(grpc.RpcError) as refused:
                alice.call(alice.inspect.ListEnvironment, gone)
            assert reason_of(refused.value) == "PROCESS_NOT_FOUND"
        assert agent.stop() == 0
        with agent.audit_log.open("rb") as log:
            assert verify(log).intents_unanswered == 0
