"""Knows the recordings that there are: made, ended, held, destroyed by their key, deleted by their age."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import AuditUnavailable, RecordingDestroyed, RecordingHeld, RecordingUnknown
from leadglass_agent.recordings.folder import FolderRefused, Part
from leadglass_agent.recordings.format import MAX_HEADER, Header, RecordingError, read_header
from leadglass_agent.recordings.keys import wrap

if TYPE_CHECKING:
    import os

    from leadglass_agent.recordings.folder import Folder
    from leadglass_agent.recordings.keys import WrappingKeys

MAX_RECORDINGS: Final = 10_000  # some 6 MB of what is remembered of each
MAX_DUE: Final = 64  # are deleted at once: a clock that is wrong for a moment takes no more

_TIME_BYTES: Final = 8
_DAY_NS: Final = 86_400 * 1_000_000_000


class RecordingState(StrEnum):
    """How far a recording has come; the names are those of leadglass.v1.RecordingState."""

    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    INTERRUPTED = "INTERRUPTED"
    SHREDDED = "SHREDDED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording: times in nanoseconds since 1970, `end_unix_ns` 0 if nobody knows, `kept_from` for the retention.

    Caller and ticket are known while the agent runs that wrote it, and else where the agent can open its first frame.
    """

    session_id: str
    open_unix_ns: int
    state: RecordingState
    size_bytes: int
    end_unix_ns: int = 0
    kept_from_unix_ns: int = 0
    is_held: bool = False
    caller: str = ""
    ticket: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Its place in a list: the newest first."""
        return -self.open_unix_ns, self.session_id


class Store:
    """All recordings of one folder. For one thread: every method that changes something may wait for the disk."""

    def __init__(self, folder: Folder, keys: WrappingKeys, retention_days: int) -> None:
        """Finds what is there, and marks as interrupted what was being written; raises OSError or FolderRefused."""
        self._folder = folder
        self._keys = keys
        self._retention_ns = retention_days * _DAY_NS
        self._entries: dict[str, Entry] = {}
        self._condemned: dict[str, Entry] = {}
        found: dict[str, set[Part]] = {}
        for session_id, part in folder.parts():
            found.setdefault(session_id, set()).add(part)
        if len(found) > MAX_RECORDINGS:
            message = f"there are more than {MAX_RECORDINGS} recordings: keep them for fewer days"
            raise FolderRefused(message)
        for session_id, parts in found.items():
            entry = self._found(session_id, parts)
            if entry is not None:
                self._entries[session_id] = entry

    def create(self, header: Header, first: bytes, data_key: bytes, *, caller: str, ticket: str) -> None:
        """Makes a recording and its key, durable on return; raises AuditUnavailable, and then there is none."""
        session_id = header.session_id
        if session_id in self._entries or len(self._entries) >= MAX_RECORDINGS:
            message = f"there is a recording of this session, or there are {MAX_RECORDINGS}"
            raise AuditUnavailable(message)
        content = header.encode() + first
        try:
            self._folder.put(session_id, Part.KEY, wrap(data_key, self._keys, header.digest))
            self._folder.create(session_id, content)
        except OSError as error:
            with suppress(OSError):
                self._folder.destroy_key(session_id)
            raise _unavailable(error) from error
        self._entries[session_id] = Entry(
            session_id,
            header.open_unix_ns,
            RecordingState.OPEN,
            len(content),
            caller=caller,
            ticket=ticket,
        )

    def grown(self, session_id: str, size: int) -> None:
        """Notes the size of a recording that is being written."""
        self._entries[session_id] = replace(self._entries[session_id], size_bytes=size)

    def end(self, session_id: str, end_unix_ns: int, *, is_complete: bool) -> None:
        """Marks a recording as not written any more; raises OSError."""
        state = RecordingState.COMPLETE if is_complete else RecordingState.INTERRUPTED
        self._entries[session_id] = self._ended(self._entries[session_id], state, end_unix_ns)
        self._folder.let_go(session_id)

    def entry(self, session_id: str) -> Entry:
        """Gives a recording; raises RecordingUnknown."""
        entry = self._entries.get(session_id)
        if entry is None:
            raise RecordingUnknown
        return entry

    def has(self, session_id: str) -> bool:
        """Says whether there is a recording of this session."""
        return session_id in self._entries

    def page(self, after: tuple[int, str] | None, limit: int) -> tuple[Entry, ...]:
        """Gives at most so many recordings behind a place, the newest first."""
        behind = (entry for entry in self._entries.values() if after is None or entry.place > after)
        return tuple(sorted(behind, key=lambda entry: entry.place)[:limit])

    def told(self, session_id: str, caller: str, ticket: str) -> Entry:
        """Notes what a recording's first frame says, for the next one who asks."""
        told = replace(self.entry(session_id), caller=caller, ticket=ticket)
        self._entries[session_id] = told
        return told

    def delete_unix_ns(self, entry: Entry) -> int:
        """Tells when the retention deletes a recording; 0 if nothing does."""
        if not self._retention_ns or entry.is_held or entry.state is RecordingState.OPEN:
            return 0
        return entry.kept_from_unix_ns + self._retention_ns

    def hold(self, session_id: str, *, is_held: bool) -> Entry:
        """Keeps a recording from being deleted and destroyed, or lets go of it; raises RecordingUnknown or OSError."""
        entry = self.entry(session_id)
        if entry.state is RecordingState.SHREDDED:
            raise RecordingDestroyed(session_id)
        if is_held:
            self._folder.put(session_id, Part.HOLD, b"")
        else:
            self._folder.remove(session_id, Part.HOLD)
        self._entries[session_id] = replace(entry, is_held=is_held)
        return self._entries[session_id]

    def shred(self, session_id: str, now_unix_ns: int) -> Entry:
        """Destroys a recording's key, then the recording; a stone stays, which says that there was one.

        Raises RecordingUnknown, RecordingHeld, RecordingDestroyed or OSError; after an OSError it is to be tried again.
        """
        entry = self.entry(session_id)
        if entry.state is RecordingState.SHREDDED:
            raise RecordingDestroyed(session_id)
        if entry.is_held or entry.state is RecordingState.OPEN:
            message = f"{session_id}: {'it is held' if entry.is_held else 'its session is open: end it first'}"
            raise RecordingHeld(message)
        stone = (entry.open_unix_ns, entry.end_unix_ns, entry.size_bytes, now_unix_ns)
        # First the stone: an agent that is killed now goes on at its next start.
        self._folder.put(session_id, Part.GONE, b"".join(number.to_bytes(_TIME_BYTES) for number in stone))
        self._bury(session_id)
        self._entries[session_id] = replace(
            entry, state=RecordingState.SHREDDED, kept_from_unix_ns=now_unix_ns, caller="", ticket=""
        )
        return self._entries[session_id]

    def due(self, now_unix_ns: int) -> tuple[str, ...]:
        """Gives recordings that have been kept long enough, the oldest first, at most 64."""
        due = (
            (entry.kept_from_unix_ns, entry.session_id)
            for entry in self._entries.values()
            if 0 < self.delete_unix_ns(entry) <= now_unix_ns
        )
        return tuple(session_id for _, session_id in sorted(due)[:MAX_DUE])

    def condemn(self, session_id: str, now_unix_ns: int) -> Entry | None:
        """Takes a recording out of reach that is to be deleted; None if it was held meanwhile."""
        entry = self._entries.get(session_id)
        if entry is None or not 0 < self.delete_unix_ns(entry) <= now_unix_ns:
            return None
        self._condemned[session_id] = self._entries.pop(session_id)
        return entry

    def spare(self, session_id: str) -> None:
        """Puts a condemned recording back."""
        self._entries[session_id] = self._condemned.pop(session_id)

    def delete(self, session_id: str) -> None:
        """Removes a condemned recording with all that is known of it, the key first; raises OSError."""
        self._folder.destroy_key(session_id)
        self._folder.remove(session_id, Part.RECORDING, Part.END, Part.HOLD, Part.GONE)
        del self._condemned[session_id]

    def _bury(self, session_id: str) -> None:
        self._folder.destroy_key(session_id)
        self._folder.remove(session_id, Part.RECORDING, Part.END, Part.HOLD)

    def _found(self, session_id: str, parts: set[Part]) -> Entry | None:
        if Part.GONE in parts:
            if len(parts) > 1:
                self._bury(session_id)
            opened, ended, size, gone = _numbers(self._folder.small(session_id, Part.GONE), 4)
            return Entry(session_id, opened, RecordingState.SHREDDED, size, ended, gone)
        if Part.RECORDING not in parts:
            # Nothing was ever recorded under this key: the agent was killed between the two.
            self._folder.destroy_key(session_id)
            self._folder.remove(session_id, Part.END, Part.HOLD)
            return None
        found = self._folder.stat(session_id, Part.RECORDING)
        entry = Entry(
            session_id,
            self._opened(session_id, found),
            RecordingState.OPEN,
            found.st_size,
            is_held=Part.HOLD in parts,
        )
        if Part.KEY not in parts:
            return replace(entry, state=RecordingState.SHREDDED, kept_from_unix_ns=found.st_mtime_ns)
        if Part.END not in parts:
            return self._ended(entry, RecordingState.INTERRUPTED, found.st_mtime_ns)
        content = self._folder.small(session_id, Part.END)
        (time,) = _numbers(content[1:], 1)
        if content[:1] == b"C":
            return replace(entry, state=RecordingState.COMPLETE, end_unix_ns=time, kept_from_unix_ns=time)
        return replace(entry, state=RecordingState.INTERRUPTED, kept_from_unix_ns=time)

    def _ended(self, entry: Entry, state: RecordingState, unix_ns: int) -> Entry:
        """Writes that a recording has ended; of an interrupted one the time is when it was last written."""
        is_complete = state is RecordingState.COMPLETE
        self._folder.put(entry.session_id, Part.END, (b"C" if is_complete else b"I") + unix_ns.to_bytes(_TIME_BYTES))
        return replace(entry, state=state, end_unix_ns=unix_ns if is_complete else 0, kept_from_unix_ns=unix_ns)

    def _opened(self, session_id: str, found: os.stat_result) -> int:
        try:
            return read_header(self._folder.read(session_id, Part.RECORDING, 0, MAX_HEADER))[0].open_unix_ns
        except RecordingError:
            return found.st_mtime_ns  # it cannot be read, and is listed all the same


def _numbers(content: bytes, count: int) -> tuple[int, ...]:
    """Reads so many numbers of eight bytes; what is missing is 0."""
    whole = content.ljust(count * _TIME_BYTES, b"\0")
    return tuple(int.from_bytes(whole[at * _TIME_BYTES : (at + 1) * _TIME_BYTES]) for at in range(count))


def _unavailable(error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"the recording cannot be made: {error.strerror}")
