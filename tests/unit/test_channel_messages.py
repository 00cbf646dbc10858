"""Only known messages cross the channel: whatever else comes is a ChannelError and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import Profile, RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.processes.frames import MAX_FRAME, ChannelError
from leadglass_agent.processes.messages import (
    MAX_ANSWER,
    AgentAnswer,
    AgentRequest,
    Answer,
    DirectoryRequest,
    EnvironmentRequest,
    FilesAnswer,
    FilesRequest,
    Part,
    ProcessesRequest,
    RefusedAnswer,
    Request,
    RevealAnswer,
    RevealRequest,
    TextAnswer,
    TextRequest,
    decode_answer,
    decode_part,
    decode_request,
    encode_answer,
    encode_part,
    encode_request,
)
from leadglass_agent.redaction.escape import Visible
from leadglass_agent.sandbox.posture import Role, Standing, read_posture
from leadglass_agent.views.rows import (
    ProcessRef,
    TextEnd,
    TextFile,
    TextFilter,
    TextLine,
    TextPage,
    TextQuery,
    TextStart,
)

Decode: TypeAlias = Callable[[bytes], object]

_DEADLINE = 1_000_000_000
_REF = ProcessRef(pid=7, start_ticks=9)
_SCOPE = Scope(permits=(ScopeRule(RuleId("all"), names=("*",), paths=("/srv/**",)),))
REQUESTS: tuple[Request, ...] = (
    AgentRequest(1, _DEADLINE, attempt=True),
    ProcessesRequest(
        2,
        _DEADLINE,
        after_pid=0,
        limit=10,
        pids=(1, 2),
        subtree_of_pid=0,
        name_glob="*",
        scope_list=_SCOPE,
        scope_executable=None,
        scope_argv=_SCOPE,
    ),
    EnvironmentRequest(
        3, _DEADLINE, process=_REF, names=("A",), scope_presence=_SCOPE, scope_names=None, after_index=0, limit=10
    ),
    FilesRequest(4, _DEADLINE, process=_REF, scope=_SCOPE, paths=("/srv",), follow_symlinks=False),
    DirectoryRequest(
        5, _DEADLINE, process=_REF, scope_list=_SCOPE, scope_metadata=None, path="/srv", after_index=0, limit=10
    ),
)
_TEXT_QUERY = TextQuery("/srv/app.log", TextStart.TAIL, 0, 10, 4_096, True, TextFilter("a+", False, True, 1, 2))  # noqa: FBT003 - fields of a message
REQUESTS += (TextRequest(6, _DEADLINE, process=_REF, scope=_SCOPE, query=_TEXT_QUERY, stream=3, close=False),)
REQUESTS += (RevealRequest(7, _DEADLINE, process=_REF, name="A", scope=_SCOPE, recipient_key=bytes(32)),)
ANSWERS: tuple[Answer, ...] = (
    RevealAnswer(is_set=True, sealed=b"\0\xff" * 300),
    RefusedAnswer(Reason.PROCESS_NOT_FOUND, "gone"),
    AgentAnswer(40, (read_posture(Standing(Role.READER, one_way_glass=False)),)),
    FilesAnswer(()),
    TextAnswer(
        TextPage(
            stream=6,
            redaction=Profile.STRICT,
            file=TextFile(Visible("/srv/app.log", truncated=False), 10, 1, 0, starts_within_line=False),
            lines=(TextLine(Visible("a [redacted:token]", truncated=False), is_context=True),),
            redactions=(("token", 1),),  # type: ignore[arg-type] # as it is on the wire
            end=TextEnd.END_OF_FILE,
        )
    ),
)
_DECODERS: tuple[Decode, ...] = (decode_request, decode_answer, decode_part)
_WIRE = tuple(encode_request(request) for request in REQUESTS) + tuple(
    msgspec.msgpack.encode(answer) for answer in ANSWERS
)

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _fields(message: object) -> dict[str, object]:
    fields: object = msgspec.to_builtins(message)
    assert isinstance(fields, dict)
    return fields


def _refused_or_known(decode: Decode, payload: bytes) -> None:
    """Decodes noise; anything but a known message or ChannelError fails the test."""
    try:
        message = decode(payload)
    except ChannelError:
        return
    assert isinstance(message, Request | Answer | Part)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    assert decode_request(encode_request(request_)) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_arrives_as_it_was_sent(answer: Answer) -> None:
    parts = [decode_part(payload) for payload in encode_answer(6, answer)]
    assert {part.id for part in parts} == {6}
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert decode_answer(b"".join(part.piece for part in parts)) == answer


def test_a_large_answer_comes_in_parts_that_fit_into_frames() -> None:
    answer = RefusedAnswer(Reason.INTERNAL, "x" * 1_000_000)
    payloads = list(encode_answer(1, answer))
    assert len(payloads) > 1
    assert all(len(payload) <= MAX_FRAME for payload in payloads)
    assert decode_answer(b"".join(decode_part(payload).piece for payload in payloads)) == answer


def test_an_answer_above_its_bound_is_not_sent() -> None:
    with pytest.raises(ChannelError):
        list(encode_answer(1, RefusedAnswer(Reason.INTERNAL, "x" * (MAX_ANSWER + 1))))


@pytest.mark.parametrize("decode", [decode_request, decode_answer])
@pytest.mark.parametrize("tag", ["ExecRequest", "", "agentrequest", "Part", None, 1, [], {}], ids=repr)
def test_an_unknown_tag_ends_the_channel(decode: Decode, tag: object) -> None:
    with pytest.raises(ChannelError):
        decode(msgspec.msgpack.encode({"type": tag, "id": 1}))


@pytest.mark.parametrize("decode", _DECODERS)
@pytest.mark.parametrize("payload", [b"\x80", b"\x90", b"\xc0", b"\x01", b"", b"\xc1", b"\xa1\xff"], ids=repr)
def test_a_message_that_is_no_message_ends_the_channel(decode: Decode, payload: bytes) -> None:
    with pytest.raises(ChannelError):
        decode(payload)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_an_unknown_field_ends_the_channel(request_: Request) -> None:
    with pytest.raises(ChannelError):
        decode_request(msgspec.msgpack.encode(_fields(request_) | {"signal": 9}))


def test_an_unknown_field_inside_a_scope_ends_the_channel() -> None:
    fields = _fields(REQUESTS[3])
    for path in (("scope",), ("process",)):
        inner = fields[path[0]]
        assert isinstance(inner, dict)
        with pytest.raises(ChannelError):
            decode_request(msgspec.msgpack.encode(fields | {path[0]: inner | {"unsafe": True}}))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_missing_field_ends_the_channel(request_: Request) -> None:
    fields = _fields(request_)
    for name in fields:
        with pytest.raises(ChannelError):
            decode_request(msgspec.msgpack.encode({key: value for key, value in fields.items() if key != name}))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_value_of_a_wrong_type_ends_the_channel(request_: Request) -> None:
    fields = _fields(request_)
    for name in fields:
        with pytest.raises(ChannelError):
            decode_request(msgspec.msgpack.encode(fields | {name: 1.5}))


@pytest.mark.parametrize("decode", _DECODERS)
def test_a_message_nested_without_end_ends_the_channel(decode: Decode) -> None:
    with pytest.raises(ChannelError):
        decode(b"\x91" * 100_000 + b"\xc0")


def test_what_follows_a_message_in_its_frame_ends_the_channel() -> None:
    with pytest.raises(ChannelError):
        decode_request(encode_request(AgentRequest(1, _DEADLINE, attempt=True)) + b"\x00")


def test_a_request_is_no_answer_and_an_answer_no_request() -> None:
    with pytest.raises(ChannelError):
        decode_answer(encode_request(AgentRequest(1, _DEADLINE, attempt=True)))
    with pytest.raises(ChannelError):
        decode_request(encode_part(Part(1, b"", last=True)))


def test_the_error_quotes_nothing_of_the_frame() -> None:
    wire = msgspec.msgpack.encode({"type": "AgentRequest", "id": 1, "hunter2-of-the-target": 1})
    with pytest.raises(ChannelError) as caught:
        decode_request(wire)
    assert "hunter2" not in str(caught.value)


# Each example is tried on every message and every decoder: together far more than 10,000 malformed frames.
@settings(max_examples=500)
@given(payload=st.binary(max_size=120))
def test_noise_is_refused_or_known(payload: bytes) -> None:
    for decode in _DECODERS:
        _refused_or_known(decode, payload)


@settings(max_examples=400)
@given(position=st.integers(0, 2_000), patch=st.binary(max_size=4), removed=st.integers(0, 4))
def test_a_damaged_message_is_refused_or_known(position: int, patch: bytes, removed: int) -> None:
    for wire in _WIRE:
        start = position % len(wire)
        for decode in _DECODERS:
            _refused_or_known(decode, wire[:start] + patch + wire[start + removed :])


@settings(max_examples=200)
@given(value=_json)
def test_a_message_with_a_strange_value_in_any_field_is_refused_or_known(value: object) -> None:
    for wire in _WIRE:
        fields: object = msgspec.msgpack.decode(wire)
        assert isinstance(fields, dict)
        for name in (*fields, "other"):
            _refused_or_known(decode_answer, msgspec.msgpack.encode(fields | {name: value}))
            _refused_or_known(decode_request, msgspec.msgpack.encode(fields | {name: value}))
