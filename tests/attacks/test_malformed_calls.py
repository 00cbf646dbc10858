"""Whatever a caller sends, the answer is a fixed text and a stable reason, and the attempt is in the audit log."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from typing import TYPE_CHECKING

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import Recipe, auth_context, issue, new_authority
from gates import built_gate
from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS, Method
from leadglass_agent.api.peer import Peer
from leadglass_agent.api.question import Call, Ports, Question, Reply
from leadglass_agent.errors import IdentityRefused, InternalError, Reason, Refusal, TimedOut, refusal_of
from leadglass_agent.policy.model import Permission
from leadglass_agent.processes.reader_client import ReaderClient
from raw_http2 import RawConnection, Way
from running_agent import (
    CALL_SECONDS,
    OPEN_POLICY,
    REASON,
    SERVER_NAME,
    TICKET,
    Caller,
    RunningAgent,
    reason_of,
    running_agent,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

    from leadglass_agent.api.gate import Gate


_RULES = {
    Permission.ENV_PRESENCE: 'names: ["*"]',
    Permission.ENV_NAMES: 'names: ["*"]',
    Permission.FILES_METADATA: 'paths: ["/**"]',
    Permission.FILES_LIST: 'paths: ["/**"]',
    Permission.FILES_ACCESS: 'paths: ["/**"]',
    Permission.TEXT_REDACTED: 'paths: ["/**"]',
    Permission.ENV_REVEAL: 'names: ["*"]',
}
_LISTING = inspect_pb2.ListProcessesRequest
_REF = common_pb2.ProcessRef(pid=1)
_READING = inspect_pb2.ACCESS_OPERATION_READ
# A request within its bounds for every RPC; a session id that is nobody's where one is asked for.
_REQUESTS: dict[str, Message] = {
    "/leadglass.v1.InspectService/ListProcesses": _LISTING(page_size=1),
    "/leadglass.v1.InspectService/ListEnvironment": inspect_pb2.ListEnvironmentRequest(process=_REF, names=["A"]),
    "/leadglass.v1.InspectService/StatFiles": inspect_pb2.StatFilesRequest(process=_REF, paths=["/"]),
    "/leadglass.v1.InspectService/ListDirectory": inspect_pb2.ListDirectoryRequest(process=_REF, path="/"),
    "/leadglass.v1.InspectService/ReadText": inspect_pb2.ReadTextRequest(process=_REF, path="/"),
    "/leadglass.v1.InspectService/ExplainAccess": inspect_pb2.ExplainAccessRequest(
        process=_REF, path="/", operation=_READING
    ),
    "/leadglass.v1.AccessService/OpenSession": access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET),
    "/leadglass.v1.AccessService/GetSession": access_pb2.GetSessionRequest(session_id="x"),
    "/leadglass.v1.AccessService/CloseSession": access_pb2.CloseSessionRequest(session_id="x"),
    "/leadglass.v1.AccessService/ListSessions": access_pb2.ListSessionsRequest(),
    "/leadglass.v1.AccessService/EndSession": access_pb2.EndSessionRequest(session_id="x", reason=REASON),
    "/leadglass.v1.AccessService/Reveal": access_pb2.RevealRequest(
        process=_REF, name="A", recipient_key=base64.b64encode(bytes(31) + b"9").decode()
    ),
    "/leadglass.v1.AccessService/ListReviews": access_pb2.ListReviewsRequest(),
    "/leadglass.v1.AccessService/CloseReview": access_pb2.CloseReviewRequest(review_id="x", finding=REASON),
    "/leadglass.v1.AgentService/GetSelf": agent_pb2.GetSelfRequest(),
    "/leadglass.v1.AuditService/GetCheckpoint": audit_pb2.GetCheckpointRequest(),
    "/leadglass.v1.AuditService/GetInclusionProof": audit_pb2.GetInclusionProofRequest(seq=1),
    "/leadglass.v1.AuditService/GetConsistencyProof": audit_pb2.GetConsistencyProofRequest(old_size=1),
    "/leadglass.v1.AuditService/ReadLog": audit_pb2.ReadLogRequest(max_records=1),
    "/leadglass.v1.AuditService/ListRecordings": audit_pb2.ListRecordingsRequest(),
    "/leadglass.v1.AuditService/ReadRecording": audit_pb2.ReadRecordingRequest(session_id="x"),
    "/leadglass.v1.AuditService/HoldRecording": audit_pb2.HoldRecordingRequest(
        session_id="x", hold=True, reason=REASON
    ),
    "/leadglass.v1.AuditService/ShredRecording": audit_pb2.ShredRecordingRequest(session_id="x", reason=REASON),
}


def _matrix_policy() -> str:
    """Writes a policy in which user-N has the N-th permission, alone and together with the one to open sessions."""
    roles, bindings = [], []
    for permission in Permission:
        name = permission.value.replace(".", "-")
        scope = f", {_RULES[permission]}" if permission in _RULES else ""
        rule = f"effect: permit, permissions: [{permission.value}]{scope}"
        # A reveal asks for approvals; these are nobody's to give.
        grant = "grant: {approvals: 1, approvers: [], maxMinutes: 5}, " if permission is Permission.ENV_REVEAL else ""
        roles.append(f"    - {{name: only-{name}, {grant}rules: [{{id: only-{name}, {rule}}}]}}")
        bindings.append(f'    - {{role: only-{name}, callers: ["spiffe://test.leadglass/user/*-{name}"]}}')
    roles.append(
        "    - {name: opener, rules: [{id: opener, effect: permit, permissions: [session.open]}]}",
    )
    bindings.append('    - {role: opener, callers: ["spiffe://test.leadglass/user/opener-*"]}')
    return "\n".join(
        [
            "apiVersion: leadglass.dev/v1",
            "kind: AccessPolicy",
            "metadata: {name: matrix}",
            "spec:",
            "  session: {callsPerMinute: 6000, maxOpen: 8}",
            "  guard: {denials: 100000}",
            '  breakGlass: {names: ["*"], approvals: 2, approvers: [], maxMinutes: 5, perMonth: 1, reviewOwed: true}',
            "  roles:",
            *roles,
            "  bindings:",
            *bindings,
            "",
        ]
    )


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("matrix"), _matrix_policy()) as running:
        yield running


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(scope="module")
def alice(agent: RunningAgent) -> Caller:
    return agent.caller("alice")


def _ask(caller: Caller, method: str, request: bytes) -> grpc.RpcError | None:
    """Calls a method with bytes as they are; gives the refusal, or None if it is answered."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = caller.channel.unary_unary(method)
    metadata = (("leadglass-session", caller.session_id),) if caller.session_id else ()
    try:
        call(request, timeout=CALL_SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        return error
    return None


def _refused(caller: Caller, method: str, request: bytes) -> str:
    """Calls a method that must refuse; checks that nothing but fixed texts came back, and gives the reason."""
    error = _ask(caller, method, request)
    assert error is not None, f"{method} answered"
    reason = reason_of(error)
    kind = refusal_of(Reason(reason))
    assert (error.code().name, error.details()) == (kind.status.name, kind.public)
    keys = {entry.key for entry in error.trailing_metadata() or ()}
    assert keys == {"grpc-status-details-bin", "leadglass-receipt-bin"}
    return reason


def _name(permission: Permission) -> str:
    return permission.value.replace(".", "-")


def test_every_rpc_has_a_request_to_try() -> None:
    assert set(_REQUESTS) == {method.name for method in METHODS}


@pytest.mark.parametrize("permission", Permission)
def test_a_caller_with_one_permission_reaches_the_rpcs_that_need_it_and_no_other(
    matrix: RunningAgent, permission: Permission
) -> None:
    # One caller has this permission alone and no session; the other may open sessions as well.
    for prefix, may_open in (("only", permission is Permission.SESSION_OPEN), ("opener", True)):
        caller = matrix.caller(f"{prefix}-{_name(permission)}", session=may_open)
        for method in METHODS:
            error = _ask(caller, method.name, _REQUESTS[method.name].SerializeToString())
            reason = reason_of(error) if error else ""
            if method.in_session and not may_open:
                assert reason == "SESSION_MISSING"
            elif method.needs is Permission.ENV_REVEAL:
                assert reason == "POLICY_DENIED", "nobody can approve it"
            elif method.needs is permission or (may_open and method.needs is Permission.SESSION_OPEN):
                # It passed the policy: the answer is one, or says that there is no such session, process or recording.
                assert reason in {"", "SESSION_UNKNOWN", "PROCESS_NOT_FOUND", "REVIEW_UNKNOWN", "RECORDING_UNKNOWN"}
            else:
                assert reason == "POLICY_DENIED", method.name


def test_a_caller_without_a_role_reaches_nothing_and_each_attempt_is_recorded(matrix: RunningAgent) -> None:
    caller = matrix.caller("stranger", session=False)
    before = len(matrix.records())
    for method in METHODS:
        reason = _refused(caller, method.name, _REQUESTS[method.name].SerializeToString())
        assert reason == ("SESSION_MISSING" if method.in_session else "POLICY_DENIED")
    new = matrix.records()[before:]
    assert new.pop(0)["kind"] == "FIRST_SEEN"
    assert [(record["kind"], record["method"]) for record in new] == [("REFUSED", method.name) for method in METHODS]
    assert {record["caller"] for record in new} == {"spiffe://test.leadglass/user/stranger"}
    assert {record["decision"] for record in new} == {"DENY"}
    assert all(record["permission"] == method.needs.value for record, method in zip(new, METHODS, strict=True))


def test_a_caller_who_lost_the_role_is_denied_within_a_session_too(matrix: RunningAgent) -> None:
    caller = matrix.caller("opener-agent-self")
    before = len(matrix.records())
    for method in METHODS:
        if method.in_session:
            assert _refused(caller, method.name, _REQUESTS[method.name].SerializeToString()) == "POLICY_DENIED"
    assert {record["refusal"] for record in matrix.records()[before:]} == {"POLICY_DENIED"}


@pytest.mark.parametrize(
    "method",
    [
        "/leadglass.v1.InspectService/Exec",
        "/leadglass.v1.InspectService/listprocesses",
        "/leadglass.v1.InspectService/ListProcesses/",
        "/leadglass.v2.InspectService/ListProcesses",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/",
        "//",
        "/\u202e/\x01",
    ],
)
def test_an_unknown_method_is_refused_and_recorded(agent: RunningAgent, method: str) -> None:
    issued = agent.client("alice")
    before = len(agent.records())
    with RawConnection(
        Way(agent.address, SERVER_NAME, issued.certificate, issued.key, agent.authority / "ca.crt")
    ) as connection:
        answer = connection.call(method, b"")
    assert (answer.status, answer.reason) == (12, "METHOD_UNKNOWN")
    (refused,) = (record for record in agent.records()[before:] if record["kind"] == "REFUSED")
    assert refused["refusal"] == "METHOD_UNKNOWN"
    assert refused["method"].isascii()
    assert refused["method"].isprintable()


_GARBAGE = (b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f", b"\x08" + b"\xff" * 10, b"\x0a\x05ab")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_garbage_is_refused_and_recorded(agent: RunningAgent, alice: Caller, method: Method) -> None:
    for garbage in _GARBAGE:
        before = len(agent.records())
        assert _refused(alice, method.name, garbage) == "INVALID_REQUEST"
        new = agent.records()[before:]
        assert [(record["kind"], record["refusal"]) for record in new] == [("REFUSED", "INVALID_REQUEST")]


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("/leadglass.v1.AccessService/OpenSession", b"\x0a\x02\xff\xfe"),
        ("/leadglass.v1.AccessService/GetSession", b"\x0a\x02\xc0\x80"),
        ("/leadglass.v1.InspectService/ListProcesses", b"\x12\x02\xff\xfe"),
        ("/leadglass.v1.InspectService/StatFiles", b"\x0a\x02\x08\x01\x12\x04/\xed\xa0\x80"),
    ],
)
def test_text_that_is_no_utf_8_is_refused(alice: Caller, method: str, text: bytes) -> None:
    assert _refused(alice, method, text) == "INVALID_REQUEST"


