"""Knows the recordings that there are: made, ended, held, destroyed by their key, deleted by their age."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import AuditUnavailable, RecordingDestroyed, RecordingHeld, RecordingUnknown
from leadglass_agent.recordings.entry import Entry, RecordingState, end_mark, ended
from leadglass_agent.recordings.folder import Part
from leadglass_agent.recordings.found import bury, find
from leadglass_agent.recordings.keys import wrap

if TYPE_CHECKING:
    from leadglass_agent.recordings.folder import Folder
    from leadglass_agent.recordings.format import Header
    from leadglass_agent.recordings.keys import WrappingKeys

MAX_RECORDINGS: Final = 10_000  # some 6 MB of what is remembered of each
MAX_OF_CALLER: Final = 5_000  # so that no caller alone has all sessions refused
MAX_STONES: Final = 10_000
MAX_DUE: Final = 64  # are deleted at once: a clock that is wrong for a moment takes no more

_DAY_NS: Final = 86_400 * 1_000_000_000


class Store:
    """All recordings of one folder. For one thread: every method that changes something may wait for the disk."""

    def __init__(self, folder: Folder, keys: WrappingKeys, retention_days: int) -> None:
        """Finds what is there, and marks as interrupted what was being written; raises OSError or FolderRefused.

        Of more recordings than fit the newest are known; the others lie there until there is room at a start.
        """
        self._folder = folder
        self._keys = keys
        self._retention_ns = retention_days * _DAY_NS
        self._entries: dict[str, Entry] = {}
        self._condemned: dict[str, Entry] = {}
        found = sorted(find(folder), key=lambda entry: entry.place)
        there = [entry for entry in found if entry.state is not RecordingState.SHREDDED][:MAX_RECORDINGS]
        gone = [entry for entry in found if entry.state is RecordingState.SHREDDED]
        self._entries.update((entry.session_id, entry) for entry in (*there, *gone))
        self._drop_stones()

    def create(self, header: Header, first: bytes, data_key: bytes, *, caller: str, ticket: str) -> None:
        """Makes a recording and its key, durable on return; raises AuditUnavailable, and then there is none."""
        session_id = header.session_id
        self._refuse_more(session_id, caller)
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
        self._folder.put(session_id, Part.END, end_mark(state, end_unix_ns))
        self._entries[session_id] = ended(self._entries[session_id], state, end_unix_ns)
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

    def readable(self, session_id: str) -> Entry:
        """Gives a recording whose key is there; raises RecordingUnknown or RecordingDestroyed."""
        entry = self.entry(session_id)
        if entry.state is RecordingState.SHREDDED:
            raise RecordingDestroyed(session_id)
        return entry

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
        """Keeps a recording from being deleted and destroyed, or lets go of it.

        Raises RecordingUnknown, RecordingDestroyed or OSError.
        """
        entry = self.readable(session_id)
        if is_held:
            # The stone of a destruction that failed must not be found beside what is held.
            self._folder.remove(session_id, Part.GONE)
            self._folder.put(session_id, Part.HOLD, b"")
        else:
            self._folder.remove(session_id, Part.HOLD)
        self._entries[session_id] = replace(entry, is_held=is_held)
        return self._entries[session_id]

    def doom(self, session_id: str, now_unix_ns: int) -> Entry:
        """Takes a recording out of reach that is to be destroyed, and gives it as it will be.

        Raises RecordingUnknown, RecordingHeld or RecordingDestroyed.
        """
        shredded = self._destructible(session_id).shredded(now_unix_ns)
        self._condemned[session_id] = self._entries.pop(session_id)
        return shredded

    def shred(self, session_id: str, now_unix_ns: int) -> Entry:
        """Destroys a recording's key, then the recording; a stone stays, which says that there was one.

        Raises RecordingUnknown, RecordingHeld, RecordingDestroyed or OSError; after an OSError it is to be tried again.
        """
        entry = self._condemned.get(session_id) or self._destructible(session_id)
        shredded = entry.shredded(now_unix_ns)
        # First the stone: an agent that is killed now goes on at its next start.
        self._folder.put(session_id, Part.GONE, shredded.stone())
        try:
            bury(self._folder, session_id)
        except OSError:
            with suppress(OSError):  # what was not destroyed is not to be at the next start, when it may be held
                self._folder.remove(session_id, Part.GONE)
            raise
        self._condemned.pop(session_id, None)
        self._entries[session_id] = shredded
        with suppress(OSError):  # the next one drops it
            self._drop_stones()
        return shredded

    def due(self, now_unix_ns: int) -> tuple[str, ...]:
        """Gives recordings that have been kept long enough, the oldest first, at most 64.

        Those that were condemned and are still there are among them.
        """
        due = (
            (entry.kept_from_unix_ns, entry.session_id)
            for entry in (*self._entries.values(), *self._condemned.values())
            if self._is_due(entry, now_unix_ns)
        )
        return tuple(session_id for _, session_id in sorted(due)[:MAX_DUE])

    def condemn(self, session_id: str, now_unix_ns: int) -> Entry | None:
        """Takes a recording out of reach that is to be deleted; None if it was held meanwhile."""
        entry = self._entries.get(session_id) or self._condemned.get(session_id)
        if entry is None or not self._is_due(entry, now_unix_ns):
            return None
        self._entries.pop(session_id, None)
        self._condemned[session_id] = entry
        return entry

    def spare(self, session_id: str) -> None:
        """Puts a condemned recording back; one that is gone stays so."""
        entry = self._condemned.pop(session_id, None)
        if entry is not None:
            self._entries[session_id] = entry

    def delete(self, session_id: str) -> None:
        """Removes a condemned recording with all that is known of it, the key first; raises OSError."""
        self._folder.destroy_key(session_id)
        # The recording last: an agent that is killed now finds it without its key, and deletes it once more.
        self._folder.remove(session_id, Part.END, Part.HOLD, Part.GONE, Part.RECORDING)
        self._condemned.pop(session_id, None)

    def _destructible(self, session_id: str) -> Entry:
        entry = self.readable(session_id)
        if entry.is_held or entry.state is RecordingState.OPEN:
            message = f"{session_id}: {'it is held' if entry.is_held else 'its session is open: end it first'}"
            raise RecordingHeld(message)
        return entry

    def _is_due(self, entry: Entry, now_unix_ns: int) -> bool:
        return 0 < self.delete_unix_ns(entry) <= now_unix_ns

    def _refuse_more(self, session_id: str, caller: str) -> None:
        there = [entry.caller for entry in self._entries.values() if entry.state is not RecordingState.SHREDDED]
        if session_id in self._entries or session_id in self._condemned:
            message = "there is a recording of this session"
        elif len(there) + len(self._condemned) >= MAX_RECORDINGS:
            message = f"there are {MAX_RECORDINGS} recordings"
        elif there.count(caller) >= MAX_OF_CALLER:
            message = f"there are {MAX_OF_CALLER} recordings of this caller"
        else:
            return
        raise AuditUnavailable(message)

    def _drop_stones(self) -> None:
        """Forgets the stones that are too many, those of the first destroyed; raises OSError."""
        gone = [entry for entry in self._entries.values() if entry.state is RecordingState.SHREDDED]
        gone.sort(key=lambda entry: (entry.kept_from_unix_ns, entry.session_id))
        for entry in gone[: max(0, len(gone) - MAX_STONES)]:
            self._folder.remove(entry.session_id, Part.GONE)
            del self._entries[entry.session_id]


def _unavailable(error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"the recording cannot be made: {error.strerror}")
