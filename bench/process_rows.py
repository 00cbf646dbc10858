"""Measures a whole process tree, client to client over mutual TLS, beside ps and psutil on the same machine."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benched_agent import SLEEP
from leadglass.v1 import inspect_pb2
from result_file import Result, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from running_agent import Caller, RunningAgent

SIZES: Final = (10, 100, 1_000, 5_000)
HELD: Final = 1_000  # the size that has a limit
_AT_MOST_TIMES_PS: Final = 0.5
_PAGE: Final = 1_000
_PS: Final = (shutil.which("ps") or "/bin/ps", "-eo", "pid,ppid,comm,args,stat,lstart,user,rss,vsz,time,nlwp")
_PSUTIL: Final = ["pid", "ppid", "name", "cmdline", "status", "create_time", "username", "memory_info", "cpu_times",
                  "num_threads"]  # fmt: skip
_CHILDREN_OF_ONE: Final = 100
_MILLI: Final = 1_000.0
_PATIENCE_SECONDS: Final = 60.0


def process_rows(agent: RunningAgent, turns: int, largest: int) -> Iterator[Result]:
    """Gives the time of a listing for each size; a size that the machine's limits do not let us make is left out."""
    caller = agent.caller("u0")
    for size in (size for size in SIZES if size <= largest):
        if not _may_start(size):
            print(f"processes/{size}: this machine's limits allow no {size} processes more", file=sys.stderr)
            continue
        with _sleepers(size):
            _list_all(caller)
            _psutil()
            ours, ps, psutil = [], [], []
            for _ in range(turns):
                ours.append(_seconds(lambda: _list_all(caller)))
                ps.append(_seconds(_ps))
                psutil.append(_psutil())
        peers = {"ps": median(ps) * _MILLI, "psutil": median(psutil) * _MILLI}
        limit = _AT_MOST_TIMES_PS * peers["ps"] if size == HELD else None
        yield Result(f"processes/{size}", median(ours) * _MILLI, Unit.MILLISECONDS, limit, peers)


def _may_start(count: int) -> bool:
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    return (soft == resource.RLIM_INFINITY or soft > 2 * count) and most > 2 * count


@contextmanager
def _sleepers(count: int) -> Iterator[None]:
    """Runs so many processes in a tree two deep, in a group of their own, for a with-block."""
    program = (
        "import os, signal, sys\n"
        f"left = {count - 1}\n"
        "while left > 0:\n"
        f"    family = min(left, {_CHILDREN_OF_ONE})\n"
        "    left = left - family\n"
        "    if os.fork() == 0:\n"
        "        for _ in range(family - 1):\n"
        "            if os.fork() == 0:\n"
        f"                os.execv({SLEEP!r}, ['sleep', '3600'])\n"
        "        signal.pause()\n"
        "print(1, flush=True)\n"
        "signal.pause()\n"
    )
    before = _count()
    command = [sys.executable, "-I", "-S", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as first:  # noqa: S603 - our own
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while _count() < before + count and time.monotonic() < deadline:
                time.sleep(0.05)
            yield
        finally:
            os.killpg(first.pid, signal.SIGKILL)  # the group is its own: start_new_session


def _count() -> int:
    return sum(entry.name.isdigit() for entry in Path("/proc").iterdir())


def _list_all(caller: Caller) -> None:
    token = ""
    while True:
        request = inspect_pb2.ListProcessesRequest(page_size=_PAGE, page_token=token)
        reply = caller.call(caller.inspect.ListProcesses, request)
        token = reply.next_page_token
        if not token:
            return


def _ps() -> None:
    subprocess.run(_PS, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command


def _psutil() -> float:
    """Gives the seconds of a listing, without those of loading the library."""
    psutil = import_module("psutil")
    return _seconds(lambda: [process.info for process in psutil.process_iter(_PSUTIL)])


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
