"""Each record of the audit log reaches the sink, through outages and restarts; calls wait for it if so configured."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import agent_pb2, inspect_pb2
from leadglass.v1.common_pb2 import ProcessRef
from leadglass_agent.audit.chain import GENESIS, Fault, follows, read_line
from otlp_receiver import Received, otlp_receiver
from running_agent import RunningAgent, prepare, reason_of, running_again, running_agent, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from running_agent import Caller

_SECONDS = 60.0


def _shipping_to(received: Received, when_down: str) -> Callable[[str], str]:
    sink = f"sink: {{endpoint: 'http://127.0.0.1:{received.port}', whenDown: {when_down}}}"
    return lambda config: config.replace("audit.jsonl}", f"audit.jsonl, {sink}}}")


def _self(caller: Caller) -> str:
    """Makes a call; gives the reason of its refusal, or nothing."""
    try:
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
    except grpc.RpcError as error:
        return reason_of(error) or str(error.code())
    return ""


def _kinds(agent: RunningAgent) -> list[str]:
    return [record["kind"] for record in agent.records()]


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _without_repeats(lines: list[bytes]) -> list[bytes]:
    """Gives each line once: a sink may get records twice, in order each time."""
    return list(dict.fromkeys(lines))


def _is_one_chain(lines: list[bytes]) -> bool:
    head = GENESIS
    for line in lines:
        record = read_line(line)
        if isinstance(record, Fault) or follows(head, record) is not None:
            return False
        head = record.head
    return True


@pytest.mark.parametrize("kill", [False, True])
def test_a_sink_that_was_away_while_the_agent_restarted_gets_every_record(tmp_path: Path, *, kill: bool) -> None:
    received = Received()
    with (
        otlp_receiver(received),
        running_agent(tmp_path, rewrite=_shipping_to(received, "spool")) as agent,
    ):
        caller = agent.caller()
        assert [_self(caller) for _ in range(5)] == [""] * 5
        received.wait_for_seq(5)
        received.answer(status=503)
        assert [_self(caller) for _ in range(60)] == [""] * 60
        if kill:
            agent.process.kill()
    with running_again(tmp_path) as agent:
        assert _self(agent.caller()) == ""
        received.answer()
        with otlp_receiver(received, received.port):
            last = agent.records()[-1]["seq"]
            received.wait_for_seq(last)
            assert agent.stop() == 0
            lines = agent.audit_log.read_bytes().splitlines()
            received.wait_for_seq(len(lines))
    assert _without_repeats(received.lines()) == lines
    assert _is_one_chain(lines)
    assert {"CHECKPOINT", "INTENT", "OUTCOME"} <= {record["kind"] for record in received.records()}


def test_an_agent_that_restarts_behind_its_sink_answers_nothing_until_the_sink_is_back(tmp_path: Path) -> None:
    received = Received()
    with otlp_receiver(received), running_agent(tmp_path, rewrite=_shipping_to(received, "refuse")) as agent:
        caller = agent.caller()
        received.answer(status=503)
        _self(caller)
    with running_again(tmp_path) as agent:
        caller = agent.caller(session=False)
        assert _self(caller) == "AUDIT_UNAVAILABLE"
        received.answer()
        with otlp_receiver(received, received.port):
            _until(lambda: _self(caller) == "", "calls are refused although the sink is back")
            assert agent.stop() == 0
            lines = agent.audit_log.read_bytes().splitlines()
        assert _without_repeats(received.lines()) == lines


@pytest.mark.slow
def test_without_its_sink_an_agent_that_is_told_to_refuse_does_and_records_the_outage_once(tmp_path: Path) -> None:
    received = Received()
    with (
        otlp_receiver(received),
        running_agent(tmp_path, rewrite=_shipping_to(received, "refuse")) as agent,
    ):
        caller = agent.caller()
        assert _self(caller) == ""
        received.answer(status=503)
        _until(lambda: _self(caller) == "AUDIT_UNAVAILABLE", "calls go on without the sink")
        _until(lambda: "SINK_DOWN" in _kinds(agent), "the outage is not recorded")
        intents = _kinds(agent).count("INTENT")
        assert [_self(caller) for _ in range(5)] == ["AUDIT_UNAVAILABLE"] * 5
        assert _kinds(agent).count("INTENT") == intents
        received.answer()
        _until(lambda: _self(caller) == "", "calls are refused although the sink is back")
        _until(lambda: "SINK_RECOVERED" in _kinds(agent), "the end of the outage is not recorded")
        assert agent.stop() == 0
        records = agent.records()
    (down,) = (record for record in records if record["kind"] == "SINK_DOWN")
    (back,) = (record for record in records if record["kind"] == "SINK_RECOVERED")
    assert (down["severity"], down["facts"]["cause"], down["facts"]["when_down"]) == ("CRITICAL", "BUSY", "refuse")
    assert back["facts"]["cause"] == "BUSY"
    assert _without_repeats(received.lines()) == agent.audit_log.read_bytes().splitlines()


@pytest.mark.slow
def test_without_its_sink_an_agent_that_is_told_to_refuse_ends_streams_too(tmp_path: Path) -> None:
    followed, received = tmp_path / "app.log", Received()
    followed.write_text("started\n", encoding="utf-8")
    with (
        otlp_receiver(received),
        running_agent(tmp_path / "agent", rewrite=_shipping_to(received, "refuse")) as agent,
    ):
        caller = agent.caller()
        request = inspect_pb2.ReadTextRequest(process=ProcessRef(pid=os.getpid()), path=str(followed), follow=True)
        metadata = (("leadglass-session", caller.session_id),)
        following = caller.inspect.ReadText(request, timeout=2 * _SECONDS, metadata=metadata)
        assert next(following).lines
        received.answer(status=503)
        with pytest.raises(grpc.RpcError) as ended:
            for _ in following:
                pass
        assert reason_of(ended.value) == "AUDIT_UNAVAILABLE"


def test_each_checkpoint_is_on_standard_output_too(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        caller = agent.caller()
        assert [_self(caller) for _ in range(70)] == [""] * 70
        assert agent.stop() == 0
        notes = [part["note"] for part in map(_document, agent.output.read_text().splitlines()) if "note" in part]
        signatures = [record["signature"] for record in agent.every_record() if record["kind"] == "CHECKPOINT"]
    assert len(notes) == len(signatures) > 1
    for note, signature in zip(notes, signatures, strict=True):
        assert signature in note


def _document(line: str) -> dict[str, str]:
    return json.loads(line)  # type: ignore[no-any-return] # the agent's own line


def test_a_pipe_that_nobody_reads_stops_no_call(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    ends = os.pipe()
    with os.fdopen(ends[0], "rb") as read, os.fdopen(ends[1], "wb") as write, (tmp_path / "err").open("wb") as err:
        process = start(config, write, err)
        try:
            # The state that the start signs comes before it.
            ready = next(line for line in map(_document, map(bytes.decode, read)) if line["event"] == "listening")
            # The pipe is full from here on: 64 KiB of somebody else's text, which nobody takes.
            os.set_blocking(write.fileno(), False)
            _fill(write.fileno())
            os.set_blocking(write.fileno(), True)
            agent = RunningAgent(
                tmp_path,
                process,
                ready["address"],
                ready["health"],
                tmp_path / "ca",
                tmp_path / "out",
                tmp_path / "err",
            )
            caller = agent.caller()
            for _ in range(200):
                assert _self(caller) == ""
            assert agent.stop() == 0
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _fill(descriptor: int) -> None:
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 4_096)