_LONG = "x" * 5_000
_OUT_OF_BOUNDS: tuple[tuple[str, Message], ...] = (
    ("ListProcesses", _LISTING(page_size=-1)),
    ("ListProcesses", _LISTING(page_size=-(2**31))),
    ("ListProcesses", _LISTING(page_token="-1")),
    ("ListProcesses", _LISTING(page_token="1e3")),
    ("ListProcesses", _LISTING(page_token="\u0661")),
    ("ListProcesses", _LISTING(page_token="1" * 11)),
    ("ListProcesses", _LISTING(page_token="' or 1=1")),
    ("ListProcesses", _LISTING(pids=[0])),
    ("ListProcesses", _LISTING(pids=[-1])),
    ("ListProcesses", _LISTING(pids=[4_194_305])),
    ("ListProcesses", _LISTING(pids=range(1, 102))),
    ("ListProcesses", _LISTING(subtree_of_pid=-1)),
    ("ListProcesses", _LISTING(subtree_of_pid=2**31 - 1)),
    ("ListProcesses", _LISTING(name_glob="x" * 65)),
    ("ListProcesses", _LISTING(name_glob="a\0b")),
    *(
        (kind, message)
        for ref in (
            common_pb2.ProcessRef(),
            common_pb2.ProcessRef(pid=-1),
            common_pb2.ProcessRef(pid=4_194_305),
            common_pb2.ProcessRef(pid=1, start_ticks=2**64 - 1),
        )
        for kind, message in (
            ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=ref)),
            ("StatFiles", inspect_pb2.StatFilesRequest(process=ref, paths=["/"])),
            ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=ref, path="/")),
            ("ReadText", inspect_pb2.ReadTextRequest(process=ref, path="/")),
            ("ExplainAccess", inspect_pb2.ExplainAccessRequest(process=ref, path="/", operation=_READING)),
        )
    ),
    ("ReadText", inspect_pb2.ReadTextRequest(process=_REF, path="")),
    ("ExplainAccess", inspect_pb2.ExplainAccessRequest(process=_REF, path="", operation=_READING)),
    ("ExplainAccess", inspect_pb2.ExplainAccessRequest(process=_REF, path="/a\0b", operation=_READING)),
    ("ExplainAccess", inspect_pb2.ExplainAccessRequest(process=_REF, path="/")),
    ("ReadText", inspect_pb2.ReadTextRequest(process=_REF, path="/" + "x" * 4_096)),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest()),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, names=["A"] * 201)),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, names=["A" * 257])),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, names=[""])),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, names=["A=B"])),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, names=["A\0B"])),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, page_size=-1)),
    ("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=_REF, page_token="x")),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF)),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF, paths=["/"] * 101)),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF, paths=["relative"])),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF, paths=[""])),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF, paths=["/a\0b"])),
    ("StatFiles", inspect_pb2.StatFilesRequest(process=_REF, paths=["/" + "\u20ac" * 1_400])),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF)),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF, path="relative")),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF, path="/" + _LONG)),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF, path="/a\0b")),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF, path="/", page_size=-1)),
    ("ListDirectory", inspect_pb2.ListDirectoryRequest(process=_REF, path="/", page_token="x")),
)


