"""The questions of AuditService about recordings: list, read, hold, destroy."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from leadglass.v1 import audit_pb2
from leadglass_agent.access.justification import judge_finding
from leadglass_agent.api import messages
from leadglass_agent.api.question import Call, LiveCall, Ports, Question, Reply, StreamQuestion, parse
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import InvalidRequest, RecordingUnknown
from leadglass_agent.recordings.format import is_session_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from leadglass_agent.recordings.archive import Listed
    from leadglass_agent.recordings.recorder import Recorder

_DEFAULT_PAGE: Final = 500
_MAX_PAGE: Final = 1_000
_MAX_TEXT: Final = 4_000  # as in OpenSession: the record of a refusal shows what was tried
_KEY_BYTES: Final = 32
_PIECE: Final = 144 * 1024  # makes 192 KiB of base64
_PAGE_TOKEN: Final = re.compile(r"(?P<open>[0-9]{1,20})\.(?P<id>[A-Za-z0-9_-]{1,64})")


def list_recordings(wire: bytes) -> Question:
    """Reads a ListRecordingsRequest."""
    request = parse(audit_pb2.ListRecordingsRequest, wire)
    after = _place(request.page_token)
    if request.page_size < 0:
        detail = "page_size is negative"
        raise InvalidRequest(detail)
    limit = min(request.page_size or _DEFAULT_PAGE, _MAX_PAGE)

    async def answer(ports: Ports, _call: Call) -> Reply:
        found = () if ports.recordings is None else await ports.recordings.page(after, limit + 1)
        shown = found[:limit]
        message = audit_pb2.ListRecordingsResponse(
            recordings=[_recording(listed) for listed in shown],
            next_page_token=_token(shown[-1]) if len(found) > limit else "",
        )
        return Reply(message, rows=len(shown), own_words=tuple(listed.entry.ticket for listed in shown))

    arguments = (("page_token", request.page_token),) if request.page_token else ()
    return Question(arguments=arguments, answer=answer)


def read_recording(wire: bytes) -> StreamQuestion:
    """Reads a ReadRecordingRequest."""
    request = parse(audit_pb2.ReadRecordingRequest, wire)
    session_id = _session_id(request.session_id)
    public_key = request.public_key
    if len(public_key) not in (0, _KEY_BYTES):
        detail = "public_key has not 32 bytes"
        raise InvalidRequest(detail)

    def answers(ports: Ports, _live: LiveCall) -> AsyncGenerator[Reply, None]:
        return _pieces(_recorder(ports), session_id, public_key)

    return StreamQuestion(arguments=(("session_id", session_id),), answers=answers)


def hold_recording(wire: bytes) -> Question:
    """Reads a HoldRecordingRequest."""
    request = parse(audit_pb2.HoldRecordingRequest, wire)
    session_id = _session_id(request.session_id)
    _check_reason(request.reason)

    async def answer(ports: Ports, call: Call) -> Reply:
        reason = judge_finding(request.reason)
        kind = EventKind.RECORDING_HELD if request.hold else EventKind.RECORDING_RELEASED

        async def record(listed: Listed) -> None:
            await call.record(_event(kind, call, listed, reason))

        listed = await _recorder(ports).hold(session_id, is_held=request.hold, record=record)
        message = audit_pb2.HoldRecordingResponse(recording=_recording(listed))
        return Reply(message, own_words=(listed.entry.ticket,))

    arguments = (("session_id", session_id), ("hold", "true" if request.hold else "false"), ("reason", request.reason))
    return Question(arguments=arguments, answer=answer)


def shred_recording(wire: bytes) -> Question:
    """Reads a ShredRecordingRequest."""
    request = parse(audit_pb2.ShredRecordingRequest, wire)
    session_id = _session_id(request.session_id)
    _check_reason(request.reason)

    async def answer(ports: Ports, call: Call) -> Reply:
        reason = judge_finding(request.reason)

        async def record(listed: Listed) -> None:
            await call.record(_event(EventKind.RECORDING_SHREDDED, call, listed, reason))

        listed = await _recorder(ports).shred(session_id, call.now, record)
        return Reply(audit_pb2.ShredRecordingResponse(recording=_recording(listed)))

    return Question(arguments=(("session_id", session_id), ("reason", request.reason)), answer=answer)


async def _pieces(recorder: Recorder, session_id: str, public_key: bytes) -> AsyncGenerator[Reply, None]:
    """Gives the recording as it is now, in pieces; what is written meanwhile belongs to the next reading."""
    opening = await recorder.opening(session_id, public_key)
    holder = audit_pb2.RECORDING_KEY_HOLDER_AUDITOR if opening.is_auditors else audit_pb2.RECORDING_KEY_HOLDER_CALLER
    sealed_key = base64.b64encode(opening.sealed_key).decode("ascii")
    at = 0
    while at < opening.size_bytes:
        piece = await recorder.piece(session_id, at, min(_PIECE, opening.size_bytes - at))
        if not piece:
            detail = "the recording became shorter while it was read"
            raise RecordingUnknown(detail)
        data = base64.b64encode(piece).decode("ascii")
        message = audit_pb2.ReadRecordingResponse(
            sealed_key="" if at else sealed_key,
            key_holder=audit_pb2.RECORDING_KEY_HOLDER_UNSPECIFIED if at else holder,
            data=data,
            is_last=at + len(piece) >= opening.size_bytes,
        )
        # What is random holds every short value by chance, sooner or later; the barrier saw it before it was encrypted.
        yield Reply(
            message,
            rows=0 if at else 1,
            own_words=(sealed_key, data),
            is_last=message.is_last,
            facts=() if at else (("recording_of", session_id), ("size_bytes", opening.size_bytes)),
        )
        at += len(piece)


def _recorder(ports: Ports) -> Recorder:
    if ports.recordings is None:
        detail = "this agent records nothing"
        raise RecordingUnknown(detail)
    return ports.recordings


def _session_id(text: str) -> str:
    if not is_session_id(text):
        detail = "the session id is not of the form of one"
        raise RecordingUnknown(detail)
    return text


def _check_reason(reason: str) -> None:
    if len(reason) > _MAX_TEXT:
        detail = "the reason is longer than 4,000 characters"
        raise InvalidRequest(detail)


def _event(kind: EventKind, call: Call, listed: Listed, reason: str) -> Event:
    """Gives the record of what became of a recording: by whom, and why."""
    entry = listed.entry
    return Event(
        kind=kind,
        caller=call.caller.spiffe_id,
        key_digest=call.caller.key_digest,
        session_id=entry.session_id,
        policy_digest=call.policy.digest,
        reason_text=reason,
        facts=(("state", entry.state.value), ("size_bytes", entry.size_bytes)),
    )


def _recording(listed: Listed) -> audit_pb2.Recording:
    entry = listed.entry
    return audit_pb2.Recording(
        session_id=entry.session_id,
        caller=entry.caller,
        ticket=entry.ticket,
        open_time=messages.timestamp(entry.open_unix_ns),
        end_time=messages.timestamp(entry.end_unix_ns) if entry.end_unix_ns else None,
        size_bytes=entry.size_bytes,
        state=audit_pb2.RecordingState.Value(f"RECORDING_STATE_{entry.state.value}"),
        held=entry.is_held,
        delete_time=messages.timestamp(listed.delete_unix_ns) if listed.delete_unix_ns else None,
    )


def _place(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    match = _PAGE_TOKEN.fullmatch(token)
    if match is None:
        detail = "page_token is not one of ours"
        raise InvalidRequest(detail)
    return -int(match["open"]), match["id"]


def _token(listed: Listed) -> str:
    return f"{listed.entry.open_unix_ns}.{listed.entry.session_id}"
