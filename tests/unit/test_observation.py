"""A look of the reader at real processes, and the record that the front makes of what it found."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.audit.record import EventKind
from leadglass_agent.errors import Severity
from leadglass_agent.processes.notices import Interfered, InterferenceCause
from leadglass_agent.processes.observation import Observation
from leadglass_agent.processes.observer import foreign_event
from leadglass_agent.redaction.escape import visible
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.views import procfs
from leadglass_agent.views.lineage import Finding
from leadglass_agent.views.redactors import build_redactors
from leadglass_agent.views.rows import ForeignProcess
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

_REDACTORS = build_redactors()


@pytest.fixture
def observation() -> Iterator[Observation]:
    proc = procfs.open_proc()
    yield Observation(proc, _REDACTORS)
    proc.close()


@pytest.fixture
def front() -> Iterator[int]:
    """A process that stands for the front; the reader is the test itself, the supervisor whoever runs it."""
    with running() as pid:
        yield pid


def _found(observation: Observation, front: int) -> tuple[Interfered, ...]:
    return observation.look(front, 0, None, foreign=False).interference


def test_nothing_is_found_where_nothing_was_done(observation: Observation, front: int) -> None:
    assert _found(observation, front) == _found(observation, front) == ()


def test_another_nice_value_is_found(observation: Observation, front: int) -> None:
    _found(observation, front)
    os.setpriority(os.PRIO_PROCESS, front, 5)

    assert _found(observation, front) == (Interfered(InterferenceCause.PRIORITY, Role.FRONT),)


def test_another_scheduling_policy_is_found(observation: Observation, front: int) -> None:
    _found(observation, front)
    os.sched_setscheduler(front, os.SCHED_BATCH, os.sched_param(0))

    assert _found(observation, front) == (Interfered(InterferenceCause.SCHEDULING, Role.FRONT),)


def test_another_limit_is_found(observation: Observation, front: int) -> None:
    _found(observation, front)
    resource.prlimit(front, resource.RLIMIT_NPROC, (99, 99))

    assert _found(observation, front) == (Interfered(InterferenceCause.LIMITS, Role.FRONT),)


def test_a_stop_is_found_by_two_looks_and_the_first_asks_for_the_second_soon(
    observation: Observation, front: int
) -> None:
    _found(observation, front)
    os.kill(front, signal.SIGSTOP)
    os.waitpid(front, os.WUNTRACED)

    first = observation.look(front, 0, None, foreign=False)
    second = observation.look(front, 0, None, foreign=False)
    assert (first.interference, first.look_again) == ((), True)
    assert second.interference == (Interfered(InterferenceCause.STOPPED, Role.FRONT),)


def test_a_signal_that_the_reader_got_is_told_with_the_rest(observation: Observation, front: int) -> None:
    signalled = Interfered(InterferenceCause.SIGNAL, Role.READER, 17)

    assert observation.look(front, 0, signalled, foreign=False).interference == (signalled,)


def test_a_front_that_has_ended_is_not_judged(observation: Observation) -> None:
    with running() as front:
        _found(observation, front)

    assert _found(observation, front) == ()


@pytest.mark.parametrize(("stays", "severity"), [(True, Severity.CRITICAL), (False, None)])
def test_the_record_of_a_foreign_process_wants_somebody_if_it_stays(stays: bool, severity: Severity | None) -> None:  # noqa: FBT001 - a row of the table
    name = visible(_REDACTORS.balanced.redact(b"sh").text, 64)
    one = ForeignProcess(Finding.NOT_DESCENDED, 57, 1_234, name, 1_000, 17, "7a9086428662", 3, stays)

    event = foreign_event(one)

    assert (event.kind, event.severity) == (EventKind.FOREIGN_PROCESS, severity)
    assert (event.target_pid, event.target_start_ticks) == (57, 1_234)
    assert dict(event.facts) == {
        "finding": "NOT_DESCENDED",
        "name": "sh",
        "processes": 3,
        "uid": 1_000,
        "first_pid": 17,
        "container_id": "7a9086428662",
        "stays": stays,
    }


def test_what_is_not_known_is_not_in_the_record() -> None:
    name = visible(_REDACTORS.balanced.redact(b"sh").text, 64)

    event = foreign_event(ForeignProcess(Finding.OWN_CONTAINER, 57, 1, name, -1, 0, "", 1, stays=True))

    assert {"uid", "first_pid", "container_id"}.isdisjoint(dict(event.facts))