@pytest.mark.parametrize(
    ("method", "request_"),
    _OUT_OF_BOUNDS,
    ids=[f"{method}-{number}" for number, (method, _) in enumerate(_OUT_OF_BOUNDS)],
)
def test_a_field_out_of_bounds_is_refused_and_recorded(
    agent: RunningAgent, alice: Caller, method: str, request_: Message
) -> None:
    before = len(agent.records())
    name = f"/leadglass.v1.InspectService/{method}"
    assert _refused(alice, name, request_.SerializeToString()) == "INVALID_REQUEST"
    new = agent.records()[before:]
    assert [(record["kind"], record["method"], record["refusal"]) for record in new] == [
        ("REFUSED", name, "INVALID_REQUEST")
    ]


@pytest.mark.parametrize(
    ("reason", "ticket", "seconds", "refusal"),
    [
        (".", TICKET, None, "REASON_REFUSED"),
        ("", TICKET, None, "REASON_REFUSED"),
        (" " * 100, TICKET, None, "REASON_REFUSED"),
        (REASON * 20, TICKET, None, "REASON_REFUSED"),
        (REASON, "", None, "TICKET_REFUSED"),
        (REASON, "x" * 101, None, "TICKET_REFUSED"),
        (REASON, "T-1\n", None, "TICKET_REFUSED"),
        (_LONG, TICKET, None, "INVALID_REQUEST"),
        (REASON, _LONG, None, "INVALID_REQUEST"),
        (REASON, TICKET, 0, "INVALID_REQUEST"),
        (REASON, TICKET, -1, "INVALID_REQUEST"),
        (REASON, TICKET, -(2**63), "INVALID_REQUEST"),
    ],
)
def test_a_session_for_no_reason_is_refused(
    agent: RunningAgent, alice: Caller, reason: str, ticket: str, seconds: int | None, refusal: str
) -> None:
    request = access_pb2.OpenSessionRequest(reason=reason, ticket=ticket)
    if seconds is not None:
        request.requested_duration.seconds = seconds
    before = len(agent.records())
    assert _refused(alice, "/leadglass.v1.AccessService/OpenSession", request.SerializeToString()) == refusal
    assert agent.records()[-1]["refusal"] == refusal
    assert all(record["kind"] != "SESSION_OPENED" for record in agent.records()[before:])


