"""Lists the recordings of sessions, fetches one as it lies on the agent's disk, holds and destroys them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass.v1.audit_pb2 import (
    HoldRecordingRequest,
    ListRecordingsRequest,
    ListRecordingsResponse,
    ReadRecordingRequest,
    RecordingKeyHolder,
    ShredRecordingRequest,
)
from leadglass.v1.audit_pb2_grpc import AuditServiceStub
from leadglass_client.connection.agent import Agent
from leadglass_client.connection.pages import collect
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.names import is_session_id
from leadglass_client.online.limits import limit_of, limit_reached
from leadglass_client.output.screen import show
from leadglass_client.replay.fetched import Fetched
from leadglass_client.settings.global_options import DEFAULT_TIMEOUT_SECONDS
from leadglass_client.settings.target import resolve_target
from leadglass_client.views.recordings import recording_sheet, recordings_sheet

if TYPE_CHECKING:
    from leadglass_client.forms import OutputForm
    from leadglass_client.settings.global_options import GlobalOptions

_FETCH_SECONDS: Final = 600.0  # as long as the agent lets the stream last
_MAX_BYTES: Final = 257 * 1024 * 1024  # a recording has at most 256 MiB
_MAX_SEALED: Final = 1024
_TOO_MUCH: Final = "the agent sends more than a recording can have"
_TOO_LITTLE: Final = "the agent did not send the whole recording"
_NO_BASE64: Final = "the agent sends what is no base64"


def list_recordings(options: GlobalOptions, limit: int | None, form: OutputForm) -> None:
    """Prints the recordings that the agent has."""
    with Agent(resolve_target(options)) as agent:
        stub = AuditServiceStub(agent.channel)

        def fetch(size: int, token: str) -> ListRecordingsResponse:
            return agent.ask(stub.ListRecordings, ListRecordingsRequest(page_size=size, page_token=token))

        result = collect(fetch, lambda page: len(page.recordings), limit_of(limit))
    show(recordings_sheet(result.pages, more=result.more), form, no_color=options.no_color)
    limit_reached(limit, more=result.more)


def fetch_recording(options: GlobalOptions, session_id: str, public_key: bytes) -> Fetched:
    """Fetches a recording, and its key sealed to an X25519 public key or, if the agent has one, to the auditor's."""
    check_session_id(session_id)
    if options.timeout_seconds == DEFAULT_TIMEOUT_SECONDS:
        options = replace(options, timeout_seconds=_FETCH_SECONDS)
    pieces: list[bytes] = []
    size, sealed, holder, is_last = 0, "", 0, False
    with Agent(resolve_target(options)) as agent:
        request = ReadRecordingRequest(session_id=session_id, public_key=public_key)
        for message in agent.stream(AuditServiceStub(agent.channel).ReadRecording, request):
            if not pieces and not sealed:
                sealed, holder = message.sealed_key, message.key_holder
            piece = _decoded(message.data)
            size += len(piece)
            if size > _MAX_BYTES:
                raise _odd(_TOO_MUCH)
            pieces.append(piece)
            is_last = message.is_last
    if not is_last or len(sealed) > _MAX_SEALED:
        raise _odd(_TOO_LITTLE)
    is_auditors = holder == RecordingKeyHolder.RECORDING_KEY_HOLDER_AUDITOR
    return Fetched(session_id, b"".join(pieces), _decoded(sealed), is_auditors)


def hold_recording(options: GlobalOptions, session_id: str, reason: str, form: OutputForm, *, hold: bool) -> None:
    """Keeps a recording whatever the retention says, or lets go of it again."""
    check_session_id(session_id)
    with Agent(resolve_target(options)) as agent:
        request = HoldRecordingRequest(session_id=session_id, hold=hold, reason=reason)
        recording = agent.ask(AuditServiceStub(agent.channel).HoldRecording, request).recording
    show(recording_sheet(recording), form, no_color=options.no_color)


def shred_recording(options: GlobalOptions, session_id: str, reason: str, form: OutputForm) -> None:
    """Destroys the key of a recording, and with it the recording."""
    check_session_id(session_id)
    with Agent(resolve_target(options)) as agent:
        request = ShredRecordingRequest(session_id=session_id, reason=reason)
        recording = agent.ask(AuditServiceStub(agent.channel).ShredRecording, request).recording
    show(recording_sheet(recording), form, no_color=options.no_color)


def check_session_id(session_id: str) -> None:
    """Fails if this cannot be the id of a session."""
    if not is_session_id(session_id):
        what = f"{session_id!r} is no id of a session"
        raise Failure(ExitCode.USAGE, what, "see which there are: leadglass recording list")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _odd(_NO_BASE64) from None


def _odd(what: str) -> Failure:
    return Failure(ExitCode.ERROR, what, "compare versions: leadglass self, leadglass --version")
