"""The boot record says how the agent before ended, how long nobody watched, and that the clock was set meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import SteppingClock
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.previous_stop import PreviousStop, Stop, previous_stop
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.resume import LastRecord
from leadglass_agent.clock import Instant

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * SECOND


def _last(kind: EventKind = EventKind.AGENT_STOPPED, boot_id: str = "boot-1") -> LastRecord:
    return LastRecord(seq=7, kind=kind.value, unix_ns=NOON, boot_ns=HOUR, boot_id=boot_id)


def _after(wall_ns: int, boot_ns: int, boot_id: str = "boot-1") -> Instant:
    return Instant(boot_ns=HOUR + boot_ns, unix_ns=NOON + wall_ns, boot_id=boot_id)


def test_a_new_log_has_no_stop_before_it() -> None:
    before = previous_stop(None, _after(0, 0))
    assert before == PreviousStop(Stop.NONE, "boot-1")
    assert before.facts() == (("boot_id", "boot-1"), ("previous_stop", "none"))
    assert before.events() == ()


@pytest.mark.parametrize("kind", EventKind)
def test_only_a_recorded_stop_is_clean(kind: EventKind) -> None:
    stop = previous_stop(_last(kind), _after(SECOND, SECOND)).stop
    assert stop is (Stop.CLEAN if kind is EventKind.AGENT_STOPPED else Stop.UNCLEAN)


def test_the_gap_is_told_in_milliseconds_beside_the_time_when_it_began() -> None:
    before = previous_stop(_last(), _after(1_500_000_000, 1_500_000_000))
    assert before.facts() == (
        ("boot_id", "boot-1"),
        ("previous_stop", "clean"),
        ("previous_time", "2026-03-01T12:00:00.000000Z"),
        ("gap_ms", 1_500),
    )


@pytest.mark.parametrize("seconds", [-86_400, -6, -5, 5, 3_600])
def test_a_clock_that_was_set_while_no_agent_ran_is_recorded_and_the_gap_is_still_right(seconds: int) -> None:
    before = previous_stop(_last(), _after((2 + seconds) * SECOND, 2 * SECOND))
    if abs(seconds) == 5:  # within the slew that two seconds allow
        assert before.events() == ()
    else:
        assert before.events() == (Event(kind=EventKind.CLOCK_JUMPED, facts=(("seconds", seconds),)),)
    assert before.gap_ns == 2 * SECOND


@given(st.integers(0, 10**6), st.integers(-500, 500))
def test_a_clock_that_is_corrected_slowly_did_not_jump(seconds: int, parts_in_a_million: int) -> None:
    boot_ns = seconds * SECOND
    assert previous_stop(_last(), _after(boot_ns + boot_ns * parts_in_a_million // 10**6, boot_ns)).events() == ()


@pytest.mark.parametrize("boot_id", ["boot-2", ""])
def test_clocks_of_two_starts_of_the_machine_are_not_compared(boot_id: str) -> None:
    before = previous_stop(_last(), _after(HOUR, -HOUR // 2, boot_id))
    assert (before.events(), before.gap_ns) == ((), HOUR)


def test_the_signature_of_the_last_state_does_not_hide_the_stop_before_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for kind in (EventKind.AGENT_STOPPED, EventKind.AGENT_STARTED):
        log = AuditLog.open(path, SteppingClock())
        log.append([Event(kind=kind)])
        log.close()
        again = AuditLog.open(path, SteppingClock())
        assert again.last_time is not None
        assert again.last_time.kind == kind.value
        again.close()
    assert b'"CHECKPOINT"' in path.read_bytes()
