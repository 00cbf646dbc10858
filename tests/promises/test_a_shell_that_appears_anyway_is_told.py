"""Promise: a shell that appears anyway is reported (in real containers: tests/container/test_foreign_processes.py).

A small pod is made of namespaces alone: a pause process, an app and the agent, each with mounts of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from leadglass_agent.views.proc_text import parse_container_id
from running_agent import RunningAgent, prepare, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS: Final = 60.0  # 10 are promised; a loaded machine is given more
_PAUSE: Final = "import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print(1, flush=True); signal.pause()"
# The app starts something itself, and says what number it has in the pod.
_APP: Final = "sleep 301 & echo $$; wait"


def _may_make_namespaces() -> bool:
    tools = shutil.which("unshare") and shutil.which("nsenter")
    # Within a container all of this would be that one container's, by its cgroup.
    is_within_one = parse_container_id(Path("/proc/self/cgroup").read_bytes()) != ""
    is_able = bool(tools) and os.geteuid() == 0 and not is_within_one
    return is_able and _succeeds("unshare", "--pid", "--fork", "--mount-proc", "true")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


pytestmark = [
    pytest.mark.skipif(not _may_make_namespaces(), reason="needs root outside of containers, unshare and nsenter"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


@dataclass(frozen=True, slots=True)
class _Pod:
    """An agent beside an app in a world of process numbers of their own; `app` is the app's number outside."""

    agent: RunningAgent
    app: int
    app_inside: int

    @contextmanager
    def put_into_the_app(self, *command: str) -> Iterator[None]:
        """Runs a program in the app's namespaces, as a runtime's exec does, for the time of a with-block."""
        enter = ("nsenter", "--pid", "--mount", "--target", str(self.app), *command)
        with subprocess.Popen(enter, stdin=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)

    def told(self) -> list[dict[str, Any]]:
        """Gives what was told of foreign processes."""
        return [record["facts"] for record in self.agent.records() if record["kind"] == "FOREIGN_PROCESS"]


@contextmanager
def _started(*command: str, **popen: Any) -> Iterator[subprocess.Popen[bytes]]:  # noqa: ANN401 - handed to Popen
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **popen)
    try:
        yield process
    finally:
        # What it has put into the pod ends with the pod's process 1, which is the last to be ended.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])


def _said(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[_Pod]:
    config, out, errors = prepare(tmp_path), tmp_path / "out", tmp_path / "err"
    with ExitStack() as stack:
        world = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        pause = stack.enter_context(_started(*world, sys.executable, "-c", _PAUSE, stdout=subprocess.PIPE))
        assert _said(pause) == "1"
        enter = ("nsenter", "--pid", "--mount", "--target", str(_child(pause.pid)), "unshare", "--mount")
        app = stack.enter_context(_started(*enter, "setsid", "sh", "-c", _APP, stdout=subprocess.PIPE))
        inside = int(_said(app))
        with out.open("wb") as out_file, errors.open("wb") as errors_file:
            program = ("setsid", sys.executable, "-m", "leadglass_agent", "--config", str(config))
            process = stack.enter_context(_started(*enter, *program, stdout=out_file, stderr=errors_file))
            ready = wait_until_listening(process, out, errors)
        yield _Pod(
            RunningAgent(tmp_path, process, ready["address"], ready["health"], tmp_path / "ca", out, errors),
            _child(app.pid),
            inside,
        )


def _wait_for(pod: _Pod, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for facts in pod.told():
            if facts["name"] == name and facts["stays"]:
                return facts
        time.sleep(0.1)
    pytest.fail(f"not told in time: {pod.told()}")


def test_a_shell_that_is_put_into_the_app_is_told_and_what_the_app_starts_is_not(pod: _Pod) -> None:
    with pod.put_into_the_app("sh", "-c", "tail -f /dev/null; true"):
        shell = _wait_for(pod, "sh")
        its_own = _wait_for(pod, "tail")

    for facts in (shell, its_own):
        assert (facts["finding"], facts["first_pid"], facts["uid"]) == ("NOT_DESCENDED", pod.app_inside, 0)
    # Another one comes after all that there was to tell.
    with pod.put_into_the_app("sleep", "302"):
        _wait_for(pod, "sleep")
    assert sorted(facts["name"] for facts in pod.told()) == ["sh", "sleep", "tail"]
