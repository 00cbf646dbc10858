"""Sums up the connections that were closed because somebody abused the port: one record a minute and somebody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.clock import Instant

MAX_SOURCES: Final = 64
OTHER_SOURCES: Final = "others"

_BETWEEN_RECORDS_NS: Final = 60 * 1_000_000_000


class AbuseCause(StrEnum):
    """Why a connection was closed; for the audit log."""

    FLOODING = "FLOODING"  # it sent more bytes than any calls need
    CROWDING = "CROWDING"  # the port was nearly full, and its caller held more than a share of it
    SILENCE = "SILENCE"  # the port was nearly full, and nobody had called on it
    PROBES = "PROBES"  # the same on the port for health, where nobody says who calls


@dataclass(frozen=True, slots=True)
class Abuse:
    """Connections of one caller, or one address, that were closed since a moment on CLOCK_BOOTTIME."""

    source: str
    connections: tuple[tuple[AbuseCause, int], ...]
    since_boot_ns: int


@dataclass(slots=True)
class _Open:
    since_boot_ns: int
    counts: Counter[AbuseCause] = field(default_factory=Counter)


class AbuseLedger:
    """Counts by caller, or by address if nobody called: a record at once, the next a minute later."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._recorded_ns: dict[str, int] = {}

    def count(self, source: str, cause: AbuseCause, now: Instant) -> None:
        """Counts one connection that was closed."""
        known = source in self._open or source in self._recorded_ns
        if not known and len(self._open.keys() | self._recorded_ns.keys()) >= MAX_SOURCES:
            source = OTHER_SOURCES
        self._open.setdefault(source, _Open(now.boot_ns)).counts[cause] += 1

    def due(self, now: Instant) -> tuple[Abuse, ...]:
        """Takes the sums of each source whose last record is a minute old."""
        due_ns = now.boot_ns - _BETWEEN_RECORDS_NS
        self._recorded_ns = {source: at for source, at in self._recorded_ns.items() if at > due_ns}
        taken = tuple(self._take(source) for source in tuple(self._open) if source not in self._recorded_ns)
        self._recorded_ns |= {abuse.source: now.boot_ns for abuse in taken}
        return taken

    def close(self) -> tuple[Abuse, ...]:
        """Takes all that is left, for the end of the agent."""
        return tuple(self._take(source) for source in tuple(self._open))

    def _take(self, source: str) -> Abuse:
        summed = self._open.pop(source)
        return Abuse(source, tuple(sorted(summed.counts.items())), summed.since_boot_ns)
