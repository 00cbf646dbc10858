"""Writes the recordings of all open sessions: each record is in its file, durable, when a method returns.

What cannot be recorded is not shown: an answer raises AuditUnavailable, or SessionEnded when the session's end came
first. A refusal shows nothing, and one that cannot be recorded is left to the audit log.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import AuditUnavailable, Reason, SessionEnded
from leadglass_agent.recordings.folder import FileChanged, NotDurable
from leadglass_agent.recordings.format import DATA_KEY_BYTES, Header, RecordingError
from leadglass_agent.recordings.records import Closed, Ended
from leadglass_agent.recordings.tape import Tape

if TYPE_CHECKING:
    from leadglass_agent.recordings.folder import Folder
    from leadglass_agent.recordings.records import Called, Opened, Record, Replied
    from leadglass_agent.recordings.store import Store

MAX_RECORDING: Final = 256 * 1024 * 1024
_END_ROOM: Final = 1024 * 1024  # is left for the ends of running calls, and of the session
_MAX_CUT: Final = 1_000
_AT_ITS_END: Final = "the session's recording is at its end"


@dataclass(frozen=True, slots=True)
class End:
    """How and when a session ended, and how many calls it had."""

    unix_ns: int
    state: str
    calls: int


class Tapes:
    """The recordings that are being written. For one thread: every method may wait for the disk."""

    def __init__(self, folder: Folder, store: Store, max_bytes: int = MAX_RECORDING) -> None:
        self._folder = folder
        self._store = store
        self._max_bytes = max_bytes
        self._tapes: dict[str, Tape] = {}
        self._cut: OrderedDict[tuple[str, str], str] = OrderedDict()

    def open(self, opened: Opened, open_unix_ns: int) -> None:
        """Begins the recording of a session; raises AuditUnavailable."""
        data_key = os.urandom(DATA_KEY_BYTES)
        header = Header(opened.session_id, open_unix_ns)
        tape = Tape(header, data_key)
        records = (opened,)
        sealed = tape.sealed(records)
        self._store.create(header, sealed.content, data_key, caller=opened.caller, ticket=opened.ticket)
        tape.written(records, sealed)
        self._tapes[opened.session_id] = tape

    def record(self, session_id: str, called: Called, replies: tuple[Replied, ...], ended: Ended) -> str:
        """Records a whole call and gives the digest of its frames; "" for a refusal that could not be recorded."""
        tape = self._tapes.get(session_id)
        # Known already if the disk was too slow for its answer: then only the refusal is added.
        is_new = tape is None or tape.call(called.call_id) is None
        return self._ended(session_id, (called, *replies, ended) if is_new else (ended,), ended)

    def begin(self, session_id: str, called: Called) -> None:
        """Records that a call begins whose replies come one by one; raises AuditUnavailable."""
        self._append(self._tape(session_id), (called,))

    def reply(self, session_id: str, replied: Replied) -> None:
        """Records one message of a call that has begun; raises AuditUnavailable."""
        tape = self._tape(session_id)
        if replied.call_id not in tape.calls:
            message = "a message of a call that has not begun, or has ended"
            raise AuditUnavailable(message)
        self._append(tape, (replied,))

    def finish(self, session_id: str, ended: Ended) -> str:
        """Records the end of a call that has begun, and gives the digest of its frames; as `record` for a refusal."""
        cut = self._cut.pop((session_id, ended.call_id), None)
        return cut if cut is not None else self._ended(session_id, (ended,), ended)

    def end(self, session_id: str, end: End) -> None:
        """Ends a recording, and the calls in it that still run; raises AuditUnavailable, and can be tried again.

        A session that has ended already, or that was never recorded, stays as it is.
        """
        tape = self._tapes.get(session_id)
        if tape is None:
            return
        if not tape.fault and not tape.is_closed:
            self._write_end(tape, end)
        try:
            self._store.end(session_id, end.unix_ns, is_complete=not tape.fault)
        except OSError as error:
            raise _unavailable(error) from error
        del self._tapes[session_id]

    def close(self, unix_ns: int) -> None:
        """Ends all recordings because the agent ends."""
        for session_id in tuple(self._tapes):
            try:
                self.end(session_id, End(unix_ns, "AGENT_STOPPED", 0))
            except AuditUnavailable:
                continue  # its next start marks it as interrupted

    def _write_end(self, tape: Tape, end: End) -> None:
        cut = tuple(
            Ended(
                call_id=call_id,
                time_unix_ns=end.unix_ns,
                duration_us=0,
                refusal=Reason.SESSION_ENDED.value,
                public=SessionEnded.public,
                replies=call.replies,
                rows=0,
                masked=0,
            )
            for call_id, call in tape.calls.items()
        )
        self._append(tape, (*cut, Closed(end.unix_ns, end.state, end.calls)), is_end=True)
        session_id = tape.header.session_id
        self._cut.update({(session_id, ended.call_id): tape.digest(ended.call_id) for ended in cut})
        while len(self._cut) > _MAX_CUT:
            self._cut.popitem(last=False)

    def _ended(self, session_id: str, records: tuple[Record, ...], ended: Ended) -> str:
        try:
            tape = self._tape(session_id)
            self._append(tape, records, is_end=len(records) == 1)
        except (AuditUnavailable, SessionEnded):
            if not ended.refusal:
                raise
            return ""
        return tape.digest(ended.call_id)

    def _tape(self, session_id: str) -> Tape:
        tape = self._tapes.get(session_id)
        if tape is None:
            if self._store.has(session_id):
                raise SessionEnded(_AT_ITS_END)
            message = "the session is not recorded"
            raise AuditUnavailable(message)
        return tape

    def _append(self, tape: Tape, records: tuple[Record, ...], *, is_end: bool = False) -> None:
        if tape.fault:
            raise AuditUnavailable(tape.fault)
        if tape.is_closed:
            raise SessionEnded(_AT_ITS_END)
        try:
            sealed = tape.sealed(records)
        except RecordingError as error:
            raise AuditUnavailable(str(error)) from error
        content = sealed.content
        if tape.size + len(content) > self._max_bytes - (0 if is_end else _END_ROOM):
            message = f"the recording is full: {tape.size} bytes"
            raise AuditUnavailable(message)
        try:
            self._folder.append(tape.header.session_id, content, tape.size)
        except (FileChanged, NotDurable) as error:
            # Nothing in this file is to be relied on any more, and another session has another file.
            tape.fault = str(error)
            raise AuditUnavailable(tape.fault) from error
        except OSError as error:
            tape.failed()
            raise _unavailable(error) from error
        tape.written(records, sealed)
        self._store.grown(tape.header.session_id, tape.size)


def _unavailable(error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"the recording cannot be written: {error.strerror}")
