"""Remembers the current session of each agent between commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.settings.folders import state_folder

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = 1
_MAX_BYTES = 1024 * 1024
_MAX_SESSIONS = 500  # the oldest are forgotten; they ended long ago


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session id, and the agent that it belongs to: it is sent to no other."""

    agent: str
    session_id: str


def sessions_path() -> Path:
    """Returns the file that holds the current sessions."""
    return state_folder() / "sessions.json"


def read_session(agent: str) -> str:
    """Returns the id of the current session at this agent, or an empty text."""
    return next((stored.session_id for stored in _read() if stored.agent == agent), "")


def keep_session(agent: str, session_id: str) -> None:
    """Makes a session the current one at this agent."""
    others = tuple(stored for stored in _read() if stored.agent != agent)
    _write((*others, StoredSession(agent, session_id))[-_MAX_SESSIONS:])


def forget_session(agent: str, session_id: str) -> None:
    """Forgets this session, if it is the current one at this agent."""
    gone = StoredSession(agent, session_id)
    before = _read()
    if gone in before:
        _write(tuple(stored for stored in before if stored != gone))


def _read() -> tuple[StoredSession, ...]:
    path = sessions_path()
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        document: object = json.loads(content)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _broken(path) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path) from error
    if not isinstance(document, dict) or set(document) != {"version", "sessions"} or document["version"] != _VERSION:
        raise _broken(path)
    sessions = document["sessions"]
    good = isinstance(sessions, dict) and all(isinstance(value, str) for value in sessions.values())
    if not good:
        raise _broken(path)
    return tuple(StoredSession(agent, session_id) for agent, session_id in sessions.items())


def _write(sessions: tuple[StoredSession, ...]) -> None:
    document = {"version": _VERSION, "sessions": {stored.agent: stored.session_id for stored in sessions}}
    private_files.make_directory(sessions_path().parent)
    private_files.replace(sessions_path(), json.dumps(document, indent=2).encode() + b"\n")


def _broken(path: Path) -> Failure:
    return Failure(ExitCode.ERROR, f"{path} cannot be read as sessions", f"remove it and open a new session: rm {path}")
