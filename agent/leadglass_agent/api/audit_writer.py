"""Brings audit records to disk without stopping the event loop, one after the other, each with a deadline.

What callers write (reasons, names, paths) is masked on its way: a file may have a secret in its name, and a person may
paste one into a reason.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.audit.log import AuditLog
    from leadglass_agent.audit.record import Event
    from leadglass_agent.redaction.redactor import Redactor

_SECONDS = 2.0  # fdatasync takes 0.7 ms at the 99th percentile; a disk this slow is no disk to rely on
_MAX_WAITING = 512
_UNREADABLE = "[redacted:unreadable]"


class AuditWriter:
    """The only user of an AuditLog, on one thread, so that the chain's order is the order of the appends."""

    def __init__(self, log: AuditLog, redactor: Redactor) -> None:
        self._log = log
        self._redactor = redactor
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._waiting = 0
        self.writable = True

    async def append(self, event: Event) -> None:
        """Returns when the record is durable; raises AuditUnavailable if it cannot be, or not in time."""
        await self._on_thread(lambda: self._log.append(self._masked(event)))

    async def probe(self) -> bool:
        """Tells whether records can be written now, after trying to recover if they could not."""
        try:
            await self._on_thread(self._probe)
        except AuditUnavailable:
            return False
        return True

    def close(self) -> None:
        """Waits for the thread and closes the log."""
        self._thread.shutdown(wait=True)
        self._log.close()

    def _masked(self, event: Event) -> Event:
        return replace(
            event,
            arguments=tuple((name, self.mask(text)) for name, text in event.arguments),
            reason_text=None if event.reason_text is None else self.mask(event.reason_text),
            ticket=None if event.ticket is None else self.mask(event.ticket),
        )

    def mask(self, text: str) -> str:
        """Masks what a person wrote; what cannot be looked through is not shown."""
        try:
            # Requests are UTF-8 by their type, so nothing is lost here; the record escapes what a viewer must not obey.
            return self._redactor.redact(text.encode()).text.data.decode("utf-8", "backslashreplace")
        except RedactionError:
            return _UNREADABLE

    def _probe(self) -> None:
        if not self._log.probe():
            detail = "the audit log is not writable"
            raise AuditUnavailable(detail)

    async def _on_thread(self, work: Callable[[], None]) -> None:
        if self._waiting >= _MAX_WAITING:
            self.writable = False
            detail = "too many records wait for the disk"
            raise AuditUnavailable(detail)
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        done.add_done_callback(self._count_down)
        try:
            # Shielded: a caller who goes away must not take a record with it.
            async with asyncio.timeout(_SECONDS):
                await asyncio.shield(done)
        except TimeoutError:
            self.writable = False
            detail = "the disk did not answer in time"
            raise AuditUnavailable(detail) from None
        except AuditUnavailable:
            self.writable = False
            raise
        self.writable = True

    def _count_down(self, done: asyncio.Future[None]) -> None:
        self._waiting -= 1
        if not done.cancelled():
            done.exception()  # looked at, so that one nobody waits for any more is not reported to stderr
