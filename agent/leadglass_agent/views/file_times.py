"""Bounds the times of files, which their owner may set to any number, to what the agent's rows can hold."""

from __future__ import annotations

from typing import Final

_LATEST: Final = 2**63 - 1  # nanoseconds since 1970: the year 2262
_EARLIEST: Final = -(2**63)  # 1677


def shown_time(unix_ns: int) -> int:
    """Gives the time itself, or the nearest that a row can hold: tmpfs takes any 64-bit number of seconds."""
    return min(max(unix_ns, _EARLIEST), _LATEST)
