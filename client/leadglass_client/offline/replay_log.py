"""Holds a recording against the audit log, which has the digest of what was recorded of each call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_client.replay.recording import Recording

_MAX_LINE: Final = 64 * 1024
_KINDS: Final = frozenset({"OUTCOME", "REFUSED"})
_AGENT_KINDS: Final = (b'"AGENT_STARTED"', b'"AGENT_STOPPED"')
_UNKNOWN: Final = "the audit log does not know the session, so it proves nothing of it"
_LACKED: Final = "the recording lacks a call that the audit log has"
_CHANGED: Final = "a call is not what the audit log says was recorded"
_UNLOGGED: Final = "the audit log lacks a call that the recording has"
_KEEP: Final = "keep both files as they are, and verify the log: leadglass audit verify LOG"


@dataclass(slots=True)
class _Logged:
    """What the log says of one session: its calls' digests, where it begins, and where an agent begins or ends."""

    digests: dict[str, str] = field(default_factory=dict)
    opened: int | None = None
    is_ended: bool = False
    last_agent: int = 0

    @property
    def is_over(self) -> bool:
        """Says whether the log reaches the session's end; sessions end with their agent."""
        return self.opened is not None and (self.is_ended or self.last_agent > self.opened)


def check_against_log(recording: Recording, logs: Sequence[Path]) -> bool:
    """Fails unless every call that either of the two has is in both, with the same digest.

    Says whether the log reaches the session's end, so that no call can be missing from both.
    """
    session = recording.opened.session_id
    logged = _Logged()
    for log in logs:
        _read(log, session, logged)
    if logged.opened is None:
        raise Failure(ExitCode.AUDIT_INVALID, _UNKNOWN, "give every log of the agent from the session's beginning on")
    recorded = {call.called.call_id: call for call in recording.calls}
    for call_id, digest in logged.digests.items():
        if call_id not in recorded:
            raise _mismatch(_LACKED, call_id)
        if recorded[call_id].digest != digest:
            raise _mismatch(_CHANGED, call_id)
    # Of a flood of refusals the log has the first ones and a count of the rest.
    for call in recording.calls:
        if call.ended is not None and not call.refusal and call.called.call_id not in logged.digests:
            raise _mismatch(_UNLOGGED, call.called.call_id)
    note(
        f"the audit log has the digest of {len(logged.digests)} of {len(recording.calls)} calls, and they are the same"
    )
    return logged.is_over


def _read(log: Path, session: str, logged: _Logged) -> None:
    wanted = (session.encode(), *_AGENT_KINDS)
    try:
        with log.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                if any(one in line for one in wanted):
                    _take(line, session, logged)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {log}: {error.strerror}", "give a copy of the agent's log") from error


def _take(line: bytes, session: str, logged: _Logged) -> None:
    """Takes from a record what it says of the session; one log's numbers go on in the next."""
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return  # what is no record, `leadglass audit verify` finds
    match found:
        case {"kind": "AGENT_STARTED" | "AGENT_STOPPED", "seq": int(number)}:
            logged.last_agent = max(logged.last_agent, number)
        case {"kind": "SESSION_OPENED", "session_id": str(of), "seq": int(number)} if of == session:
            logged.opened = number
        case {"kind": "SESSION_ENDED", "session_id": str(of)} if of == session:
            logged.is_ended = True
        case {"session_id": str(of), "kind": str(kind), "call_id": str(call_id), "recording": str(digest)}:
            if of == session and kind in _KINDS and digest:
                logged.digests[call_id] = digest
        case _:
            return


def _mismatch(what: str, call_id: str) -> Failure:
    return Failure(ExitCode.AUDIT_INVALID, f"{what}: {call_id}", _KEEP)