@pytest.mark.parametrize("session_id", ["", "x", "x" * 65, _LONG, "\u202e\0", "../../etc"])
@pytest.mark.parametrize("method", ["GetSession", "CloseSession"])
def test_a_session_id_that_is_nobody_s_is_unknown(alice: Caller, method: str, session_id: str) -> None:
    request = access_pb2.GetSessionRequest(session_id=session_id).SerializeToString()
    assert _refused(alice, f"/leadglass.v1.AccessService/{method}", request) == "SESSION_UNKNOWN"


@pytest.mark.parametrize(
    ("session_ids", "reason"),
    [
        ([], "SESSION_MISSING"),
        ([""], "SESSION_UNKNOWN"),
        (["x"], "SESSION_UNKNOWN"),
        (["own", "own"], "SESSION_MISSING"),
    ],
    ids=str,
)
def test_a_read_names_exactly_one_session_of_its_own(
    agent: RunningAgent, alice: Caller, session_ids: Sequence[str], reason: str
) -> None:
    metadata = tuple(("leadglass-session", alice.session_id if each == "own" else each) for each in session_ids)
    with pytest.raises(grpc.RpcError) as caught:
        alice.inspect.ListProcesses(_LISTING(), timeout=CALL_SECONDS, metadata=metadata)
    assert reason_of(caught.value) == reason
    assert agent.records()[-1]["refusal"] == reason


