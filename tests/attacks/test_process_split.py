"""The agent's processes: what each never holds, how each ends, and that a lost or hung one takes no answer with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import access_pb2, agent_pb2, common_pb2, inspect_pb2
from planted_secrets import plant
from running_agent import RunningAgent, reason_of, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running_agent import Caller

_needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="an ordinary user cannot look into the agent: it is not dumpable"
)
_SECONDS = 20.0
_LARGEST_REGION = 512 * 1024 * 1024


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """An agent for the tests that leave it as it was."""
    with running_agent(tmp_path_factory.mktemp("agent")) as one:
        yield one


def _ref(pid: int) -> common_pb2.ProcessRef:
    return common_pb2.ProcessRef(pid=pid)


def _stat(caller: Caller, pid: int, path: str = "/") -> inspect_pb2.FileMetadata:
    request = inspect_pb2.StatFilesRequest(process=_ref(pid), paths=[path])
    return caller.call(caller.inspect.StatFiles, request).files[0]


def _wait_until_gone(*pids: int) -> None:
    """Waits until none of the processes runs; a zombie that nobody collects runs no more."""
    deadline = time.monotonic() + _SECONDS
    for pid in pids:
        while True:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                break
            if state in "ZX":
                break
            assert time.monotonic() < deadline, f"process {pid} still runs"
            time.sleep(0.02)


def _memory(pid: int) -> Iterator[bytes]:
    """Reads everything that a process holds in memory."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if rights.startswith("r") and end - start <= _LARGEST_REGION and "[v" not in line:
                memory.seek(start)
                yield memory.read(end - start)


@_needs_root
def test_the_front_never_holds_a_value_of_the_app(agent: RunningAgent, tmp_path: Path) -> None:
    planted = plant("environment", "argument", "file")
    (tmp_path / "settings").write_text(planted["file"])
    environment = {"API_TOKEN": planted["environment"], "LANG": "C.UTF-8"}
    with running("--password", planted["argument"], environment=environment) as pid:
        caller = agent.caller()
        listed = caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
        assert any("[redacted:" in argument.text for argument in listed.processes[0].arguments)
        for names in ((), ("API_TOKEN",)):
            request = inspect_pb2.ListEnvironmentRequest(process=_ref(pid), names=names)
            shown = caller.call(caller.inspect.ListEnvironment, request)
            assert inspect_pb2.PRESENCE_PRESENT in {variable.presence for variable in shown.variables}
        assert _stat(caller, pid, str(tmp_path / "settings")).size_bytes == len(planted["file"])
        folder = inspect_pb2.ListDirectoryRequest(process=_ref(pid), path=str(tmp_path))
        assert caller.call(caller.inspect.ListDirectory, folder).entries
        found = False
        for region in _memory(agent.front_pid):
            assert planted.leaks(region) == ()
            found = found or caller.session_id.encode() in region
        assert found, "the search does not find what the front does hold"


@pytest.mark.parametrize("victim", ["front", "reader", "supervisor"])
def test_the_agent_ends_as_a_whole_when_a_part_is_killed(agent: RunningAgent, victim: str) -> None:
    caller = agent.caller()
    _stat(caller, os.getpid())
    pids = (agent.supervisor_pid, agent.reader_pid, agent.front_pid, *agent.worker_pids())
    assert len(pids) == 4
    parts = {"front": agent.front_pid, "reader": agent.reader_pid, "supervisor": agent.supervisor_pid}
    os.kill(parts[victim], signal.SIGKILL)
    assert agent.process.wait(timeout=_SECONDS) != 0
    if victim == "front":
        assert "the front ended by itself (signal 9)" in agent.errors.read_text()
    _wait_until_gone(*pids)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_front_s_record_says_that_somebody_killed_the_reader(agent: RunningAgent) -> None:
    os.kill(agent.reader_pid, signal.SIGKILL)
    assert agent.process.wait(timeout=_SECONDS) == 1
    done, last = agent.records()[-2:]
    assert (done["kind"], done["facts"]) == ("INTERFERENCE", {"cause": "KILLED", "role": "READER", "by_pid": 0})
    assert (last["kind"], last["facts"]) == ("AGENT_STOPPED", {"cause": "INTERFERENCE"})


def test_the_front_s_record_says_that_the_supervisor_was_lost(agent: RunningAgent) -> None:
    front = agent.front_pid
    os.kill(agent.supervisor_pid, signal.SIGKILL)
    agent.process.wait(timeout=_SECONDS)
    _wait_until_gone(front)
    *_, done, last = agent.records()
    assert (done["kind"], done["facts"]) == ("INTERFERENCE", {"cause": "KILLED", "role": "SUPERVISOR", "by_pid": 0})
    assert (last["kind"], last["facts"]) == ("AGENT_STOPPED", {"cause": "INTERFERENCE"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_to_stop_ends_everything_in_order(agent: RunningAgent, number: signal.Signals) -> None:
    caller = agent.caller()
    _stat(caller, os.getpid())
    pids = (agent.supervisor_pid, agent.reader_pid, agent.front_pid, *agent.worker_pids())
    agent.process.send_signal(number)
    assert agent.process.wait(timeout=_SECONDS) == 0
    _wait_until_gone(*pids)
    last = agent.records()[-1]
    assert (last["kind"], last["facts"]) == ("AGENT_STOPPED", {"cause": "SIGTERM"})
    assert agent.errors.read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=lambda number: number.name)
def test_a_file_worker_that_hangs_or_dies_costs_one_answer_at_most(
    shared: RunningAgent, number: signal.Signals
) -> None:
    caller = shared.caller()
    assert not _stat(caller, os.getpid()).unavailable
    (worker,) = shared.worker_pids()
    os.kill(worker, number)
    if number is signal.SIGSTOP:
        assert _stat(caller, os.getpid()).unavailable == common_pb2.UNAVAILABLE_REASON_TIMED_OUT
    _wait_until_gone(worker)
    assert not _stat(caller, os.getpid()).unavailable
    assert shared.worker_pids() != (worker,)
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_a_stopped_file_worker_does_not_hold_up_the_reader(shared: RunningAgent) -> None:
    caller = shared.caller()
    _stat(caller, os.getpid())
    (worker,) = shared.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    request = inspect_pb2.StatFilesRequest(process=_ref(os.getpid()), paths=["/"])
    waiting = caller.inspect.StatFiles.future(
        request, timeout=_SECONDS, metadata=(("leadglass-session", caller.session_id),)
    )
    listed = caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1))
    assert listed.processes
    assert not waiting.done()
    assert waiting.result().files[0].unavailable == common_pb2.UNAVAILABLE_REASON_TIMED_OUT
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_the_largest_request_for_files_is_answered(shared: RunningAgent, tmp_path: Path) -> None:
    caller = shared.caller()
    paths = [f"{tmp_path}/{'/'.join(['x' * 200] * 19)}/{number}" for number in range(33)]
    request = inspect_pb2.StatFilesRequest(process=_ref(os.getpid()), paths=paths)
    # A Unix socket's buffer takes some 208 KiB by default; below it one frame always fits.
    assert 120_000 < request.ByteSize() < 128 * 1024
    answer = caller.call(caller.inspect.StatFiles, request)
    assert {file.unavailable for file in answer.files} == {common_pb2.UNAVAILABLE_REASON_NOT_FOUND}
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_five_thousand_variables_come_page_by_page_each_once(shared: RunningAgent) -> None:
    caller = shared.caller()
    expected = [f"VARIABLE_{number:05}" for number in range(5_000)]
    with running(environment=dict.fromkeys(expected, "x")) as pid:
        names: list[str] = []
        token = ""
        while True:
            page = caller.call(
                caller.inspect.ListEnvironment,
                inspect_pb2.ListEnvironmentRequest(process=_ref(pid), page_size=1_000, page_token=token),
            )
            assert len(page.variables) <= 1_000
            names += [variable.name.text for variable in page.variables]
            token = page.next_page_token
            if not token:
                break
    assert [name for name in names if name.startswith("VARIABLE_")] == expected
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_five_thousand_files_come_page_by_page_each_once(shared: RunningAgent, tmp_path: Path) -> None:
    caller = shared.caller()
    expected = [f"{number:05}" for number in range(5_000)]
    for name in expected:
        (tmp_path / name).touch()
    names: list[str] = []
    token = ""
    while True:
        page = caller.call(
            caller.inspect.ListDirectory,
            inspect_pb2.ListDirectoryRequest(
                process=_ref(os.getpid()), path=str(tmp_path), page_size=1_000, page_token=token
            ),
        )
        assert len(page.entries) <= 1_000
        names += [entry.name.text for entry in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert names == expected
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_a_process_that_ended_is_not_found(shared: RunningAgent) -> None:
    caller = shared.caller()
    with running() as pid:
        listed = caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
        ref = listed.processes[0].ref
    other = common_pb2.ProcessRef(pid=os.getpid(), start_ticks=1)  # our number, of another time
    for gone in (ref, other):
        questions = (
            lambda gone=gone: caller.call(
                caller.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=gone)
            ),
            lambda gone=gone: caller.call(
                caller.inspect.StatFiles, inspect_pb2.StatFilesRequest(process=gone, paths=["/"])
            ),
            lambda gone=gone: caller.call(
                caller.inspect.ListDirectory, inspect_pb2.ListDirectoryRequest(process=gone, path="/")
            ),
        )
        for ask in questions:
            with pytest.raises(grpc.RpcError) as caught:
                ask()
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert reason_of(caught.value) == "PROCESS_NOT_FOUND"
    caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=caller.session_id))


def test_the_reader_s_code_imports_nothing_of_the_wire() -> None:
    program = (
        "import sys, leadglass_agent.__main__, leadglass_agent.processes.supervisor;"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'grpc', 'google', 'leadglass'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=_SECONDS)
    assert done.stdout == b"[]\n"


@_needs_root
def test_only_the_front_has_grpc_loaded_and_sockets_of_the_network_open(shared: RunningAgent) -> None:
    _stat(shared.caller(), os.getpid())
    loaded = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in (shared.front_pid, shared.reader_pid)}
    assert "cygrpc" in loaded[shared.front_pid]
    assert "cygrpc" not in loaded[shared.reader_pid]
    network = _inodes(*(Path(f"/proc/{shared.reader_pid}/net/{name}").read_text() for name in ("tcp", "tcp6")))
    assert _sockets(shared.front_pid) & network
    for pid in (shared.reader_pid, *shared.worker_pids()):
        assert not _sockets(pid) & network


def _inodes(*tables: str) -> set[str]:
    return {line.split()[9] for table in tables for line in table.splitlines()[1:]}


def _sockets(pid: int) -> set[str]:
    links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}
