"""Promise: the app cannot look into the agent: no file, no memory, no keys of it (races: test_one_way_glass.py)."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from execute_only import USER, Interpreters, interpreters, open_ground
from running_agent import RunningAgent, prepare, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="root alone makes an interpreter that its user cannot read"),
    pytest.mark.timeout(300),
]

_SECONDS: Final = 60.0
# What a program of the same user tries of another one. Its answer is what it got.
_LOOKING: Final = """
import json, os, sys
got = {}
for pid in sys.argv[1:]:
    got[pid] = []
    for name in ("environ", "maps", "smaps", "auxv", "mem", "io", "stack", "syscall", "personality", "pagemap"):
        try:
            with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
                name == "mem" or file.read(1)
        except OSError:
            continue
        got[pid].append(name)
    for name in ("fd", "root/etc", "cwd/", "map_files", "ns/user"):
        try:
            os.readlink(f"/proc/{pid}/{name}") if name == "ns/user" else os.listdir(f"/proc/{pid}/{name}")
        except OSError:
            continue
        got[pid].append(name)
print(json.dumps(got))
"""


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with open_ground() as folder:
        yield folder


@pytest.fixture(scope="module")
def copies(ground: Path) -> Interpreters:
    return interpreters(ground / "python")


@contextmanager
def _agent(copies: Interpreters, folder: Path) -> Iterator[RunningAgent]:
    """Runs an agent as the other user, under an interpreter that only the kernel may read."""
    folder.mkdir()
    config = prepare(folder)
    text = config.read_text().replace("unsafeRunAsRoot: true", "unsafeRunAsRoot: false")
    config.write_text(text.replace("requireOneWayGlass: false", "requireOneWayGlass: true"))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)
    out, errors = folder / "out", folder / "err"
    with out.open("wb") as out_file, errors.open("wb") as errors_file:
        process = subprocess.Popen(
            [str(copies.sealed), "-I", "-m", "leadglass_agent", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=errors_file,
            env=copies.environment(),
            user=USER,
            group=USER,
            extra_groups=(),
            cwd="/",
        )
    try:
        ready = wait_until_listening(process, out, errors)
        yield RunningAgent(folder, process, ready["address"], ready["health"], folder / "ca", out, errors)
        process.terminate()
        process.wait(timeout=_SECONDS)
    finally:
        process.kill()
        process.wait()


def _got(copies: Interpreters, *pids: int) -> dict[str, list[str]]:
    looking = copies.popen(copies.readable, "-c", _LOOKING, *map(str, pids))
    got: dict[str, list[str]] = json.loads(looking.communicate(timeout=_SECONDS)[0])
    return got


def test_a_program_of_the_same_user_gets_nothing_of_any_process_of_the_agent(
    copies: Interpreters, ground: Path
) -> None:
    with _agent(copies, ground / "agent") as agent:
        pids = (agent.supervisor_pid, agent.reader_pid, agent.front_pid)
        assert _got(copies, *pids) == {str(pid): [] for pid in pids}


def test_the_same_program_gets_everything_of_an_ordinary_one(copies: Interpreters) -> None:
    other = copies.popen(copies.readable, "-c", "import sys; print(1, flush=True); sys.stdin.read()")
    assert other.stdout is not None
    assert other.stdout.readline() == b"1\n"
    got = set(_got(copies, other.pid)[str(other.pid)])
    other.communicate(timeout=_SECONDS)
    assert got >= {"environ", "maps", "mem", "fd", "root/etc", "cwd/", "ns/user"}
