"""The sidecar ends when it is told to, and as a whole when one of its processes is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pods import pod_pid, status_line

if TYPE_CHECKING:
    from pods import Pod, Sidecar

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

_END_SECONDS = 30.0


def _family(agent: Sidecar) -> dict[str, int]:
    """The agent's lasting processes on the host: the supervisor, the container's first, and two that it forked."""
    supervisor = agent.engine.host_pid(agent.container)
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split()
    inside = {pod_pid(child): child for child in map(int, children)}
    facts = agent.records()[0]["facts"]
    assert isinstance(facts, dict)
    forked = {role: inside[int(facts[f"{role.lower()}.pid"])] for role in ("READER", "FRONT")}
    return {"SUPERVISOR": supervisor, **forked}


def _alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected, by an app that is no init, does not."""
    try:
        return status_line(pid, "State")[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("killed", "port"), [("FRONT", 7543), ("READER", 7553)])
def test_the_container_ends_when_one_of_the_agents_processes_is_killed(pod: Pod, killed: str, port: int) -> None:
    agent = pod.sidecar(f"killed-{killed.lower()}", port)
    family = _family(agent)

    os.kill(family[killed], signal.SIGKILL)

    assert agent.engine.wait(agent.container, _END_SECONDS) != 0
    deadline = time.monotonic() + _END_SECONDS
    while (left := [role for role, pid in family.items() if _alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def test_the_front_records_that_it_lost_the_reader(pod: Pod) -> None:
    agent = pod.sidecar("reader-lost", 7593)

    os.kill(_family(agent)["READER"], signal.SIGKILL)

    agent.engine.wait(agent.container, _END_SECONDS)
    deadline = time.monotonic() + _END_SECONDS
    while (last := agent.records()[-1])["kind"] != "AGENT_STOPPED" and time.monotonic() < deadline:
        time.sleep(0.1)
    # The supervisor says that it was killed, the channel to it ends: whichever the front hears first is the cause.
    assert last["kind"] == "AGENT_STOPPED"
    assert last["facts"] in ({"cause": "INTERFERENCE"}, {"cause": "READER_LOST"})


def test_a_stopped_agent_says_so_in_its_audit_log_and_exits_0(pod: Pod) -> None:
    agent = pod.sidecar("stopped", 7563)

    pod.engine.call("stop", "--time=20", agent.container)

    assert agent.engine.wait(agent.container, _END_SECONDS) == 0
    assert [record["kind"] for record in agent.records()][-1] == "AGENT_STOPPED"


def test_the_agent_lives_in_the_process_numbers_of_the_pod(pod: Pod) -> None:
    agent = pod.sidecar("numbers", 7573)
    family = _family(agent)

    namespaces = {Path(f"/proc/{pid}/ns/pid").readlink() for pid in (*family.values(), pod.engine.host_pid(pod.main))}
    assert len(namespaces) == 1
    assert all(pod_pid(pid) != pid for pid in family.values())
    assert status_line(family["READER"], "CapPrm").strip("0") == ""


def test_a_configuration_with_an_unknown_key_is_refused_with_its_place(pod: Pod) -> None:
    agent = pod.sidecar("checked", 7583)
    settings = pod.folder / "checked-etc"
    with (settings / "agent.yaml").open("a", encoding="ascii") as file:
        file.write("  shell: true\n")

    pod.engine.call("restart", "--time=20", agent.container)

    assert agent.engine.wait(agent.container, _END_SECONDS) == 2
    assert b"/etc/leadglass/agent.yaml:16:3: " in agent.output()
