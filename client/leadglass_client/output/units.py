"""Writes sizes, spans and moments the way people read them at a glance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_KIBI = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TEN = 10


def size(count: int) -> str:
    """Writes bytes in powers of 1,024 with two or three digits: 0B, 812B, 1.5K, 12M, 1023G."""
    if count < _KIBI:
        return f"{count}B"
    value = float(count)
    unit = ""
    for unit in "KMGTPE":  # noqa: B007 - the unit reached is the result
        value /= _KIBI
        if round(value) < _KIBI:
            break
    return f"{value:.1f}{unit}" if value < _TEN - 0.05 else f"{value:.0f}{unit}"


def span(seconds: float) -> str:
    """Writes a span with its two largest units: 0.4s, 12s, 3m05s, 2h, 9d03h."""
    if seconds < 0:
        return "0s"
    if seconds < _TEN:
        return f"{seconds:.1f}s".replace(".0s", "s")
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return _pair(whole // _MINUTE, "m", whole % _MINUTE, "s")
    if whole < _DAY:
        return _pair(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "m")
    return _pair(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def moment(timestamp: Timestamp) -> str:
    """Writes a time in UTC to the second; a time outside of the years 1 to 9999 as a question mark."""
    return unix_moment(timestamp.seconds)


def unix_moment(seconds: int) -> str:
    """Writes seconds since 1970 as `moment` does."""
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return "?"
    return f"{when:%Y-%m-%d %H:%M:%S}Z"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small:02d}{small_unit}" if small else "")
