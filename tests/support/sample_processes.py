"""Processes to look at: real ones that wait, copies under other users, and ones laid out on disk as /proc is."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.policy.model import ProcessSelector, RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME = 4, 8, 15  # linux/prctl.h
CLONE_NEWUSER = 0x10000000  # linux/sched.h

LIBC = ctypes.CDLL(None, use_errno=True)
EVERYTHING = Scope(permits=(ScopeRule(RuleId("all")),))
EVERY_PATH = Scope(permits=(ScopeRule(RuleId("all"), paths=("/**",)),))
EVERY_NAME = Scope(permits=(ScopeRule(RuleId("all"), names=("*",)),))


def paths_scope(*patterns: str, forbidden: tuple[str, ...] = ()) -> Scope:
    """Makes a scope that admits these paths but for the forbidden ones."""
    forbids = (ScopeRule(RuleId("no"), paths=forbidden),) if forbidden else ()
    return Scope(permits=(ScopeRule(RuleId("yes"), paths=patterns),), forbids=forbids)


def names_scope(*patterns: str) -> Scope:
    """Makes a scope that admits these names."""
    return Scope(permits=(ScopeRule(RuleId("yes"), names=patterns),))


def processes_named(*patterns: str) -> Scope:
    """Makes a scope that admits the processes of these names, and everything of them."""
    return Scope(permits=(ScopeRule(RuleId("yes"), processes=(ProcessSelector(names=patterns),)),))


@contextmanager
def running(
    *arguments: bytes | str,
    script: str = "",
    environment: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
) -> Iterator[int]:
    """Runs a Python program that does `script` and then waits, for the time of a with-block; gives its number.

    It ends by itself when the test does, since its standard input ends then.
    """
    program = f"import os, sys\n{script}\nprint(1, flush=True)\nsys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment if environment is not None else {"LANG": "C.UTF-8"},
    )
    try:
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            yield process.pid
            process.kill()
    finally:
        process.kill()


@contextmanager
def forked(prepare: Callable[[], None]) -> Iterator[int]:
    """Runs a copy of the test that prepares itself and then waits; gives its number."""
    ready, says_ready = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prepare()
            os.write(says_ready, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(says_ready)
    try:
        with os.fdopen(ready, "rb") as end:
            assert end.read(1) == b"1", "the copy could not prepare itself"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def answer_of(compute: Callable[[], object]) -> object:
    """Computes in a copy of the test, which may give up its rights for that, and brings the answer back as JSON."""
    answer, says_answer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(says_answer, json.dumps(compute()).encode())
        finally:
            os._exit(0)
    os.close(says_answer)
    with os.fdopen(answer, "rb") as end:
        text = end.read()
    os.waitpid(child, 0)
    value: object = json.loads(text)
    return value


def become(uid: int, gid: int, *, keep_capabilities: bool = False, dumpable: bool = True) -> None:
    """Turns this process into one of another user, as a container runtime does."""
    LIBC.prctl(PR_SET_KEEPCAPS, int(keep_capabilities), 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    LIBC.prctl(PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OnDisk:
    """One process of a pod that is laid out on disk."""

    pid: int
    parent: int = 0
    name: bytes = b"app"
    state: str = "S"
    flags: int = 0
    start_ticks: int = 100
    arguments: bytes = b"app\0"
    environment: bytes = b""
    executable: str = "/bin/app"


def stat_line(process: OnDisk) -> bytes:
    """Writes the text of /proc/PID/stat, with the numbers that nothing looks at as 0."""
    times = f"7 5 0 0 20 0 3 0 {process.start_ticks}"
    head = f"{process.state} {process.parent} 0 0 0 -1 {process.flags} 0 0 0 0 {times} 4096 2"
    return b"%d (%s) %s %s\n" % (process.pid, process.name, head.encode(), b" ".join([b"0"] * 28))


def lay_out(folder: Path, *processes: OnDisk) -> str:
    """Writes a /proc with these processes into a folder and gives its path."""
    own = folder / "self"
    own.mkdir(parents=True)
    (own / "status").write_bytes(_status(1))
    (own / "mountinfo").write_bytes(b"")
    (own / "uid_map").write_bytes(b"0 0 4294967295\n")
    (folder / "stat").write_bytes(b"cpu 0\nbtime 1000\n")
    for process in processes:
        directory = folder / str(process.pid)
        directory.mkdir()
        (directory / "stat").write_bytes(stat_line(process))
        (directory / "status").write_bytes(_status(process.pid))
        (directory / "cmdline").write_bytes(process.arguments)
        (directory / "environ").write_bytes(process.environment)
        (directory / "uid_map").write_bytes(b"0 0 4294967295\n")
        (directory / "exe").symlink_to(process.executable)
    return str(folder)


def _status(pid: int) -> bytes:
    return b"Name:\tapp\nTgid:\t%d\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nCapPrm:\t0\nCapEff:\t0\n" % pid
