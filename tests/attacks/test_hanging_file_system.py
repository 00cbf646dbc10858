"""A file system that never answers costs a file worker and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import faulty_fs
from leadglass.v1 import common_pb2, inspect_pb2
from looking import held
from running_agent import running_agent

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.fuse,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse"),
]

_TIMED_OUT = common_pb2.UNAVAILABLE_REASON_TIMED_OUT


def _within_seconds(seconds: int, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_paths_on_it_answer_timed_out_while_other_views_and_paths_go_on(tmp_path: Path) -> None:
    hung = tmp_path / "hung"
    hung.mkdir()
    (tmp_path / "agent").mkdir()
    with (
        running_agent(tmp_path / "agent") as agent,
        faulty_fs.mounted(hung) as file_system,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as app,
    ):
        caller = agent.caller()
        target = common_pb2.ProcessRef(pid=app.pid)
        others = held(agent.process.pid).processes
        sound = inspect_pb2.StatFilesRequest(process=target, paths=["/etc/passwd"])
        assert caller.call(caller.inspect.StatFiles, sound).files[0].size_bytes > 0

        file_system.silent = True
        request = inspect_pb2.StatFilesRequest(process=target, paths=[f"{hung}/a", "/etc/passwd"])
        waiting = caller.inspect.StatFiles.future(
            request,
            timeout=10,
            metadata=(("leadglass-session", caller.session_id),),
        )
        while_it_hangs = caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[app.pid]))
        assert not waiting.done()
        assert [row.ref.pid for row in while_it_hangs.processes] == [app.pid]
        assert [row.unavailable for row in waiting.result().files] == [_TIMED_OUT, _TIMED_OUT]

        text = inspect_pb2.ReadTextRequest(process=target, path=f"{hung}/app.log")
        metadata = (("leadglass-session", caller.session_id),)
        (message,) = caller.inspect.ReadText(text, timeout=10, metadata=metadata)
        assert (message.end, message.unavailable) == (inspect_pb2.TEXT_END_UNAVAILABLE, _TIMED_OUT)
        listing = inspect_pb2.ListDirectoryRequest(process=target, path=str(hung))
        for _ in range(3):
            assert caller.call(caller.inspect.ListDirectory, listing).unavailable == _TIMED_OUT

        # Five workers of this root are held by the kernel now; another is not spent on it.
        assert caller.call(caller.inspect.StatFiles, sound).files[0].unavailable == _TIMED_OUT
        assert held(agent.process.pid).processes == others + 5
        environment = inspect_pb2.ListEnvironmentRequest(process=target, names=["PATH"])
        assert caller.call(caller.inspect.ListEnvironment, environment).variables[0].name.text == "PATH"

        faulty_fs.unmount(hung)
        assert _within_seconds(10, lambda: caller.call(caller.inspect.StatFiles, sound).files[0].size_bytes > 0)
        app.communicate(b"\n")
