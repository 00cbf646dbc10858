"""Brings entries of the journal to disk without stopping the event loop, one after the other, each with a deadline."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from leadglass_agent.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from leadglass_agent.access.journal import Entry, Journal

_SECONDS = 2.0  # as for the audit log, on the same volume


class JournalWriter:
    """The only user of a Journal; `snapshot` gives all that the engines hold, for when it is to be written anew."""

    def __init__(self, journal: Journal, snapshot: Callable[[], Iterable[Entry]]) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._turn = asyncio.Lock()

    async def append(self, entries: Iterable[Entry]) -> None:
        """Returns when entries are durable that the engines hold already; raises AuditUnavailable if they cannot be."""
        # Whole, the turn too: the engines hold it, so that nobody would bring it again if its caller went away now.
        appending = asyncio.ensure_future(self._append(tuple(entries)))
        appending.add_done_callback(_look_at)
        await asyncio.shield(appending)

    async def _append(self, entries: tuple[Entry, ...]) -> None:
        async with self._turn:
            await self._write(entries)

    async def compact(self) -> None:
        """Writes all anew; raises AuditUnavailable."""
        async with self._turn:
            await self._write(())

    def close(self) -> None:
        """Waits for the thread and closes the journal."""
        self._thread.shutdown(wait=True)
        self._journal.close()

    async def _write(self, entries: tuple[Entry, ...]) -> None:
        if not entries or self._journal.wants_compaction:
            # Taken here, on the loop: the engines are not made for two threads.
            held = tuple(self._snapshot())
            writing = asyncio.get_running_loop().run_in_executor(self._thread, self._journal.compact, held)
        else:
            writing = asyncio.get_running_loop().run_in_executor(self._thread, self._journal.append, entries)
        try:
            # Shielded: a caller who goes away must not take an entry with it.
            async with asyncio.timeout(_SECONDS):
                await asyncio.shield(writing)
        except TimeoutError:
            writing.add_done_callback(_look_at)
            detail = "the journal's disk did not answer in time"
            raise AuditUnavailable(detail) from None


def _look_at(done: asyncio.Future[None]) -> None:
    """Looks at an end that nobody waits for any more, so that it is not reported to stderr."""
    if not done.cancelled():
        done.exception()
