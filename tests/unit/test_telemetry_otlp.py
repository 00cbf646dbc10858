"""A real agent sends logs, metrics and traces to a real OTLP receiver, and nothing that anybody wrote is in them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import access_pb2, agent_pb2, common_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS
from leadglass_agent.telemetry.instruments import INSTRUMENTS, Kind
from otlp_receiver import attributes, otlp_receiver
from planted_secrets import plant
from running_agent import CALL_SECONDS, TICKET, prepare, running_again, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint

    from otlp_receiver import Received

_METHODS = {method.name.removeprefix("/") for method in METHODS} | {"_OTHER"}


def exporting(received: Received, headers: Path | None = None) -> Callable[[str], str]:
    """Gives what makes a configuration send everything to a receiver."""
    where = f"endpoint: http://127.0.0.1:{received.port}" + (f", headersFile: {headers}" if headers else "")

    def rewrite(config: str) -> str:
        config = config.replace("exporter: none", f"exporter: otlp, {where}")
        return config.replace("audit.jsonl}", f"audit.jsonl, sink: {{{where}, whenDown: spool}}}}")

    return rewrite


def test_everything_arrives_under_the_names_of_the_table_and_no_planted_secret_is_in_it(tmp_path: Path) -> None:
    planted = plant("environment", "argument", "reason", "session", "header")
    headers = tmp_path / "headers"
    headers.write_text(f"Authorization: Bearer {planted['header']}\n")
    with (
        otlp_receiver() as received,
        running_agent(tmp_path, rewrite=exporting(received, headers)) as agent,
        running("--password", planted["argument"], environment={"API_TOKEN": planted["environment"]}) as pid,
    ):
        caller = agent.caller(session=False)
        reason = f"the password is {planted['reason']} and this looks for it in what is exported"
        asked = access_pb2.OpenSessionRequest(reason=reason, ticket=TICKET)
        caller.session_id = caller.access.OpenSession(asked, timeout=CALL_SECONDS).session.session_id
        ref = common_pb2.ProcessRef(pid=pid)
        caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
        caller.call(caller.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=ref))
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
        session_id = caller.session_id
        assert agent.stop() == 0
        assert planted.leaks(agent.output.read_bytes() + agent.errors.read_bytes()) == ()
        lines = agent.audit_log.read_bytes().splitlines()

    assert planted.leaks(received.everything) == ()
    assert received.lines() == lines
    assert {made["Authorization"] for made in received.headers} == {f"Bearer {planted['header']}"}
    without_records = b"".join(body for path, body in received.bodies if path != "/v1/logs")
    for text in (session_id, "alice", str(tmp_path)):
        assert text.encode() not in without_records

    assert {span.name for span in received.spans()} <= _METHODS
    for span in received.spans():
        assert (list(span.events), list(span.links), span.status.message) == ([], [], "")
    made = {metric.name: metric for metric in received.metrics()}
    assert set(made) == {instrument.name for instrument in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        metric = made[instrument.name]
        assert (metric.unit, metric.description) == (instrument.unit, instrument.description)
        points = _points(metric, instrument.kind)
        assert points
        labels = {label.name: set(label.values) for label in instrument.labels}
        for point in points:
            for name, value in attributes(point.attributes).items():
                assert name in labels, (instrument.name, name)
                assert not labels[name] or value in labels[name], (instrument.name, name)


def _points(metric: Metric, kind: Kind) -> Sequence[NumberDataPoint | HistogramDataPoint]:
    match kind:
        case Kind.COUNTER:
            return metric.sum.data_points
        case Kind.HISTOGRAM:
            return metric.histogram.data_points
        case Kind.GAUGE:
            return metric.gauge.data_points


def test_decisions_sessions_and_records_are_counted_as_the_audit_log_has_them(tmp_path: Path) -> None:
    with otlp_receiver() as received:
        with running_agent(tmp_path, rewrite=exporting(received)) as agent:
            caller = agent.caller()
            for _ in range(3):
                caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
            with pytest.raises(grpc.RpcError):
                caller.call(caller.inspect.StatFiles, inspect_pb2.StatFilesRequest(paths=["not absolute"]))
            caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))
            deadline = time.monotonic() + CALL_SECONDS
            while "SESSION_ENDED" not in {record["kind"] for record in agent.records()}:
                assert time.monotonic() < deadline, "the end of the session is not recorded"
                time.sleep(0.02)
            assert agent.stop() == 0
            records = agent.records()
        last: dict[str, dict[tuple[str, ...], float]] = {}
        for metric in received.metrics():
            points = metric.sum.data_points
            last[metric.name] = {
                tuple(sorted(attributes(point.attributes).values())): point.as_int for point in points if point.as_int
            }
    assert last["leadglass.decisions"][("ALLOW", "agent.self")] == 3
    assert last["leadglass.decisions"][("DENY", "INVALID_REQUEST", "files.metadata")] == 1
    assert sum(last["leadglass.decisions"].values()) == sum(r["kind"] in {"OUTCOME", "REFUSED"} for r in records)
    assert last["leadglass.sessions.ended"] == {("CLOSED",): 1}
    own = {"CHECKPOINT", "SEGMENT_STARTED"}
    kinds = {r["kind"] for r in records} - own
    assert last["leadglass.audit.records"] == {(kind,): sum(r["kind"] == kind for r in records) for kind in kinds}


@pytest.mark.parametrize(
    ("module", "old", "new", "extra"),
    [
        ("opentelemetry.exporter.otlp", "exporter: none", "exporter: otlp, endpoint: 'http://127.0.0.1:1'", "otlp"),
        ("opentelemetry.proto", "audit.jsonl}", "audit.jsonl, sink: {endpoint: 'http://127.0.0.1:1'}}", "otlp"),
        ("opentelemetry.exporter.prometheus", "exporter: none", "prometheusListen: '127.0.0.1:0'", "prometheus"),
    ],
)
def test_without_the_extra_the_start_is_refused_in_one_line(
    tmp_path: Path, module: str, old: str, new: str, extra: str
) -> None:
    config = prepare(tmp_path)
    config.write_text(config.read_text().replace(old, new))
    # Installed it is, here: the interpreter is told not to find it.
    hidden = (
        "import sys, importlib.abc\n"
        "class Hidden(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.startswith({module!r}):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        f"sys.argv = ['leadglass-agent', '--config', {str(config)!r}]\n"
        "from leadglass_agent.__main__ import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert f"pip install 'leadglass[{extra}]'" in ended.stderr


def test_an_agent_goes_on_while_nobody_takes_its_metrics_and_traces(tmp_path: Path) -> None:
    with otlp_receiver() as received:
        pass  # now the port is known, and nobody listens
    config = prepare(tmp_path)
    config.write_text(
        config.read_text().replace("exporter: none", f"exporter: otlp, endpoint: 'http://127.0.0.1:{received.port}'")
    )
    with running_again(tmp_path) as agent:
        caller = agent.caller()
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
        assert agent.stop() == 0
        assert agent.errors.read_bytes() == b""
