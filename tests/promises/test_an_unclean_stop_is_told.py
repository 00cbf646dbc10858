"""Promise: whoever kills the agent leaves a trace: the next one records that the end was not clean, and the gap."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leadglass_agent import clock
from leadglass_agent.audit.chain import Head
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.processes.ship_cursor import cursor_path, write_cursor
from running_agent import prepare, running_again

if TYPE_CHECKING:
    from pathlib import Path


def _boots(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "AGENT_STARTED"]


def _an_hour_ahead() -> clock.Instant:
    now = clock.now()
    return replace(now, unix_ns=now.unix_ns + 3_600 * 1_000_000_000)


def test_kill_9_is_told_by_the_next_start_with_the_time_since_the_last_record(tmp_path: Path) -> None:
    prepare(tmp_path)
    with running_again(tmp_path) as agent:
        agent.caller()
        os.kill(agent.front_pid, signal.SIGKILL)
        agent.process.wait(60)
        before = agent.records()
    with running_again(tmp_path) as agent:
        last = agent.records()[len(before) :]
    boot = _boots(last)[0]
    assert boot["facts"]["previous_stop"] == "unclean"
    assert boot["facts"]["previous_time"] == before[-1]["time"]
    assert boot["facts"]["boot_id"] == boot["boot_id"]
    gap_ns = boot["boot_ns"] - before[-1]["boot_ns"]
    assert 0 <= boot["facts"]["gap_ms"] <= gap_ns // 1_000_000
    assert all(record["kind"] != "CLOCK_JUMPED" for record in last)


def test_an_agent_that_was_told_to_stop_leaves_a_clean_end(tmp_path: Path) -> None:
    prepare(tmp_path)
    for _ in range(2):
        with running_again(tmp_path) as agent:
            agent.caller()
    assert [boot["facts"]["previous_stop"] for boot in _boots(agent.records())] == ["none", "clean"]


def test_a_wall_clock_that_was_set_between_two_agents_is_recorded_at_the_start(tmp_path: Path) -> None:
    # The log of an agent whose wall clock was an hour ahead, as one has it whose clock is set back after its end.
    prepare(tmp_path)
    ahead = AuditLog.open(tmp_path / "audit" / "audit.jsonl", _an_hour_ahead)
    ahead.append([Event(kind=EventKind.AGENT_STARTED)])
    ahead.append([Event(kind=EventKind.AGENT_STOPPED)])
    ahead.close()
    with running_again(tmp_path) as agent:
        records = agent.records()
    jumped = [record for record in records if record["kind"] == "CLOCK_JUMPED"]
    assert len(jumped) == 1
    assert abs(jumped[0]["facts"]["seconds"] + 3_600) <= 1
    assert _boots(records)[-1]["facts"]["previous_stop"] == "clean"


def test_a_log_that_ends_before_what_the_sink_has_is_told_by_the_next_start(tmp_path: Path) -> None:
    prepare(tmp_path)
    with running_again(tmp_path) as agent:
        agent.caller()
    last = agent.every_record()[-1]
    write_cursor(cursor_path(agent.audit_log), Head(last["seq"], last["hash"]))
    with running_again(tmp_path) as agent:
        agent.caller()
    assert "log_shrank" not in _boots(agent.records())[-1]["facts"]
    agent.audit_log.write_bytes(b"".join(agent.audit_log.read_bytes().splitlines(keepends=True)[: last["seq"] - 2]))
    with running_again(tmp_path) as agent:
        agent.caller()
    told = _boots(agent.records())[-1]["facts"]
    assert (told["log_shrank"], told["shipped_seq"], told["shipped_hash"]) == (True, last["seq"], last["hash"])
