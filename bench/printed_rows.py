"""Prints rows of a benchmark, and the machine that they are of, for people."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from result_file import rounded

if TYPE_CHECKING:
    from result_file import Result


def line(result: Result) -> str:
    """Gives one row, with its peers below it."""
    text = f"{result.name:58} {rounded(result.value):>9g} {result.unit}"
    if result.limit is not None:
        bound = "at least" if result.unit.more_is_better else "at most"
        text += f"  ({bound} {rounded(result.limit):g})  {'holds' if result.holds else 'NOT REACHED'}"
    peers = "  ".join(f"{name} {rounded(value):g}" for name, value in result.peers.items())
    return f"{text}\n    {peers}" if peers else text


def machine() -> str:
    """Gives the processor, its cores, and the day."""
    cpu = platform.machine()
    for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if text.startswith("model name"):
            cpu = text.partition(":")[2].strip()
            break
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {day}"
