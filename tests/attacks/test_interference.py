"""What an app of the agent's own user can do to it is noticed, recorded and answered by an end in order."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from running_agent import RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(300)

_SECONDS = 60.0  # 5 are promised; a loaded machine is given more


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(tmp_path) as one:
        yield one


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _pid(agent: RunningAgent, role: str) -> int:
    return {"SUPERVISOR": agent.supervisor_pid, "READER": agent.reader_pid, "FRONT": agent.front_pid}[role]


def _switches(pid: int) -> int:
    """How often a process has waited for something: the reader does for each question that it gets."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches")))


def _ends_with(agent: RunningAgent, cause: str, role: str) -> None:
    assert agent.process.wait(timeout=_SECONDS) not in {0, None}
    records = agent.records()
    (interference,) = [record for record in records if record["kind"] == "INTERFERENCE"]
    assert (interference["facts"]["cause"], interference["facts"]["role"]) == (cause, role)
    assert interference["severity"] == "CRITICAL"
    assert (records[-1]["kind"], records[-1]["facts"]) == ("AGENT_STOPPED", {"cause": "INTERFERENCE"})


@pytest.mark.slow
@pytest.mark.parametrize("role", ["SUPERVISOR", "READER", "FRONT"])
@pytest.mark.parametrize("cause", ["PRIORITY", "LIMITS", "SCHEDULING"])
def test_another_priority_limit_or_scheduling_ends_the_agent(agent: RunningAgent, cause: str, role: str) -> None:
    pid = _pid(agent, role)

    match cause:
        case "PRIORITY":
            os.setpriority(os.PRIO_PROCESS, pid, 7)
        case "LIMITS":
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (200, 200))
        case _:
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))

    _ends_with(agent, cause, role)


@pytest.mark.slow
def test_one_thread_of_the_front_is_enough(agent: RunningAgent) -> None:
    threads = [int(name) for name in os.listdir(f"/proc/{agent.front_pid}/task")]  # noqa: PTH208 - numbers
    other = max(thread for thread in threads if thread != agent.front_pid)

    os.setpriority(os.PRIO_PROCESS, other, 7)

    _ends_with(agent, "PRIORITY", "FRONT")


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one processor alone cannot be kept from anybody")
def test_being_kept_from_a_processor_that_the_others_have_ends_the_agent(agent: RunningAgent) -> None:
    os.sched_setaffinity(agent.reader_pid, {min(os.sched_getaffinity(0))})

    _ends_with(agent, "SCHEDULING", "READER")


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one processor alone cannot be taken away")
def test_processors_that_all_of_the_agent_loses_end_nothing(agent: RunningAgent) -> None:
    for pid in (agent.supervisor_pid, agent.reader_pid, agent.front_pid):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as above
            os.sched_setaffinity(int(thread), {min(os.sched_getaffinity(0))})

    # Two questions a second at the most, and every third or so is a look.
    asked = _switches(agent.reader_pid)
    _wait(lambda: _switches(agent.reader_pid) > asked + 15, "some looks")
    assert agent.process.poll() is None
    assert [record["kind"] for record in agent.records()] == ["AGENT_STARTED"]


def test_a_stopped_supervisor_is_noticed_by_the_others_and_ends_with_them(agent: RunningAgent) -> None:
    os.kill(agent.supervisor_pid, signal.SIGSTOP)

    _ends_with(agent, "STOPPED", "SUPERVISOR")


@pytest.mark.parametrize("role", ["READER", "FRONT"])
def test_a_stopped_reader_or_front_is_woken_and_ends_with_the_agent(agent: RunningAgent, role: str) -> None:
    os.kill(_pid(agent, role), signal.SIGSTOP)

    _ends_with(agent, "STOPPED", role)


def test_a_killed_reader_is_recorded(agent: RunningAgent) -> None:
    os.kill(agent.reader_pid, signal.SIGKILL)

    _ends_with(agent, "KILLED", "READER")


def test_a_killed_supervisor_is_recorded_by_the_front(agent: RunningAgent) -> None:
    os.kill(agent.supervisor_pid, signal.SIGKILL)

    _wait(lambda: agent.records()[-1]["kind"] == "AGENT_STOPPED", "the front ends")
    _ends_with(agent, "KILLED", "SUPERVISOR")
