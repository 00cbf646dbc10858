"""Promise: the kernel refuses to every process of the agent what a shell does, and each tries it before it serves."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from leadglass_agent.sandbox import landlock
from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch
from leadglass_cli import Home, flags
from running_agent import SERVER_NAME, prepare, running_agent

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 60.0
_ARCH: Final = this_arch()
_WHAT_A_SHELL_DOES: Final = frozenset({"EXEC", "PTRACE", "MEMORY", "CHMOD", "CHOWN", "LINK", "MOUNT", "SETUID"})
_OF_THE_SUPERVISOR: Final = frozenset({"FORK", "SOCKET", "CONNECT", "KILL"})  # what it does for the others

pytestmark = pytest.mark.skipif(_ARCH is None, reason="no filter is written for this architecture")


@pytest.mark.skipif(not landlock.abi(), reason="this kernel, or what runs us, offers no Landlock")
def test_everybody_may_see_each_process_try_and_be_refused(tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    with running_agent(
        tmp_path / "agent", rewrite=lambda text: text.replace("requireSandbox: none", "requireSandbox: full")
    ) as agent:
        caller = agent.caller()
        target = flags(agent.address, agent.client(), SERVER_NAME)
        options = ("--session", caller.session_id, "self", "--attempt", "-o", "json")
        done = Home(tmp_path).run(*target, *options)
        assert done.code == 0, done.err

    processes = {process["role"]: process for process in json.loads(done.out)["processes"]}
    assert processes.keys() >= {"SUPERVISOR", "READER", "FRONT"}
    for role, process in processes.items():
        refused = {one["attempt"] for one in process["attempts"] if one["refused"]}
        wanted = _WHAT_A_SHELL_DOES | (frozenset() if role == "SUPERVISOR" else _OF_THE_SUPERVISOR)
        assert refused >= wanted, role
        assert process["sandbox_level"] == "FULL"


@pytest.mark.parametrize(
    ("answer", "starts"),
    [
        pytest.param(0, False, id="a kernel that says yes and filters nothing"),
        pytest.param(errno.ENOSYS, True, id="a kernel without filters"),
    ],
)
def test_an_agent_that_finds_itself_unconfined_against_the_kernels_word_does_not_start(
    tmp_path: Path, answer: int, *, starts: bool
) -> None:
    """What is required is `none`: an attempt that went through ends the start, whatever is required."""
    assert _ARCH is not None
    config = prepare(tmp_path)
    assert "requireSandbox: none" in config.read_text()
    program = _UNDER_A_FILTER.format(number=NUMBERS[_ARCH]["seccomp"], answer=answer)
    with subprocess.Popen(
        [sys.executable, "-c", program, "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as agent:
        assert agent.stdout is not None
        assert agent.stderr is not None
        listens = any(b'"listening"' in line for line in iter(agent.stdout.readline, b""))  # up to then, or to its end
        agent.terminate()
        said = agent.stderr.read().decode()
        status = agent.wait(timeout=_SECONDS)
    assert listens is starts, said
    if not starts:
        assert status == 2
        assert "the sandbox did not refuse it" in said


# Answers seccomp(2) in the kernel's place, without doing it.
_UNDER_A_FILTER: Final = """
import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, {number}), (0x06, 0, 0, 0x00050000 | {answer}), (0x06, 0, 0, 0x7FFF0000)]
buffer = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
program = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
sys.argv[0] = "leadglass-agent"
from leadglass_agent.__main__ import main
sys.exit(main())
"""
