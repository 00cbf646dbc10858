"""Finds the recordings that are in a folder when an agent starts, and ends what the one before was killed at.

Whoever names the wrong folder loses nothing: what is not as this agent writes it is neither changed nor removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.recordings.entry import Entry, RecordingState, end_mark, ended, ended_as_marked, read_stone
from leadglass_agent.recordings.folder import FolderRefused, Part
from leadglass_agent.recordings.format import MAX_HEADER, RecordingError, read_header
from leadglass_agent.recordings.keys import is_wrapped

if TYPE_CHECKING:
    from leadglass_agent.recordings.folder import Folder


def find(folder: Folder) -> tuple[Entry, ...]:
    """Gives all recordings that are there, none of them open; raises OSError or FolderRefused."""
    parts_of: dict[str, set[Part]] = {}
    for session_id, part in folder.parts():
        parts_of.setdefault(session_id, set()).add(part)
    found = (_found(folder, session_id, parts) for session_id, parts in parts_of.items())
    return tuple(entry for entry in found if entry is not None)


def bury(folder: Folder, session_id: str) -> None:
    """Destroys a recording beside its stone, the key first; raises OSError."""
    folder.destroy_key(session_id)
    folder.remove(session_id, Part.RECORDING, Part.END, Part.HOLD)


def _found(folder: Folder, session_id: str, parts: set[Part]) -> Entry | None:
    stone = read_stone(session_id, folder.small(session_id, Part.GONE)) if Part.GONE in parts else None
    if stone is not None and {Part.RECORDING, Part.KEY, Part.HOLD} <= parts:
        # It was held after its key could not be destroyed: what is held stays.
        folder.remove(session_id, Part.GONE)
        stone = None
    if stone is not None:
        if len(parts) > 1:
            _refuse_foreign_key(folder, session_id, parts)
            bury(folder, session_id)
        return stone
    if Part.RECORDING not in parts:
        if Part.KEY in parts:
            # Nothing was ever recorded under this key: the agent was killed between the two.
            _refuse_foreign_key(folder, session_id, parts)
            folder.destroy_key(session_id)
        return None
    return _recording(folder, session_id, parts)


def _recording(folder: Folder, session_id: str, parts: set[Part]) -> Entry | None:
    found = folder.stat(session_id, Part.RECORDING)
    try:
        open_unix_ns = read_header(folder.read(session_id, Part.RECORDING, 0, MAX_HEADER))[0].open_unix_ns
    except RecordingError:
        if not _has_own_key(folder, session_id, parts):
            return None  # somebody else's file
        open_unix_ns = found.st_mtime_ns  # it cannot be read, and is listed all the same
    is_held = Part.HOLD in parts
    entry = Entry(session_id, open_unix_ns, RecordingState.INTERRUPTED, found.st_size, is_held=is_held)
    if Part.KEY not in parts:
        return entry.shredded(found.st_mtime_ns)
    if Part.END in parts:
        return ended_as_marked(entry, folder.small(session_id, Part.END))
    folder.put(session_id, Part.END, end_mark(RecordingState.INTERRUPTED, found.st_mtime_ns))
    return ended(entry, RecordingState.INTERRUPTED, found.st_mtime_ns)


def _has_own_key(folder: Folder, session_id: str, parts: set[Part]) -> bool:
    return Part.KEY in parts and is_wrapped(folder.small(session_id, Part.KEY))


def _refuse_foreign_key(folder: Folder, session_id: str, parts: set[Part]) -> None:
    if Part.KEY in parts and not _has_own_key(folder, session_id, parts):
        message = (
            f"the folder of recordings holds {session_id}{Part.KEY}, which is no recording's key: "
            "give the recordings a folder of their own"
        )
        raise FolderRefused(message)
