"""Has sessions recorded without stopping the event loop: one thread for the disk, and a deadline for each write."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.recordings.archive import Archive
from leadglass_agent.recordings.disk_thread import DiskThread
from leadglass_agent.recordings.folder import Folder, FolderRefused
from leadglass_agent.recordings.records import Opened
from leadglass_agent.recordings.store import Store
from leadglass_agent.recordings.tapes import MAX_RECORDING, End, Tapes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from leadglass_agent.access.session import Session
    from leadglass_agent.clock import Instant
    from leadglass_agent.recordings.archive import Listed, Opening
    from leadglass_agent.recordings.keys import WrappingKeys
    from leadglass_agent.recordings.records import Called, Ended, Replied

_SECONDS: Final = 2.0  # as for the audit log, on a volume as good
_CLOSE_SECONDS: Final = 5.0  # as for the audit log: a disk that is silent for ever must not keep the process
_MAX_WAITING: Final = 512
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Recording:
    """How an agent records: where, under which keys, for how many days (0: for good), and what it says of itself.

    `mask` masks what callers write, as in the audit log; a write may take `seconds`, the end of all `close_seconds`.
    """

    path: Path
    keys: WrappingKeys
    retention_days: int
    agent_id: str
    version: str
    mask: Callable[[str], str]
    max_bytes: int = MAX_RECORDING
    seconds: float = _SECONDS
    close_seconds: float = _CLOSE_SECONDS


class Recorder:
    """The only user of a folder of recordings, on one thread, so that the order of frames is that of the calls here.

    Every method raises AuditUnavailable if the disk does not take it, or not in time: then nothing is to be shown; and
    SessionEnded for what comes after a session's end.
    """

    def __init__(self, recording: Recording) -> None:
        """Opens the folder and marks what an agent before left unfinished; raises FolderRefused."""
        self._recording = recording
        self._folder = Folder(recording.path)
        try:
            store = Store(self._folder, recording.keys, recording.retention_days)
        except OSError as error:
            self._folder.close()
            message = f"the folder of recordings {recording.path} cannot be read: {error.strerror}"
            raise FolderRefused(message) from None
        except FolderRefused:
            self._folder.close()
            raise
        self._store = store
        self._tapes = Tapes(self._folder, store, recording.max_bytes)
        self._archive = Archive(self._folder, store, recording.keys)
        self._thread = DiskThread("recordings")
        self._unended: dict[str, End] = {}
        self._changing: set[str] = set()
        self._waiting = 0
        self._waiting_bytes = 0

    async def open(self, session: Session, policy_digest: str, now: Instant) -> None:
        """Begins the recording of a session."""
        mask, target, evidence = self._recording.mask, session.target, session.evidence
        opened = Opened(
            time_unix_ns=now.unix_ns,
            session_id=session.session_id,
            caller=session.caller,
            key_digest=session.key_digest,
            reason=mask(session.reason),
            ticket=mask(session.ticket),
            expires_unix_ns=session.expires_unix_ns,
            grants=tuple(verified.grant.grant_id for verified in session.grants),
            target=None if target is None else (target.pid, target.start_ticks),
            peer=session.peer_host,
            evidence_subject="" if evidence is None else evidence.subject,
            policy_digest=policy_digest,
            agent_id=self._recording.agent_id,
            version=self._recording.version,
        )
        try:
            await self._on_thread(lambda: self._tapes.open(opened, session.opened.unix_ns))
        except AuditUnavailable:
            # It may yet be made, by a disk that is slow: then of a session that nobody was given.
            self._later(lambda: self._tapes.end(opened.session_id, End(now.unix_ns, "CLOSED", 0)))
            raise

    async def record(self, session_id: str, called: Called, replies: tuple[Replied, ...], ended: Ended) -> str:
        """Records a whole call and gives the digest of its frames; "" for a refusal that could not be recorded."""
        size = len(called.request) + sum(len(replied.message) for replied in replies)
        return await self._end_of_call(ended, lambda: self._tapes.record(session_id, called, replies, ended), size)

    async def begin(self, session_id: str, called: Called) -> None:
        """Records that a call begins whose replies come one by one."""
        await self._on_thread(lambda: self._tapes.begin(session_id, called), len(called.request))

    async def reply(self, session_id: str, replied: Replied) -> None:
        """Records one message of a call that has begun."""
        await self._on_thread(lambda: self._tapes.reply(session_id, replied), len(replied.message))

    async def finish(self, session_id: str, ended: Ended) -> str:
        """Records the end of a call that has begun, and gives the digest of its frames; as `record` for a refusal."""
        return await self._end_of_call(ended, lambda: self._tapes.finish(session_id, ended))

    async def end(self, session: Session, now: Instant) -> None:
        """Ends a session's recording; what the disk does not take now, `expire` tries again."""
        self._unended.setdefault(session.session_id, End(now.unix_ns, session.state.value, session.calls))
        await self._end(session.session_id)

    async def end_all(self, sessions: tuple[Session, ...], now: Instant) -> None:
        """Ends recordings, all within the time of one write; those that are left `expire` ends. Raises nothing."""
        for session in sessions:
            self._unended.setdefault(session.session_id, End(now.unix_ns, session.state.value, session.calls))
        await self._end_each(tuple(session.session_id for session in sessions))

    async def expire(self, now: Instant, record: Callable[[Event], Awaitable[None]]) -> None:
        """Deletes what has been kept long enough, each after its record in the audit log; ends what should have ended.

        Nothing is deleted that could not be recorded as deleted. What takes longer than one write may is left for the
        next time.
        """
        await self._end_each(tuple(self._unended))
        loop = asyncio.get_running_loop()
        until = loop.time() + self._recording.seconds
        for session_id in await self._on_thread(lambda: self._store.due(now.unix_ns)):
            if loop.time() > until:
                return
            if session_id not in self._changing:
                with self._alone(session_id):
                    await self._delete(session_id, now, record)

    async def page(self, after: tuple[int, str] | None, limit: int) -> tuple[Listed, ...]:
        """Gives at most so many recordings behind a place, the newest first."""
        return await self._on_thread(lambda: self._archive.page(after, limit))

    async def opening(self, session_id: str, public_key: bytes) -> Opening:
        """Gives what a reader needs first; raises RecordingUnknown, RecordingDestroyed or InvalidRequest too."""
        return await self._on_thread(lambda: self._archive.opening(session_id, public_key))

    async def piece(self, session_id: str, at: int, size: int) -> bytes:
        """Reads a part of a recording as it lies on disk; raises RecordingUnknown or RecordingDestroyed too."""
        return await self._on_thread(lambda: self._archive.piece(session_id, at, size))

    async def hold(self, session_id: str, *, is_held: bool, record: Callable[[Listed], Awaitable[None]]) -> Listed:
        """Keeps a recording, or lets go of it, after its record; raises RecordingUnknown or RecordingDestroyed too.

        What `record` has put into the audit log is done even by a disk that answers too late for the caller.
        """
        with self._alone(session_id):
            await record(await self._on_thread(lambda: self._archive.listed(session_id)))
            return await self._on_thread(lambda: self._archive.hold(session_id, is_held=is_held))

    async def shred(self, session_id: str, now: Instant, record: Callable[[Listed], Awaitable[None]]) -> Listed:
        """Destroys a recording's key, after its record; raises RecordingUnknown, RecordingHeld or RecordingDestroyed.

        As for `hold`, what has its record is done; what has none never is.
        """
        with self._alone(session_id):
            try:
                await record(await self._on_thread(lambda: self._archive.doom(session_id, now.unix_ns)))
                return await self._on_thread(lambda: self._archive.shred(session_id, now.unix_ns))
            finally:
                self._later(lambda: self._store.spare(session_id))  # behind the rest: what is destroyed stays so

    def close(self, now: Instant) -> None:
        """Ends all recordings, because the agent ends, and waits for the disk, but not for ever.

        What the disk did not take until then its next start finds as interrupted.
        """
        ends = tuple(self._unended.items())

        def end_all() -> None:
            for session_id, end in ends:
                with suppress(AuditUnavailable):
                    self._tapes.end(session_id, end)
            self._tapes.close(now.unix_ns)

        self._thread.submit(end_all)
        if self._thread.close(self._recording.close_seconds):
            self._folder.close()

    async def _delete(self, session_id: str, now: Instant, record: Callable[[Event], Awaitable[None]]) -> None:
        # Out of reach first: nobody can hold it any more once its end is in the audit log.
        try:
            entry = await self._on_thread(lambda: self._store.condemn(session_id, now.unix_ns))
            if entry is None:
                return
            facts = (("state", entry.state.value), ("size_bytes", entry.size_bytes))
            await record(Event(kind=EventKind.RECORDING_DELETED, session_id=session_id, facts=facts))
            await self._on_thread(lambda: self._store.delete(session_id))
        finally:
            self._later(lambda: self._store.spare(session_id))  # behind the rest: what is deleted stays so

    @contextmanager
    def _alone(self, session_id: str) -> Iterator[None]:
        """Lets one change at a time be made to a recording: each is checked, recorded, and then done."""
        if session_id in self._changing:
            message = "another change of this recording is under way"
            raise AuditUnavailable(message)
        self._changing.add(session_id)
        try:
            yield
        finally:
            self._changing.discard(session_id)

    async def _end_each(self, session_ids: tuple[str, ...]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._recording.seconds):
                for session_id in session_ids:
                    with suppress(AuditUnavailable):
                        await self._end(session_id)

    async def _end(self, session_id: str) -> None:
        end = self._unended.get(session_id)
        if end is None:
            return
        await self._on_thread(lambda: self._tapes.end(session_id, end))
        self._unended.pop(session_id, None)

    async def _end_of_call(self, ended: Ended, work: Callable[[], str], size: int = 0) -> str:
        try:
            return await self._on_thread(work, size)
        except AuditUnavailable:
            if not ended.refusal:
                raise
            return ""  # nothing was shown, and the audit log says why

    async def _on_thread(self, work: Callable[[], _Result], size: int = 0) -> _Result:
        if self._waiting >= _MAX_WAITING or self._waiting_bytes + size > _MAX_WAITING_BYTES:
            detail = "too much waits for the disk of the recordings"
            raise AuditUnavailable(detail)
        return await self._answered(self._later(work, size))

    async def _answered(self, done: asyncio.Future[_Result]) -> _Result:
        try:
            # Shielded: a caller who goes away must not take a frame with it.
            async with asyncio.timeout(self._recording.seconds):
                return await asyncio.shield(done)
        except TimeoutError:
            detail = "the disk of the recordings did not answer in time"
            raise AuditUnavailable(detail) from None
        except OSError as error:
            message = f"the recordings cannot be read or written: {error.strerror}"
            raise AuditUnavailable(message) from error

    def _later(self, work: Callable[[], _Result], size: int = 0) -> asyncio.Future[_Result]:
        self._waiting += 1
        self._waiting_bytes += size
        done = asyncio.wrap_future(self._thread.submit(work))

        def count_down(done: asyncio.Future[_Result]) -> None:
            self._waiting -= 1
            self._waiting_bytes -= size
            if not done.cancelled():
                done.exception()  # looked at, so that one nobody waits for any more is not reported to stderr

        done.add_done_callback(count_down)
        return done
