"""What the agent's own processes are refused when they try: at their start, and after a hundred thousand calls."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import agent_pb2, common_pb2, inspect_pb2
from running_agent import prepare, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

_SECONDS = 60.0
_CALLS = 100_000
_THREADS = 8
# What a shell does; every process that a caller or the app can reach is refused all of it.
_OF_A_SHELL = frozenset(
    {
        "EXEC",
        "FORK",
        "SOCKET",
        "CONNECT",
        "KILL",
        "PTRACE",
        "MEMORY",
        "CHMOD",
        "CHOWN",
        "LINK",
        "MPROTECT_EXEC",
        "MOUNT",
    }
)
_WITHOUT_CALLERS = frozenset({"FORK", "SOCKET", "CONNECT", "KILL", "MPROTECT_EXEC"})  # what the supervisor is there for


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(
        tmp_path, rewrite=lambda text: text.replace("requireSandbox: none", "requireSandbox: full")
    ) as one:
        yield one


def _needs_landlock() -> None:
    from leadglass_agent.sandbox import landlock  # noqa: PLC0415 - Linux alone has it

    if not landlock.abi():
        pytest.skip("this kernel, or what runs us, offers no Landlock")


def _look(caller: Caller) -> agent_pb2.GetSelfResponse:
    request = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=os.getpid()), paths=["/"])
    assert not caller.call(caller.inspect.StatFiles, request).files[0].unavailable  # so that there is a file worker
    return caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest(attempt_forbidden=True))


def _assert_refused(report: agent_pb2.GetSelfResponse) -> None:
    roles = {
        agent_pb2.AgentProcessRole.Name(process.role).removeprefix("AGENT_PROCESS_ROLE_")
        for process in report.processes
    }
    assert roles == {"SUPERVISOR", "READER", "FRONT", "FILE_WORKER"}
    for process in report.processes:
        tried = {attempt.attempt: attempt for attempt in process.attempts}
        went_through = {name: one.error_name for name, one in tried.items() if one.forbidden and not one.refused}
        assert went_through == {}, process.role
        spared = _WITHOUT_CALLERS if process.role == agent_pb2.AGENT_PROCESS_ROLE_SUPERVISOR else frozenset()
        assert {name for name, one in tried.items() if one.refused} >= _OF_A_SHELL - spared
        assert process.sandbox_level == agent_pb2.SANDBOX_LEVEL_FULL
        assert process.threads_filtered == process.threads
        assert process.no_new_privs
        assert not process.dumpable


def test_every_process_is_refused_what_a_shell_does(agent: RunningAgent) -> None:
    _needs_landlock()
    _assert_refused(_look(agent.caller()))
    started = agent.records()[0]["facts"]
    for role in ("supervisor", "reader", "front"):
        assert started[f"{role}.sandbox_level"] == "FULL"
        assert started[f"{role}.threads_filtered"] == started[f"{role}.threads"]
    assert started["front.landlock_abi"] >= 1
    assert started["reader.landlock_abi"] == 0  # inside of a domain nobody could read the environment of others


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_process_is_refused_it_after_a_hundred_thousand_calls(agent: RunningAgent) -> None:
    _needs_landlock()
    caller, stranger = agent.caller(), agent.caller("mallory", session=False)

    def ask(count: int) -> None:
        for _ in range(count):
            with pytest.raises(grpc.RpcError):
                stranger.call(stranger.agent.GetSelf, agent_pb2.GetSelfRequest())

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(ask, [_CALLS // _THREADS] * _THREADS))
    _assert_refused(_look(caller))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("requireSandbox: none", "requireSandbox is full"),
        ("requireOneWayGlass: false", "set requireOneWayGlass to false"),
    ],
)
def test_an_agent_that_gets_less_than_is_required_says_so_in_one_line_and_does_not_start(
    tmp_path: Path, key: str, said: str
) -> None:
    config = prepare(tmp_path)
    # Without the keys the tier decides: production asks for everything.
    config.write_text(config.read_text().replace(f"  {key}\n", ""))
    program = [sys.executable, "-c", _WITHOUT_LANDLOCK, "--config", str(config)]
    done = subprocess.run(program, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("leadglass-agent: ")
    assert said in line


# A container runtime whose profile does not know Landlock answers as a kernel without it; so does a filter of ours.
_WITHOUT_LANDLOCK = """
import ctypes, errno, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
LOAD, JUMP, ANSWER = 0x20, 0x35, 0x06
steps = [(LOAD, 0, 0, 0), (JUMP, 0, 2, 444), (JUMP, 1, 0, 447)]
steps += [(ANSWER, 0, 0, 0x00050000 | errno.ENOSYS), (ANSWER, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("=HBBI", *step) for step in steps)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
sys.argv[0] = "leadglass-agent"
from leadglass_agent.__main__ import main
sys.exit(main())
"""
