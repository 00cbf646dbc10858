"""Starts the recording of sessions as the configuration says: the folder, and the keys that lie in mounted files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.mounted_files import FilesUnread, read_set
from leadglass_agent.recordings.folder import FolderRefused
from leadglass_agent.recordings.keys import MAX_KEY_FILE, RecordingKeyError, parse_auditor, parse_mounted
from leadglass_agent.recordings.recorder import Recorder, Recording
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.api.question import AgentFacts
    from leadglass_agent.config import Recordings
    from leadglass_agent.recordings.keys import WrappingKeys


def open_recorder(recordings: Recordings | None, facts: AgentFacts, mask: Callable[[str], str]) -> Recorder | None:
    """Gives the recorder, None if nothing is to be recorded; raises StartRefused for what cannot be used."""
    if recordings is None:
        return None
    _refuse_key_inside(recordings)
    try:
        return Recorder(
            Recording(
                path=Path(recordings.path),
                keys=_keys(recordings),
                retention_days=recordings.retention_days,
                agent_id=facts.agent_id,
                version=facts.version,
                mask=mask,
            )
        )
    except FolderRefused as error:
        raise StartRefused(str(error)) from None


def _refuse_key_inside(recordings: Recordings) -> None:
    """Refuses a key beside what it opens: whoever copies the folder, or clears it up, must not have both."""
    path = Path(recordings.key or recordings.auditor_key)
    folder = os.path.realpath(recordings.path)
    # Both where it is named and where a link leads to: Kubernetes mounts files as links.
    for place in (Path(os.path.realpath(path.parent)), Path(os.path.realpath(path))):
        if place.is_relative_to(folder):
            message = f"{path} lies inside the folder of recordings {recordings.path}: put the key elsewhere"
            raise StartRefused(message)


def _keys(recordings: Recordings) -> WrappingKeys:
    path = recordings.key or recordings.auditor_key
    try:
        content = read_set((path,), MAX_KEY_FILE).contents[0]
        return parse_mounted(content) if recordings.key else parse_auditor(content)
    except FilesUnread as error:
        raise StartRefused(str(error)) from None
    except RecordingKeyError as error:
        message = f"{path}: {error}"
        raise StartRefused(message) from None
