"""The agent's two clocks: one that no one can set, for every end; one of the wall, for people to read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment in nanoseconds: CLOCK_BOOTTIME (counts sleep, cannot be set) and since 1970 (can be set)."""

    boot_ns: int
    unix_ns: int
    boot_id: str = ""  # of the machine's start that boot_ns counts from; empty if the kernel does not tell


def now() -> Instant:
    """Reads both clocks."""
    return Instant(boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), unix_ns=time.time_ns(), boot_id=_boot_id())


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
