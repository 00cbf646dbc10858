"""What comes into a pod from outside is told within seconds, and what the apps do themselves is not."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pods import APP_ID, pod_pid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pods import Pod, Sidecar

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(600)]

_SECONDS = 60.0  # 10 are promised; a loaded machine is given more
_SAME = f"{APP_ID}:{APP_ID}"
_Record = dict[str, object]


def _told(agent: Sidecar) -> list[_Record]:
    return [record for record in agent.records() if record["kind"] == "FOREIGN_PROCESS"]


def _facts(record: _Record) -> _Record:
    facts = record["facts"]
    assert isinstance(facts, dict)
    return facts


def _wait_for(agent: Sidecar, is_it: Callable[[_Record], bool]) -> _Record:
    """Waits until the agent has told of a process, and gives the record."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for record in _told(agent):
            if is_it(record):
                return record
        time.sleep(0.2)
    message = f"not told in time: {_told(agent)}"
    raise AssertionError(message)


@contextmanager
def _beside(*command: str) -> Iterator[None]:
    """Runs a command on the node for the time of a with-block."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
        try:
            yield
        finally:
            one.kill()


@pytest.fixture(scope="module")
def agent(pod: Pod) -> Sidecar:
    """An agent in a pod of an app that starts, restarts and daemonises processes of its own."""
    return pod.sidecar("watchful", 7643)


def test_a_shell_put_into_an_app_is_told(pod: Pod, agent: Sidecar) -> None:
    with _beside(*pod.engine.command, "exec", pod.main, "sh", "-c", "sleep 300; true"):
        record = _wait_for(agent, lambda one: _facts(one)["name"] == "sh")

    facts = _facts(record)
    assert (facts["finding"], facts["stays"], facts["uid"]) == ("NOT_DESCENDED", True, APP_ID)
    assert facts["first_pid"] == pod.pid(pod.main)
    assert record["severity"] == "CRITICAL"


def test_what_that_shell_runs_is_told_as_well(pod: Pod, agent: Sidecar) -> None:
    with _beside(*pod.engine.command, "exec", pod.main, "sh", "-c", "tail -f /dev/null; true"):
        record = _wait_for(agent, lambda one: _facts(one)["name"] == "tail" and _facts(one)["uid"] == APP_ID)

    assert _facts(record)["finding"] == "NOT_DESCENDED"


def test_a_program_of_the_node_that_enters_the_agents_namespaces_is_told(pod: Pod, agent: Sidecar) -> None:
    host = str(pod.engine.host_pid(agent.container))
    with _beside("nsenter", "--pid", "--net", "--target", host, "tail", "--follow", "/dev/null"):
        record = _wait_for(agent, lambda one: _facts(one)["name"] == "tail" and _facts(one)["uid"] == 0)

    assert (_facts(record)["finding"], record["severity"]) == ("NOT_DESCENDED", "CRITICAL")


def test_a_copy_of_the_interpreter_run_in_the_agents_own_container_is_told(pod: Pod, agent: Sidecar) -> None:
    # The image has no shell: its interpreter is the one program that somebody could run there.
    interpreter = pod.engine.call("inspect", "--format={{.Path}}", agent.container).strip()
    program = ("-I", "-S", "-c", "import time; time.sleep(300)")
    with _beside(*pod.engine.command, "exec", agent.container, interpreter, *program):
        record = _wait_for(agent, lambda one: _facts(one)["finding"] == "OWN_CONTAINER")

    assert record["target_pid"] != _facts(record)["first_pid"] == pod_pid(pod.engine.host_pid(agent.container))


def test_what_apps_do_themselves_is_not_told(pod: Pod, agent: Sidecar) -> None:
    known = len(_told(agent))
    daemon = "(setsid sleep 303 &); (setsid sh -c 'sleep 304 & exit 0' &); sleep 305 & exec sleep 306"
    pod.app("daemons", "sh", "-c", daemon, user=_SAME)
    restarted = pod.app("restarted", "sh", "-c", "sleep 307 & exec sleep 308", user=_SAME)
    for _ in range(3):
        pod.engine.call("restart", "--time=0", restarted)

    # Told in the order in which it comes: what is told of this program comes after all that there was to tell.
    with _beside(*pod.engine.command, "exec", restarted, "python3", "-c", "import time; time.sleep(300)"):
        _wait_for(agent, lambda one: _facts(one)["name"] == "python3" and _facts(one)["finding"] == "NOT_DESCENDED")

    assert [_facts(record)["name"] for record in _told(agent)[known:]] == ["python3"]
