"""Requests about recordings are held to their bounds before anything is done, and an agent without any says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.v1 import audit_pb2
from leadglass_agent.api.recordings import hold_recording, list_recordings, read_recording, shred_recording
from leadglass_agent.errors import InvalidRequest, RecordingUnknown, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.api.question import Question, StreamQuestion

_QUESTIONS = (list_recordings, read_recording, hold_recording, shred_recording)
_KEY = bytes(range(32))


@pytest.mark.parametrize("question", _QUESTIONS)
@given(wire=st.binary(max_size=200))
def test_whatever_bytes_come_are_a_question_or_refused(
    question: Callable[[bytes], Question | StreamQuestion], wire: bytes
) -> None:
    try:
        asked = question(wire)
    except Refusal:
        return
    assert all(isinstance(text, str) for pair in asked.arguments for text in pair)


@given(session_id=st.text(max_size=70))
def test_only_what_can_be_a_sessions_id_is_looked_for(session_id: str) -> None:
    fits = (
        0 < len(session_id) <= 64 and session_id.isascii() and session_id.replace("-", "_").replace("_", "a").isalnum()
    )
    for question, request in (
        (read_recording, audit_pb2.ReadRecordingRequest(session_id=session_id, public_key=_KEY)),
        (hold_recording, audit_pb2.HoldRecordingRequest(session_id=session_id)),
        (shred_recording, audit_pb2.ShredRecordingRequest(session_id=session_id)),
    ):
        if fits:
            assert ("session_id", session_id) in question(request.SerializeToString()).arguments
        else:
            with pytest.raises(RecordingUnknown):
                question(request.SerializeToString())


def test_the_audit_log_sees_who_holds_what_and_why_and_never_a_key() -> None:
    held = hold_recording(
        audit_pb2.HoldRecordingRequest(session_id="s1", hold=True, reason="a case").SerializeToString()
    )
    assert held.arguments == (("session_id", "s1"), ("hold", "true"), ("reason", "a case"))
    let_go = hold_recording(audit_pb2.HoldRecordingRequest(session_id="s1", reason="over").SerializeToString())
    assert ("hold", "false") in let_go.arguments
    read = read_recording(audit_pb2.ReadRecordingRequest(session_id="s1", public_key=_KEY).SerializeToString())
    assert read.arguments == (("session_id", "s1"),)


@pytest.mark.parametrize("public_key", [b"x", _KEY[:31], _KEY + b"x"])
def test_a_key_of_another_length_is_refused_at_once(public_key: bytes) -> None:
    request = audit_pb2.ReadRecordingRequest(session_id="s1", public_key=public_key)
    with pytest.raises(InvalidRequest):
        read_recording(request.SerializeToString())


@pytest.mark.parametrize("token", ["x", "1", "1.", ".a", "1.a/b", "-1.a", "1." + "a" * 65, "9" * 21 + ".a", "1.a\n"])
def test_a_page_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        list_recordings(audit_pb2.ListRecordingsRequest(page_token=token).SerializeToString())


def test_a_reason_of_any_length_is_no_way_to_fill_the_log() -> None:
    for request in (
        audit_pb2.HoldRecordingRequest(session_id="s1", reason="x" * 4_001),
        audit_pb2.ShredRecordingRequest(session_id="s1", reason="x" * 4_001),
    ):
        question = hold_recording if isinstance(request, audit_pb2.HoldRecordingRequest) else shred_recording
        with pytest.raises(InvalidRequest):
            question(request.SerializeToString())
