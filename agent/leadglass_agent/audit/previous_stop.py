"""Tells from the log's last record how the agent before this one ended, and whether the clock was set meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import Event, EventKind

if TYPE_CHECKING:
    from leadglass_agent.audit.record import Fact
    from leadglass_agent.audit.resume import LastRecord
    from leadglass_agent.clock import Instant

_SECOND_NS: Final = 1_000_000_000
_MILLISECOND_NS: Final = 1_000_000
_JUMP_NS: Final = 5 * _SECOND_NS  # as while the agent runs (access/clock_watch.py)
# adjtimex(2) corrects a drifting clock by at most 500 parts in a million; twice that is no jump either.
_SLEW_DIVISOR: Final = 1_000


class Stop(StrEnum):
    """How the agent before this one ended."""

    CLEAN = "clean"
    UNCLEAN = "unclean"  # killed, or its last record could not be written: nobody watched from then on
    NONE = "none"  # the log is new


@dataclass(frozen=True, slots=True)
class PreviousStop:
    """What the boot record says of the time before it."""

    stop: Stop
    boot_id: str
    previous_unix_ns: int = 0
    gap_ns: int = 0  # by the clock that nobody sets if the machine still runs since then, else by the wall clock
    jump_seconds: int = 0

    def facts(self) -> tuple[Fact, ...]:
        """Gives the facts of the boot record."""
        facts: tuple[Fact, ...] = (("boot_id", self.boot_id), ("previous_stop", self.stop.value))
        if self.stop is Stop.NONE:
            return facts
        seconds, rest = divmod(self.previous_unix_ns, _SECOND_NS)
        time = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000:06d}Z"
        return (*facts, ("previous_time", time), ("gap_ms", self.gap_ns // _MILLISECOND_NS))

    def events(self) -> tuple[Event, ...]:
        """Gives what is recorded beside the boot record: that the wall clock was set, if it was."""
        if not self.jump_seconds:
            return ()
        return (Event(kind=EventKind.CLOCK_JUMPED, facts=(("seconds", self.jump_seconds),)),)


def previous_stop(last: LastRecord | None, now: Instant) -> PreviousStop:
    """Compares the last record of the agent before (None in a new log) with the moment of this start.

    The log signs its last state after the record of a stop, so `last.kind` is that of the last other record.
    """
    if last is None:
        return PreviousStop(Stop.NONE, now.boot_id)
    stop = Stop.CLEAN if last.kind == EventKind.AGENT_STOPPED else Stop.UNCLEAN
    by_wall_ns = now.unix_ns - last.unix_ns
    if not now.boot_id or last.boot_id != now.boot_id:
        return PreviousStop(stop, now.boot_id, last.unix_ns, by_wall_ns)
    by_boot_ns = now.boot_ns - last.boot_ns
    off_ns = by_wall_ns - by_boot_ns
    is_jump = abs(off_ns) >= _JUMP_NS + max(0, by_boot_ns) // _SLEW_DIVISOR
    return PreviousStop(stop, now.boot_id, last.unix_ns, by_boot_ns, round(off_ns / _SECOND_NS) if is_jump else 0)