def test_what_a_refusal_keeps_private_stays_in_the_audit_log(agent: RunningAgent, alice: Caller) -> None:
    error = _ask(alice, "/leadglass.v1.InspectService/StatFiles", b"\xff" * 8)
    assert error is not None
    detail = agent.records()[-1]["detail"]
    assert detail == "the request is not a message of its type"
    said = repr((error.details(), error.trailing_metadata()))
    assert detail not in said
    assert "DecodeError" not in said


_text = st.text(max_size=40)
_number = st.integers(-(2**31), 2**31 - 1)
_ref = st.builds(common_pb2.ProcessRef, pid=_number, start_ticks=st.integers(0, 2**64 - 1))
_any_request = st.one_of(
    st.tuples(
        st.just("ListProcesses"),
        st.builds(
            _LISTING,
            page_size=_number,
            page_token=_text,
            pids=st.lists(_number, max_size=5),
            subtree_of_pid=_number,
            name_glob=_text,
        ),
    ),
    st.tuples(
        st.just("ListEnvironment"),
        st.builds(
            inspect_pb2.ListEnvironmentRequest, process=_ref, names=st.lists(_text, max_size=4), page_token=_text
        ),
    ),
    st.tuples(
        st.just("StatFiles"),
        st.builds(inspect_pb2.StatFilesRequest, process=_ref, paths=st.lists(_text, max_size=4)),
    ),
    st.tuples(st.just("ListDirectory"), st.builds(inspect_pb2.ListDirectoryRequest, process=_ref, path=_text)),
    st.tuples(
        st.just("ExplainAccess"),
        st.builds(
            inspect_pb2.ExplainAccessRequest, process=_ref, path=_text, operation=st.integers(min_value=0, max_value=8)
        ),
    ),
)


