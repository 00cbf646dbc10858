"""Nobody reads the agent's own key, log or configuration by naming its reader as the process to look into."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(tmp_path) as one:
        yield one


def test_the_reader_s_own_files_are_kept_from_every_caller(agent: RunningAgent) -> None:
    caller = agent.caller()
    reader = common_pb2.ProcessRef(pid=agent.reader_pid)
    log = str(agent.audit_log)

    described = caller.call(caller.inspect.StatFiles, inspect_pb2.StatFilesRequest(process=reader, paths=[log]))
    listing = inspect_pb2.ListDirectoryRequest(process=reader, path=str(agent.audit_log.parent))
    listed = caller.call(caller.inspect.ListDirectory, listing)

    assert [file.unavailable for file in described.files] == [common_pb2.UNAVAILABLE_REASON_NOT_DUMPABLE]
    assert (list(listed.entries), listed.unavailable) == ([], common_pb2.UNAVAILABLE_REASON_NOT_DUMPABLE)


def test_the_same_question_about_another_process_is_answered(agent: RunningAgent) -> None:
    caller = agent.caller()
    test = common_pb2.ProcessRef(pid=os.getpid())
    asked = inspect_pb2.StatFilesRequest(process=test, paths=[str(agent.audit_log)])

    (file,) = caller.call(caller.inspect.StatFiles, asked).files

    assert not file.unavailable
    assert file.size_bytes
