"""Reads what all processes of an agent take: processor time, and memory with what they share counted once."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running_agent import RunningAgent

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
_KIBI_PER_MEBI: Final = 1024


def memory_mebibytes(agent: RunningAgent) -> float:
    """Gives the proportional set size of all processes (smaps_rollup; another user's needs root)."""
    kibibytes = 0
    for pid in _family(agent.supervisor_pid):
        with suppress(ProcessLookupError, FileNotFoundError):  # a worker may end meanwhile
            found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
            kibibytes += int(found[1]) if found else 0
    return kibibytes / _KIBI_PER_MEBI


def processor_seconds(agent: RunningAgent) -> float:
    """Gives the processor time of all processes, with that of workers that have ended."""
    ticks = 0
    for pid in _family(agent.supervisor_pid):
        with suppress(ProcessLookupError, FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # proc(5): utime, stime, cutime, cstime
    return ticks / _TICKS_A_SECOND


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(ProcessLookupError, FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _family(int(child))
