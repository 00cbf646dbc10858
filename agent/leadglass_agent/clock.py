"""The agent's two clocks: one that no one can set, for every end; one of the wall, for people to read."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment in nanoseconds: CLOCK_BOOTTIME (counts sleep, cannot be set) and since 1970 (can be set)."""

    boot_ns: int
    unix_ns: int


def now() -> Instant:
    """Reads both clocks."""
    return Instant(boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), unix_ns=time.time_ns())
