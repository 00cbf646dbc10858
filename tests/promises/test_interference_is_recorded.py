"""Promise: who signals, slows or limits the agent is recorded, and the agent ends (more in test_interference.py)."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from expecting import refusal
from leadglass.v1 import inspect_pb2
from running_agent import RunningAgent, running_again, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

_LISTING: Final = inspect_pb2.ListProcessesRequest(page_size=1)
_SECONDS: Final = 60.0  # 5 are promised; a loaded machine is given more


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(tmp_path) as one:
        yield one


def _interference(agent: RunningAgent) -> dict[str, object]:
    """Waits for the agent's end; gives what it recorded of its reason."""
    assert agent.process.wait(timeout=_SECONDS) not in {0, None}
    *_, interference, last = agent.records()
    assert (interference["kind"], interference["severity"]) == ("INTERFERENCE", "CRITICAL")
    assert (last["kind"], last["facts"]) == ("AGENT_STOPPED", {"cause": "INTERFERENCE"})
    facts = interference["facts"]
    assert isinstance(facts, dict)
    return facts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_of_a_neighbour_is_recorded_with_who_sent_it_and_ends_the_agent(
    agent: RunningAgent, number: signal.Signals
) -> None:
    caller = agent.caller()
    shell = ("sh", "-c", f"kill -{int(number)} {agent.supervisor_pid}; echo $$")
    sender = int(subprocess.run(shell, capture_output=True, check=True, timeout=_SECONDS).stdout)

    assert _interference(agent) == {"cause": "SIGNAL", "role": "SUPERVISOR", "by_pid": sender}
    with running_again(agent.folder) as next_one:  # as the kubelet does
        same = next_one.caller(session=False)
        same.session_id = caller.session_id
        assert refusal(lambda: same.call(same.inspect.ListProcesses, _LISTING)) == "SESSION_UNKNOWN"


@pytest.mark.parametrize(
    ("cause", "interfere"),
    [
        ("PRIORITY", lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 7)),
        ("LIMITS", lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (200, 200))),
        ("STOPPED", lambda pid: os.kill(pid, signal.SIGSTOP)),
    ],
)
def test_who_slows_limits_or_stops_the_agent_is_recorded_and_ends_it(
    agent: RunningAgent, cause: str, interfere: Callable[[int], object]
) -> None:
    interfere(agent.reader_pid)

    facts = _interference(agent)
    assert (facts["cause"], facts["role"]) == (cause, "READER")


def test_its_runtime_ends_it_in_order(agent: RunningAgent) -> None:
    """Otherwise every rollout would be interference, and the first test would prove nothing."""
    assert agent.stop() == 0
    assert (agent.records()[-1]["kind"], agent.records()[-1]["facts"]) == ("AGENT_STOPPED", {"cause": "SIGTERM"})
