"""Promise: a file system that hangs costs the answers about it, not the agent (see test_hostile_file_systems_*.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

import faulty_fs
from leadglass.v1 import common_pb2, inspect_pb2
from looking import Looker, reason
from running_agent import running_agent
from sample_processes import running

pytestmark = [
    pytest.mark.fuse,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse"),
]

_LOOKS: Final = 3


def test_what_hangs_is_timed_out_and_everything_else_is_answered(tmp_path: Path) -> None:
    hung, sound, home = tmp_path / "hung", tmp_path / "sound", tmp_path / "agent"
    for folder in (hung, home):
        folder.mkdir()
    sound.write_text("sound\n")
    with (
        running_agent(home) as agent,
        faulty_fs.mounted(hung) as file_system,
        running(environment={"APP_NAME": "shop"}) as pid,
    ):
        caller = agent.caller()
        looker = Looker(caller, pid)
        (hung / "file").write_text("here\n")
        assert looker.stat(f"{hung}/file")[0].size_bytes == len("here\n")  # while it answers, so does the agent

        file_system.silent = True
        for _ in range(_LOOKS):
            assert reason(looker.stat(f"{hung}/file")[0].unavailable) == "TIMED_OUT"
            # Neither the other views nor the next file of the same process wait for it.
            names = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=pid))
            shown = caller.call(caller.inspect.ListEnvironment, names).variables
            assert [variable.name.text for variable in shown] == ["APP_NAME"]
            assert looker.stat(str(sound))[0].size_bytes == len("sound\n")
        assert agent.process.poll() is None
