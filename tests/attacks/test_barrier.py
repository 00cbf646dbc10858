"""Attacks on a real agent's barrier: a secret that the redactor cannot know, and guesses that must not be confirmed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import reason_of, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running_agent import RunningAgent

# As an argument of its own no rule of the redactor takes it for a secret: it looks like the name of anything.
_VALUE = "tractor-meadow-winter"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent"), exporter="stdout") as started:
        yield started


def _list(agent: RunningAgent, *pids: int) -> inspect_pb2.ListProcessesResponse:
    caller = agent.caller()
    return caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=pids))


def test_what_the_redactor_misses_is_withheld_with_its_reason_and_recorded_as_critical(agent: RunningAgent) -> None:
    with running(_VALUE, environment={"DB_PASSWORD": _VALUE}) as pid:
        with pytest.raises(grpc.RpcError) as caught:
            _list(agent, pid)
        with pytest.raises(grpc.RpcError):
            _list(agent)
    assert reason_of(caught.value) == "KNOWN_VALUE"
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.details() == "the reply was withheld: it holds a value that this pod keeps to itself"
    trailers = repr(caught.value.trailing_metadata()).encode()
    record = next(record for record in agent.records() if record.get("severity") == "CRITICAL")
    assert (record["kind"], record["decision"], record["refusal"]) == ("REFUSED", "DENY", "KNOWN_VALUE")
    assert record["method"] == "/leadglass.v1.InspectService/ListProcesses"
    assert record["detail"] == f"environment variable DB_PASSWORD of process {pid}"
    for text in (trailers, agent.audit_log.read_bytes(), agent.errors.read_bytes(), agent.output.read_bytes()):
        assert _VALUE.encode() not in text


def test_the_same_process_without_the_value_is_answered(agent: RunningAgent) -> None:
    with running("tractor-meadow", environment={"DB_PASSWORD": _VALUE}) as pid:
        assert _list(agent, pid).processes[0].arguments[-1].text == "tractor-meadow"


def test_a_guess_in_a_request_is_answered_alike_whether_or_not_it_is_right(agent: RunningAgent) -> None:
    caller = agent.caller()
    with running(environment={"DB_PASSWORD": _VALUE}) as pid:
        ref = common_pb2.ProcessRef(pid=pid)
        for guess in (_VALUE, _VALUE[::-1]):
            names = inspect_pb2.ListEnvironmentRequest(process=ref, names=[guess])
            assert caller.call(caller.inspect.ListEnvironment, names).variables[0].presence == 1
            paths = inspect_pb2.StatFilesRequest(process=ref, paths=[f"/nowhere/{guess}"])
            assert caller.call(caller.inspect.StatFiles, paths).files[0].unavailable


def test_a_process_that_changes_its_environment_by_exec_is_known_when_it_is_asked_for(
    agent: RunningAgent, tmp_path: Path
) -> None:
    value = "tractor-meadow-summer"
    last, first = tmp_path / "last.py", tmp_path / "first.py"
    last.write_text("import sys; print(1, flush=True); sys.stdin.read()")
    arguments = [sys.executable, "-I", "-S", str(last), value]
    # In a file, since it must not stand among the arguments before.
    first.write_text(
        f"import os, sys\nsys.stdin.readline()\nos.execve({sys.executable!r}, {arguments!r}, {{'A_TOKEN': {value!r}}})",
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"LANG": "C"},
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert len(_list(agent, process.pid).processes) == 1
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"1\n"
            with pytest.raises(grpc.RpcError) as caught:
                _list(agent, process.pid)
            assert reason_of(caught.value) == "KNOWN_VALUE"
        finally:
            process.kill()
