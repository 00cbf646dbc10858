"""Gives recordings back: lists them, reads one as it lies on disk with its key sealed to a reader, holds, destroys."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import InvalidRequest, RecordingDestroyed
from leadglass_agent.recordings.entry import RecordingState
from leadglass_agent.recordings.folder import Part
from leadglass_agent.recordings.format import MAX_HEADER, RecordingError, read_header
from leadglass_agent.recordings.keys import MountedKeys, RecordingKeyError, seal, sealed_to_auditor, unwrap
from leadglass_agent.recordings.reading import RecordReader
from leadglass_agent.recordings.records import Opened

if TYPE_CHECKING:
    from leadglass_agent.recordings.entry import Entry
    from leadglass_agent.recordings.folder import Folder
    from leadglass_agent.recordings.keys import WrappingKeys
    from leadglass_agent.recordings.store import Store

_FIRST_FRAME: Final = 32 * 1024  # a reason of 500 characters, a caller of 2 KiB, eight grants


@dataclass(frozen=True, slots=True)
class Opening:
    """What a reader needs first: the data key, sealed to its own key or to the auditor's, and the size in bytes."""

    sealed_key: bytes
    is_auditors: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording, and when the retention deletes it in nanoseconds since 1970; 0 if nothing does."""

    entry: Entry
    delete_unix_ns: int


class Archive:
    """The recordings of one folder, for readers. For one thread: every method may wait for the disk."""

    def __init__(self, folder: Folder, store: Store, keys: WrappingKeys) -> None:
        self._folder = folder
        self._store = store
        self._keys = keys

    def page(self, after: tuple[int, str] | None, limit: int) -> tuple[Listed, ...]:
        """Gives at most so many recordings behind a place, the newest first."""
        return tuple(self._listed(self._told(entry)) for entry in self._store.page(after, limit))

    def opening(self, session_id: str, public_key: bytes) -> Opening:
        """Gives what a reader needs first; raises RecordingUnknown, RecordingDestroyed, InvalidRequest or OSError.

        A recording that was sealed to the auditor's key stays so, whatever key the reader has.
        """
        entry = self._store.readable(session_id)
        if not entry.size_bytes:
            message = f"{session_id}: nothing of it came to the disk"
            raise RecordingDestroyed(message)
        wrapped = self._wrapped(session_id)
        sealed = sealed_to_auditor(wrapped)
        if sealed is not None:
            return Opening(sealed, is_auditors=True, size_bytes=entry.size_bytes)
        try:
            data_key, digest = self._unwrapped(session_id, wrapped)
        except (RecordingError, RecordingKeyError) as error:
            message = f"{session_id}: {error}"
            raise RecordingDestroyed(message) from error
        try:
            sealed = seal(data_key, public_key, digest)
        except RecordingKeyError as error:
            raise InvalidRequest(str(error)) from error
        return Opening(sealed, is_auditors=False, size_bytes=entry.size_bytes)

    def piece(self, session_id: str, at: int, size: int) -> bytes:
        """Reads a part of a recording as it lies on disk; raises RecordingUnknown, RecordingDestroyed or OSError."""
        self._store.readable(session_id)
        return self._folder.read(session_id, Part.RECORDING, at, size)

    def listed(self, session_id: str) -> Listed:
        """Gives one that can be held or let go of; raises RecordingUnknown or RecordingDestroyed."""
        return self._listed(self._told(self._store.readable(session_id)))

    def hold(self, session_id: str, *, is_held: bool) -> Listed:
        """Keeps a recording, or lets go of it; raises RecordingUnknown, RecordingDestroyed or OSError."""
        return self._listed(self._told(self._store.hold(session_id, is_held=is_held)))

    def doom(self, session_id: str, now_unix_ns: int) -> Listed:
        """Takes one out of reach that is to be destroyed; raises RecordingUnknown, RecordingHeld, RecordingDestroyed.

        It is given as it will be.
        """
        return self._listed(self._store.doom(session_id, now_unix_ns))

    def shred(self, session_id: str, now_unix_ns: int) -> Listed:
        """Destroys a recording; raises RecordingUnknown, RecordingHeld, RecordingDestroyed or OSError."""
        return self._listed(self._store.shred(session_id, now_unix_ns))

    def _listed(self, entry: Entry) -> Listed:
        return Listed(entry, self._store.delete_unix_ns(entry))

    def _wrapped(self, session_id: str) -> bytes:
        try:
            return self._folder.small(session_id, Part.KEY)
        except FileNotFoundError:
            message = f"{session_id}: the file of its key is gone"
            raise RecordingDestroyed(message) from None

    def _unwrapped(self, session_id: str, wrapped: bytes) -> tuple[bytes, bytes]:
        """Gives the data key and the header's digest; raises RecordingError, RecordingKeyError or OSError."""
        header, _ = read_header(self._folder.read(session_id, Part.RECORDING, 0, MAX_HEADER))
        if header.session_id != session_id:
            message = "the recording is another session's"
            raise RecordingError(message)
        keys = self._keys if isinstance(self._keys, MountedKeys) else MountedKeys(())
        return unwrap(wrapped, keys, header.digest), header.digest

    def _told(self, entry: Entry) -> Entry:
        """Adds caller and ticket, which stand in the first frame; what cannot be opened is listed without."""
        if entry.caller or entry.state is RecordingState.SHREDDED:
            return entry
        try:
            data_key, _ = self._unwrapped(entry.session_id, self._folder.small(entry.session_id, Part.KEY))
            first = io.BytesIO(self._folder.read(entry.session_id, Part.RECORDING, 0, _FIRST_FRAME))
            _, opened = next(iter(RecordReader(first.read, data_key)))
        except (OSError, RecordingError, RecordingKeyError, StopIteration):
            return entry
        if not isinstance(opened, Opened):
            return entry
        return self._store.told(entry.session_id, opened.caller, opened.ticket)
