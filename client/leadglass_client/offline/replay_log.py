"""Holds a recording against the audit log, which has the digest of what was recorded of each call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leadglass_client.replay.recording import Recording

_MAX_LINE: Final = 64 * 1024
_KINDS: Final = frozenset({"OUTCOME", "REFUSED"})
_LACKED: Final = "the recording lacks a call that the audit log has"
_CHANGED: Final = "a call is not what the audit log says was recorded"
_UNLOGGED: Final = "the audit log lacks a call that the recording has"
_KEEP: Final = "keep both files as they are, and verify the log: leadglass audit verify LOG"


def check_against_log(recording: Recording, logs: Sequence[Path]) -> None:
    """Fails unless every call that either of the two has is in both, with the same digest."""
    session = recording.opened.session_id
    logged: dict[str, str] = {}
    for log in logs:
        logged.update(_digests(log, session))
    recorded = {call.called.call_id: call for call in recording.calls}
    for call_id, digest in logged.items():
        if call_id not in recorded:
            raise _mismatch(_LACKED, call_id)
        if recorded[call_id].digest != digest:
            raise _mismatch(_CHANGED, call_id)
    # Of a flood of refusals the log has the first ones and a count of the rest.
    for call in recording.calls:
        if call.ended is not None and not call.refusal and call.called.call_id not in logged:
            raise _mismatch(_UNLOGGED, call.called.call_id)
    note(f"the audit log has the digest of {len(logged)} of {len(recording.calls)} calls, and they are the same")


def _digests(log: Path, session: str) -> Iterator[tuple[str, str]]:
    """Yields the calls of a session with the digests of their recordings."""
    wanted = session.encode()
    try:
        with log.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                if wanted in line:
                    yield from _digest(line, session)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {log}: {error.strerror}", "give a copy of the agent's log") from error


def _digest(line: bytes, session: str) -> Iterator[tuple[str, str]]:
    try:
        found: object = json.loads(line)
    except ValueError:
        return  # what is no record, `leadglass audit verify` finds
    match found:
        case {"session_id": str(of), "kind": str(kind), "call_id": str(call_id), "recording": str(digest)}:
            if of == session and kind in _KINDS and digest:
                yield call_id, digest
        case _:
            return


def _mismatch(what: str, call_id: str) -> Failure:
    return Failure(ExitCode.AUDIT_INVALID, f"{what}: {call_id}", _KEEP)
