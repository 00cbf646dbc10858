"""Runs the supervisor's short-lived processes for a reader that has no supervisor: file workers and sealers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.processes.spawning import Spawner

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 20.0
_NOBODY = 65_534
_PROGRAM = """
import os, resource, select, socket, sys
from leadglass_agent.processes.children import Children, Common
from leadglass_agent.sandbox.posture import SandboxLevel, harden
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors

own, user = os.getpid(), int(sys.argv[3])
if user != os.getuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
harden()
if sys.argv[2] == "unredacted":
    from no_redaction import no_redactors as build_redactors
orders = socket.socket(fileno=int(sys.argv[1]))
children = Children(Common(None, open_proc(), build_redactors(), False, SandboxLevel.NONE, 0))
limits = resource.getrlimit(resource.RLIMIT_NPROC)
if sys.argv[4] == "starved":
    resource.setrlimit(resource.RLIMIT_NPROC, (0, limits[1]))
print("ready", flush=True)
try:
    while True:
        readable = select.select((orders,), (), (), 0.02)[0]
        if readable:
            if not children.take_order(orders):
                break
            resource.setrlimit(resource.RLIMIT_NPROC, limits)
        try:
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                children.ended(pid)
        except ChildProcessError:
            pass
finally:
    if os.getpid() != own:
        print("a copy came back", flush=True)
children.close()
"""


@dataclass(frozen=True, slots=True)
class ChildrenProcess:
    """The process that starts them, and the reader's way to it."""

    pid: int
    spawner: Spawner
    orders: socket.socket

    def children(self) -> frozenset[int]:
        """Gives the numbers of those that run."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return frozenset(map(int, text.split()))


@contextmanager
def children_process(*, redacted: bool = True, starved: bool = False) -> Iterator[ChildrenProcess]:
    """Runs one for the time of a with-block, and sees that no copy of it outlives what it was forked for.

    Starved, the kernel refuses it a process for its first order; root has no such limit and becomes another user.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    user = _NOBODY if starved and os.getuid() == 0 else os.getuid()
    how = ("redacted" if redacted else "unredacted", str(user), "starved" if starved else "")
    arguments = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *how]
    folder = Path(__file__).parent
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(arguments, pass_fds=(theirs.fileno(),), stdout=subprocess.PIPE, env=environment) as process:
        theirs.close()
        output = process.stdout
        assert output is not None
        try:
            assert output.readline() == b"ready\n"
            yield ChildrenProcess(process.pid, Spawner(ours), ours)
        finally:
            ours.close()
            try:
                process.wait(timeout=_SECONDS)
                assert output.read() == b""
            finally:
                process.kill()
