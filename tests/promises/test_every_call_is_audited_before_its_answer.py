"""Promise: every call, refused ones too, is in the audit log before its answer leaves; without it nothing is shown."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import grpc
import pytest

from blocked_logs import blocked
from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import reason_of, running_agent

if TYPE_CHECKING:
    from pathlib import Path

_SELF = common_pb2.ProcessRef(pid=os.getpid())
_ENVIRONMENT = inspect_pb2.ListEnvironmentRequest(process=_SELF, names=["PATH"])


def test_an_answer_finds_its_intent_and_outcome_on_disk_and_a_refusal_its_record(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        alice = agent.caller()
        for _ in range(20):
            assert alice.call(alice.inspect.ListEnvironment, _ENVIRONMENT).variables
            intent, outcome = agent.records()[-2:]
            assert (intent["kind"], outcome["kind"]) == ("INTENT", "OUTCOME")
            assert intent["call_id"] == outcome["call_id"]
            assert outcome["arguments"] == {"names": ["PATH"]}
        mallory = agent.caller("mallory", session=False)
        with pytest.raises(grpc.RpcError) as refused:
            mallory.call(mallory.inspect.ListEnvironment, _ENVIRONMENT)
        record = agent.records()[-1]
        assert (record["kind"], record["refusal"]) == ("REFUSED", reason_of(refused.value))
        assert record["caller"].endswith("/user/mallory")


def test_a_log_that_takes_nothing_lets_no_answer_out(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        alice = agent.caller()
        with blocked(agent.audit_log), pytest.raises(grpc.RpcError) as refused:
            alice.call(alice.inspect.ListEnvironment, _ENVIRONMENT)
        assert reason_of(refused.value) == "AUDIT_UNAVAILABLE"
        assert alice.call(alice.inspect.ListEnvironment, _ENVIRONMENT).variables


def test_a_neighbour_that_lowers_the_limit_of_file_sizes_stops_no_answer(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        alice = agent.caller()
        _, hard = resource.prlimit(agent.front_pid, resource.RLIMIT_FSIZE)
        resource.prlimit(agent.front_pid, resource.RLIMIT_FSIZE, (agent.audit_log.stat().st_size, hard))
        assert alice.call(alice.inspect.ListEnvironment, _ENVIRONMENT).variables
        assert "AUDIT_RECOVERED" not in {record["kind"] for record in agent.records()}
