"""Spans and metrics have the names of the convention, and hold nothing that a caller or a target wrote."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import access_pb2, agent_pb2, common_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS
from leadglass_agent.telemetry.instruments import INSTRUMENTS
from leadglass_agent.views.redactors import build_redactors
from planted_secrets import Planted, plant
from running_agent import CALL_SECONDS, TICKET, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.telemetry.instruments import Instrument
    from running_agent import Caller, RunningAgent

_ATTRIBUTES = {"rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"}
_METHODS = {method.name.removeprefix("/") for method in METHODS} | {"_OTHER"}


def _documents(text: str) -> list[dict[str, object]]:
    """Reads the JSON documents that follow one another on standard output."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (start := text.find("{", at)) >= 0:
        document, at = decoder.raw_decode(text, start)
        found.append(document)
    return found


def _object(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _objects(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return [_object(item) for item in value]


def _points(metric: dict[str, object]) -> list[dict[str, object]]:
    return _objects(_object(metric["data"])["data_points"])


def _metrics(documents: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        metric
        for document in documents
        for resource in _objects(document.get("resource_metrics", []))
        for scope in _objects(resource["scope_metrics"])
        for metric in _objects(scope["metrics"])
    ]


def _check_labels(instrument: Instrument, metric: dict[str, object]) -> None:
    """Holds a metric to the table: its unit, its text, its labels and their values."""
    assert (metric["unit"], metric["description"]) == (instrument.unit, instrument.description)
    allowed = {label.name: set(label.values) for label in instrument.labels}
    for point in _points(metric):
        for name, value in _object(point["attributes"]).items():
            assert name in allowed, (instrument.name, name)
            assert not allowed[name] or value in allowed[name], (instrument.name, name)


def _ask_everything(agent: RunningAgent, planted: Planted, pid: int, folder: Path) -> None:
    """Puts a secret wherever a caller or a target can write one, in calls that succeed and calls that fail."""
    caller = agent.caller(session=False)
    reason = f"looking for {planted['reason']} in everything that is exported"
    opened = caller.access.OpenSession(
        access_pb2.OpenSessionRequest(reason=reason, ticket=TICKET), timeout=CALL_SECONDS
    )
    caller.session_id = opened.session.session_id
    ref = common_pb2.ProcessRef(pid=pid)
    caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
    names = [planted["name"]]
    caller.call(caller.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=ref, names=names))
    paths = [f"{folder}/{planted['path']}"]
    caller.call(caller.inspect.StatFiles, inspect_pb2.StatFilesRequest(process=ref, paths=paths))
    _fail(caller, "/leadglass.v1.AccessService/OpenSession", access_pb2.OpenSessionRequest(ticket=planted["ticket"]))
    wanted = access_pb2.GetSessionRequest(session_id=planted["session"])
    _fail(caller, "/leadglass.v1.AccessService/GetSession", wanted)
    _fail(caller, f"/leadglass.v1.InspectService/{planted['method']}", agent_pb2.GetSelfRequest())
    metadata = (("leadglass-session", planted["metadata"]), ("traceparent", f"00-{planted['metadata']}-0-01"))
    with pytest.raises(grpc.RpcError):
        caller.inspect.ListProcesses(inspect_pb2.ListProcessesRequest(), timeout=CALL_SECONDS, metadata=metadata)


def _fail(caller: Caller, method: str, request: access_pb2.OpenSessionRequest | object) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = caller.channel.unary_unary(method)
    assert hasattr(request, "SerializeToString")
    with pytest.raises(grpc.RpcError):
        call(request.SerializeToString(), timeout=CALL_SECONDS)


def test_what_is_exported_has_the_convention_s_names_and_nothing_of_caller_or_target(tmp_path: Path) -> None:
    places = ("environment", "argument", "reason", "ticket", "session", "name", "path", "method", "metadata")
    planted = plant(*places)
    environment = {"API_TOKEN": planted["environment"]}
    with (
        running_agent(tmp_path, exporter="stdout") as agent,
        running("--password", planted["argument"], environment=environment) as pid,
    ):
        _ask_everything(agent, planted, pid, tmp_path)
        session_ids = [record["session_id"] for record in agent.records() if "session_id" in record]
        assert agent.stop() == 0
        output = agent.output.read_text()

    assert planted.leaks(output.encode()) == ()
    assert session_ids
    assert all(session_id not in output for session_id in session_ids)
    assert "alice" not in output
    assert str(tmp_path) not in output

    documents = _documents(output.partition("\n")[2])
    spans = [document for document in documents if "span_id" in str(document.get("context"))]
    assert {span["name"] for span in spans} <= _METHODS
    assert "_OTHER" in {span["name"] for span in spans}
    for span in spans:
        attributes = _object(span["attributes"])
        assert set(attributes) <= _ATTRIBUTES
        assert (span["kind"], span["parent_id"], span["events"], span["links"]) == ("SpanKind.SERVER", None, [], [])
        assert attributes["rpc.system.name"] == "grpc"
        assert attributes["rpc.method"] == span["name"]
        assert attributes["rpc.response.status_code"] in grpc.StatusCode.__members__
        assert "description" not in _object(span["status"])
    metrics = _metrics(documents)
    assert {metric["name"] for metric in metrics} == {instrument.name for instrument in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        for metric in metrics:
            if metric["name"] == instrument.name:
                _check_labels(instrument, metric)
    masks = [point for metric in metrics if metric["name"] == "leadglass.redactions" for point in _points(metric)]
    # Only the argument was masked; the label is the rule, and the value is how often.
    assert {str(_object(point["attributes"])["rule"]) for point in masks} <= build_redactors().rule_ids
    assert {frozenset(_object(point["attributes"])) for point in masks} == {frozenset({"rule"})}
    assert {point["value"] for point in masks} == {1}
    metrics = [metric for metric in metrics if metric["name"] == "rpc.server.call.duration"]
    assert {metric["unit"] for metric in metrics} == {"s"}
    points = [point for metric in metrics for point in _points(metric)]
    assert {key for point in points for key in _object(point["attributes"])} == _ATTRIBUTES
    assert {str(_object(point["attributes"])["rpc.method"]) for point in points} <= _METHODS
    statuses = {str(_object(point["attributes"])["rpc.response.status_code"]) for point in points}
    assert {"OK", "UNIMPLEMENTED", "INVALID_ARGUMENT", "FAILED_PRECONDITION"} <= statuses
    for point in points:
        attributes = _object(point["attributes"])
        server_fault = attributes["rpc.response.status_code"] == "UNIMPLEMENTED"
        assert attributes.get("error.type") == ("UNIMPLEMENTED" if server_fault else None)


def test_nothing_is_exported_unless_asked_for(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        caller = agent.caller()
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
        assert agent.stop() == 0
        events = [json.loads(line)["event"] for line in agent.output.read_text().splitlines()]
        assert events.count("listening") == 1
        assert set(events) == {"checkpoint", "listening"}
        assert agent.errors.read_bytes() == b""


def test_a_call_that_its_caller_gives_up_is_counted_as_cancelled(tmp_path: Path) -> None:
    with running_agent(tmp_path, exporter="stdout") as agent:
        caller = agent.caller()
        request = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=os.getpid()), paths=["/"])
        caller.call(caller.inspect.StatFiles, request)
        (worker,) = agent.worker_pids()
        os.kill(worker, signal.SIGSTOP)
        metadata = (("leadglass-session", caller.session_id),)
        before = len(agent.records())
        call = caller.inspect.StatFiles.future(request, timeout=CALL_SECONDS, metadata=metadata)
        deadline = time.monotonic() + CALL_SECONDS
        while len(agent.records()) == before:
            assert time.monotonic() < deadline, "the call was not begun"
            time.sleep(0.01)
        call.cancel()
        while agent.records()[-1]["kind"] != "REFUSED":
            assert time.monotonic() < deadline, "the end of the call is not recorded"
            time.sleep(0.01)
        assert agent.stop() == 0
        spans = _documents(agent.output.read_text().partition("\n")[2])
    codes = [_object(span["attributes"])["rpc.response.status_code"] for span in spans if "attributes" in span]
    assert codes.count("CANCELLED") == 1