@settings(max_examples=60)
@given(asked=_any_request)
def test_any_request_is_answered_or_refused_with_a_reason(alice: Caller, asked: tuple[str, Message]) -> None:
    method, request = asked
    error = _ask(alice, f"/leadglass.v1.InspectService/{method}", request.SerializeToString())
    assert error is None or reason_of(error) in {"INVALID_REQUEST", "PROCESS_NOT_FOUND"}


@settings(max_examples=200)
@given(method=st.sampled_from(sorted(_REQUESTS)), request_=st.binary(max_size=60))
def test_any_bytes_are_answered_or_refused_with_a_reason(alice: Caller, method: str, request_: bytes) -> None:
    error = _ask(alice, method, request_)
    assert error is None or reason_of(error) not in {"", "INTERNAL", "READER_UNAVAILABLE", "TIMED_OUT"}


_AUTHORITY = new_authority()


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """Gives a gate of its own with a real audit log and a reader that nobody asks."""
    ours, theirs = socket.socketpair()
    with built_gate(tmp_path, await ReaderClient.connect(ours), _AUTHORITY, OPEN_POLICY) as built:
        yield built.gate
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "unforeseen",
    [
        RuntimeError("hunter2-in-the-text"),
        KeyError("hunter2-in-the-text"),
        refusal_of(Reason.INTERNAL)("ValueError"),
        Refusal("ValueError"),
    ],
    ids=repr,
)
async def test_what_nobody_foresaw_gives_an_id_and_nothing_else(
    gate: Gate, tmp_path: Path, unforeseen: Exception
) -> None:
    async def fail(_: Ports, __: Call) -> Reply:
        raise unforeseen

    method = Method("/test", Permission.AGENT_SELF, lambda _: Question((), fail), in_session=False)
    peer = Peer(auth_context(issue(_AUTHORITY, Recipe()).pem), "ipv4:127.0.0.1:1", (), None)
    with pytest.raises(InternalError) as caught:
        await gate.answer("/test", method, _no_bytes, peer)
    _, intent, refused = (json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines())
    assert (intent["kind"], refused["kind"], refused["refusal"]) == ("INTENT", "REFUSED", "INTERNAL")
    assert caught.value.error_id == intent["call_id"] == refused["call_id"]
    assert caught.value.public == "internal error"
    assert "hunter2" not in (tmp_path / "audit.jsonl").read_text()


async def test_a_view_that_never_ends_is_ended_by_the_method_s_deadline(gate: Gate, tmp_path: Path) -> None:
    async def hang(_: Ports, __: Call) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    method = Method(
        "/test", Permission.AGENT_SELF, lambda _: Question((), hang), in_session=False, deadline_seconds=0.1
    )
    peer = Peer(auth_context(issue(_AUTHORITY, Recipe()).pem), "ipv4:127.0.0.1:1", (), None)
    with pytest.raises(TimedOut):
        await gate.answer("/test", method, _no_bytes, peer)
    assert json.loads((tmp_path / "audit.jsonl").read_bytes().splitlines()[-1])["refusal"] == "TIMED_OUT"


async def test_nothing_is_read_of_a_caller_without_identity(gate: Gate, tmp_path: Path) -> None:
    async def receive() -> bytes:
        message = "the request was received"
        raise AssertionError(message)

    for method in (*METHODS, None):
        with pytest.raises(IdentityRefused):
            await gate.answer("/test", method, receive, Peer({}, "ipv4:127.0.0.1:1", (), None))
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines()]
    assert [record["refusal"] for record in records] == ["IDENTITY_REFUSED"] * (len(METHODS) + 1)


async def _no_bytes() -> bytes:
    return b""
