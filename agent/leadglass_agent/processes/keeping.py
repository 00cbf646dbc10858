"""Deletes once a minute what has been kept for long enough: files of the log that were shipped, and recordings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.processes.ship_cursor import cursor_path, read_cursor
from leadglass_agent.processes.shipping import known_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from leadglass_agent.access.session import Session
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant
    from leadglass_agent.recordings.recorder import Recorder

_MINUTE_NS: Final = 60 * 1_000_000_000
_SECOND_NS: Final = 1_000_000_000
_DAY_SECONDS: Final = 24 * 60 * 60


@dataclass(slots=True)
class Keeping:
    """What is kept, and how long: 0 days are for good.

    `sink_seq` tells the last record that the sink has. Without a sink whoever ships copies says so in the file beside
    the log that a sink's cursor would be in, by number and hash: a number alone might be a guess.
    """

    audit: AuditWriter
    audit_path: Path
    retention_days: int
    sink_seq: Callable[[], int] | None
    recordings: Recorder | None
    _due_boot_ns: int = 0

    async def run(self, now: Instant) -> None:
        """Deletes what is due; what cannot be deleted now is at the next call."""
        if now.boot_ns < self._due_boot_ns:
            return
        self._due_boot_ns = now.boot_ns + _MINUTE_NS
        with suppress(AuditUnavailable, OSError):
            if self.retention_days:
                before_unix = now.unix_ns / _SECOND_NS - self.retention_days * _DAY_SECONDS
                await self.audit.delete_shipped(before_unix, await asyncio.to_thread(self._shipped_seq))
        with suppress(AuditUnavailable, OSError):
            if self.recordings is not None:
                await self.recordings.expire(now, self._record)

    async def end_recordings(self, sessions: tuple[Session, ...], now: Instant) -> None:
        """Closes the recordings of sessions that have ended; what the disk does not take soon `run` tries again."""
        if self.recordings is not None and sessions:
            await self.recordings.end_all(sessions, now)

    async def _record(self, event: Event) -> None:
        await self.audit.append(event)

    def _shipped_seq(self) -> int:
        if self.sink_seq is not None:
            return self.sink_seq()
        return known_place(self.audit.view.log, read_cursor(cursor_path(self.audit_path))).seq
