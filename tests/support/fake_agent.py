"""A simulated agent: a real gRPC server over real mutual TLS that gives the answers a test scripts."""

from __future__ import annotations

import base64
import os
import re
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

os.environ["GRPC_VERBOSITY"] = "NONE"

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped,unused-ignore] # has no py.typed
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped,unused-ignore] # has no py.typed

from leadglass.v1 import (
    access_pb2,
    access_pb2_grpc,
    agent_pb2,
    agent_pb2_grpc,
    common_pb2,
    inspect_pb2,
    inspect_pb2_grpc,
)
from leadglass_agent.access.sealing import seal
from leadglass_client.authority import Issued, create_authority, issue_client, issue_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[[Message, grpc.ServicerContext], Message]

SERVER_NAME = "demo.leadglass.internal"
SESSION_ID = "s-4f1c2a"
GRANT_ID = "0123456789abcdef" * 2
NOON = 1_767_268_800  # 2026-01-01T12:00:00Z

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the agent received."""

    method: str
    request: Message
    session_id: str


@dataclass(slots=True)
class FakeAgent:
    """What the agent answers by method name, and which calls came."""

    answers: dict[str, Answer]
    calls: list[Call] = field(default_factory=list)

    def answer(self, method: str, request: Message, context: grpc.ServicerContext) -> Message:
        """Notes the call and gives the scripted answer."""
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        self.calls.append(Call(method, request, metadata.get("leadglass-session", "")))
        return self.answers[method](request, context)


@dataclass(frozen=True, slots=True)
class Identities:
    """Certificates of one throw-away authority."""

    authority: Path
    server: Issued
    client: Issued


def make_identities(folder: Path) -> Identities:
    """Makes an authority with one server and one caller."""
    authority = folder / "ca"
    create_authority(authority, "demo.leadglass")
    server = issue_server(authority, SERVER_NAME, folder / "server", path="/agent/demo")
    return Identities(authority, server, issue_client(authority, "/user/alice", folder / "alice"))


@contextmanager
def serving(agent: FakeAgent, server: Issued) -> Iterator[str]:
    """Serves the agent on a free port of the loopback and gives the address."""
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.certificate.read_bytes())],
        server.authority.read_bytes(),
        require_client_auth=True,
    )
    grpc_server = grpc.server(futures.ThreadPoolExecutor(4))
    inspect_pb2_grpc.add_InspectServiceServicer_to_server(_Inspect(agent), grpc_server)
    access_pb2_grpc.add_AccessServiceServicer_to_server(_Access(agent), grpc_server)
    agent_pb2_grpc.add_AgentServiceServicer_to_server(_Agent(agent), grpc_server)
    port = grpc_server.add_secure_port("127.0.0.1:0", credentials)
    grpc_server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        grpc_server.stop(grace=None).wait()


def refusing(status: grpc.StatusCode, reason: str, **metadata: str) -> Answer:
    """Makes an answer that refuses as the agent does, with an ErrorInfo."""

    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        detail = AnyMessage()
        detail.Pack(ErrorInfo(reason=reason, domain="leadglass.dev", metadata=metadata))
        code: int = status.value[0]
        packed: bytes = Status(code=code, message="public text", details=[detail]).SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", packed),))
        context.abort(status, "public text")

    return answer


def giving(message: Message) -> Answer:
    """Makes an answer that is always this message."""
    return lambda _request, _context: message


def reading(*lines: str, end: inspect_pb2.TextEnd.ValueType = inspect_pb2.TEXT_END_END_OF_FILE) -> Answer:
    """Makes an answer that gives the lines of a log, as far as the filter lets them through."""

    def answer(request: Message, _context: grpc.ServicerContext) -> Message:
        asked = _as(inspect_pb2.ReadTextRequest, request)
        shown = [line for line in lines if re.search(asked.filter.pattern, line)]
        if asked.max_lines:
            shown = (
                shown[-asked.max_lines :] if asked.start == inspect_pb2.TEXT_START_TAIL else shown[: asked.max_lines]
            )
        return inspect_pb2.ReadTextResponse(
            file=inspect_pb2.TextFile(
                path=text(asked.path), size_bytes=sum(map(len, lines)), modify_time=Timestamp(seconds=NOON)
            ),
            lines=[inspect_pb2.TextLine(text=text(line)) for line in shown],
            redaction=common_pb2.REDACTION_PROFILE_BALANCED,
            redactions=[common_pb2.RedactionCount(rule_id="authorization", count=1)],
            end=end,
        )

    return answer


def text(value: str, *, truncated: bool = False) -> common_pb2.VisibleText:
    """Makes text of the target."""
    return common_pb2.VisibleText(text=value, truncated=truncated)


def process(pid: int, parent: int, name: str, *arguments: str) -> inspect_pb2.Process:
    """Makes a process that looks like a real one."""
    made = inspect_pb2.Process(
        ref=common_pb2.ProcessRef(pid=pid, start_ticks=1000 + pid),
        parent_pid=parent,
        name=text(name),
        state=inspect_pb2.PROCESS_STATE_SLEEPING,
        owner_uid=1000,
        owner_gid=1000,
        start_time=Timestamp(seconds=NOON - 7260 - pid),
        threads=4,
        resident_memory_bytes=12_910_592,
        virtual_memory_bytes=1_073_741_824,
        executable=text(f"/usr/bin/{name}"),
        arguments=[text(argument) for argument in arguments],
    )
    made.cpu_time.FromMilliseconds(83_450)
    return made


def session(state: access_pb2.SessionState.ValueType = access_pb2.SESSION_STATE_OPEN) -> access_pb2.Session:
    """Makes a session of an hour."""
    made = access_pb2.Session(
        session_id=SESSION_ID,
        caller="spiffe://demo.leadglass/user/alice",
        reason="checkout answers 502 since 14:10, looking for the cause",
        ticket="INC-1234",
        open_time=Timestamp(seconds=NOON),
        expire_time=Timestamp(seconds=NOON + 3600),
        calls=7,
        state=state,
        permissions=["env.presence", "processes.list"],
        policy_digest="sha256:" + "ab" * 32,
    )
    made.idle_timeout.FromSeconds(900)
    return made


def carrying_session() -> access_pb2.Session:
    """Makes a session with a grant, a process and half of its budget spent."""
    made = session()
    made.grant_ids.append(GRANT_ID)
    made.target.CopyFrom(common_pb2.ProcessRef(pid=17, start_ticks=1017))
    made.peer, made.has_evidence = "10.0.0.7:41234", True
    made.budget.extend(
        (
            access_pb2.BudgetLine(grant_id=GRANT_ID, what="rows", spent=40, allowed=100),
            access_pb2.BudgetLine(what="calls", spent=7, allowed=500),
        )
    )
    return made


def review() -> access_pb2.Review:
    """Makes a review that is owed."""
    return access_pb2.Review(
        review_id="r-1",
        caller="spiffe://demo.leadglass/user/alice",
        name="DATABASE_URL",
        ticket="INC-1234",
        reason="checkout answers 502 since 14:10, looking for the cause",
        reveal_time=Timestamp(seconds=NOON),
        grant_id=GRANT_ID,
    )


def halt_review() -> access_pb2.Review:
    """Makes a review that is owed after a halt."""
    return access_pb2.Review(
        review_id="r-2",
        caller="spiffe://demo.leadglass/user/mallory",
        ticket="INC-1300",
        reason="looking around for the deployment of the shop",
        reveal_time=Timestamp(seconds=NOON + 60),
        kind=access_pb2.REVIEW_KIND_HALT,
        cause="SENSITIVE_PATHS",
        session_id="s-9a2e",
    )


def sealing(value: bytes) -> Answer:
    """Makes an answer that seals the value to the key of the request, as the agent's reader does."""

    def answer(request: Message, _context: grpc.ServicerContext) -> Message:
        asked = _as(access_pb2.RevealRequest, request)
        sealed = seal(value, base64.b64decode(asked.recipient_key), asked.process.pid, asked.name.encode())
        return access_pb2.RevealResponse(
            sealed_value=base64.b64encode(sealed).decode(), is_set=True, review_id="r-1", grant_id=GRANT_ID
        )

    return answer


def file(name: str, kind: inspect_pb2.FileType.ValueType = inspect_pb2.FILE_TYPE_REGULAR) -> inspect_pb2.FileMetadata:
    """Makes metadata of a file."""
    return inspect_pb2.FileMetadata(
        name=text(name),
        type=kind,
        mode=0o640,
        owner_uid=1000,
        owner_gid=1000,
        size_bytes=1536,
        allocated_bytes=4096,
        modify_time=Timestamp(seconds=NOON - 86400),
        change_time=Timestamp(seconds=NOON - 86400, nanos=500_000_000),
        hard_links=1,
    )


def missing(name: str, reason: common_pb2.UnavailableReason.ValueType) -> inspect_pb2.FileMetadata:
    """Makes the entry of a file that cannot be shown."""
    return inspect_pb2.FileMetadata(name=text(name), unavailable=reason)


def plain_answers() -> dict[str, Answer]:
    """Gives a small pod that answers everything."""
    processes = [
        process(1, 0, "nginx", "nginx: master process", "-g", "daemon off;"),
        process(17, 1, "gunicorn", "gunicorn", "shop:app", "--token=[redacted:github-token]"),
        process(23, 17, "python3", "python3", "-m", "worker", "--queue", "mail", "--name", "[red]not a color[/red]"),
        process(24, 17, "python3"),
        process(31, 1, "redis-server", "redis-server", "--requirepass", "[redacted:key-name]"),
    ]
    processes[3].state = inspect_pb2.PROCESS_STATE_ZOMBIE
    processes[3].arguments_unavailable = common_pb2.UNAVAILABLE_REASON_NO_USER_MEMORY
    link = file("current", inspect_pb2.FILE_TYPE_SYMLINK)
    link.link_target.CopyFrom(text("releases/42"))
    variables = [
        inspect_pb2.EnvironmentVariable(name=text("DATABASE_URL"), presence=inspect_pb2.PRESENCE_PRESENT),
        inspect_pb2.EnvironmentVariable(name=text("LANG"), presence=inspect_pb2.PRESENCE_EMPTY),
        inspect_pb2.EnvironmentVariable(name=text("SENTRY_DSN"), presence=inspect_pb2.PRESENCE_UNSET),
    ]
    front = agent_pb2.AgentProcess(
        role=agent_pb2.AGENT_PROCESS_ROLE_FRONT,
        pid=9,
        uid=1000,
        gid=1000,
        no_new_privs=True,
        dumpable=False,
        one_way_glass=True,
        sandbox_level=agent_pb2.SANDBOX_LEVEL_FULL,
        seccomp_filters=1,
        landlock_abi=7,
        resident_memory_bytes=31_000_000,
        threads=6,
        threads_filtered=6,
    )
    report = agent_pb2.GetSelfResponse(
        version="0.1.0",
        agent_id="spiffe://demo.leadglass/agent/demo",
        policy_digest="sha256:" + "ab" * 32,
        policy_name="demo",
        start_time=Timestamp(seconds=NOON - 100),
        redaction_rules=57,
        audit_writable=True,
        processes=[front],
        certificate_expire_time=Timestamp(seconds=NOON + 86400),
        open_sessions=1,
    )
    closed = session(access_pb2.SESSION_STATE_CLOSED)
    return {
        "ListProcesses": giving(
            inspect_pb2.ListProcessesResponse(processes=processes, read_time=Timestamp(seconds=NOON)),
        ),
        "ListEnvironment": giving(
            inspect_pb2.ListEnvironmentResponse(
                process=common_pb2.ProcessRef(pid=17, start_ticks=1017), variables=variables
            ),
        ),
        "StatFiles": giving(inspect_pb2.StatFilesResponse(files=[file("/etc/shop/app.yaml")])),
        "ExplainAccess": giving(
            inspect_pb2.ExplainAccessResponse(
                verdict=inspect_pb2.ACCESS_VERDICT_ALLOWED, rule=inspect_pb2.ACCESS_RULE_OWNER_BITS
            )
        ),
        "ListDirectory": giving(
            inspect_pb2.ListDirectoryResponse(
                path=text("/srv/shop"), entries=[file("app.yaml"), link, file("lib", inspect_pb2.FILE_TYPE_DIRECTORY)]
            ),
        ),
        "ReadText": reading(
            "2026-01-01T11:59:02Z INFO  checkout started",
            "2026-01-01T11:59:07Z ERROR payment answers 502 authorization=[redacted:authorization]",
            "2026-01-01T11:59:07Z WARN  retry 1 of 3",
        ),
        "OpenSession": giving(access_pb2.OpenSessionResponse(session=session())),
        "GetSession": giving(access_pb2.GetSessionResponse(session=session())),
        "CloseSession": giving(access_pb2.CloseSessionResponse(session=closed)),
        "ListSessions": giving(access_pb2.ListSessionsResponse(sessions=[session(), carrying_session()])),
        "EndSession": giving(
            access_pb2.EndSessionResponse(session=session(access_pb2.SESSION_STATE_ENDED_BY_ADMIN)),
        ),
        "Reveal": giving(access_pb2.RevealResponse(is_set=False)),
        "ListReviews": giving(access_pb2.ListReviewsResponse(reviews=[review()])),
        "CloseReview": giving(access_pb2.CloseReviewResponse(review=review())),
        "GetSelf": giving(report),
    }


def _as(kind: type[M], message: Message) -> M:
    if not isinstance(message, kind):
        raise TypeError(type(message))
    return message


class _Inspect(inspect_pb2_grpc.InspectServiceServicer):
    def __init__(self, agent: FakeAgent) -> None:
        self._agent = agent

    def ListProcesses(
        self, request: inspect_pb2.ListProcessesRequest, context: grpc.ServicerContext
    ) -> inspect_pb2.ListProcessesResponse:
        return _as(inspect_pb2.ListProcessesResponse, self._agent.answer("ListProcesses", request, context))

    def ListEnvironment(
        self, request: inspect_pb2.ListEnvironmentRequest, context: grpc.ServicerContext
    ) -> inspect_pb2.ListEnvironmentResponse:
        return _as(inspect_pb2.ListEnvironmentResponse, self._agent.answer("ListEnvironment", request, context))

    def StatFiles(
        self, request: inspect_pb2.StatFilesRequest, context: grpc.ServicerContext
    ) -> inspect_pb2.StatFilesResponse:
        return _as(inspect_pb2.StatFilesResponse, self._agent.answer("StatFiles", request, context))

    def ListDirectory(
        self, request: inspect_pb2.ListDirectoryRequest, context: grpc.ServicerContext
    ) -> inspect_pb2.ListDirectoryResponse:
        return _as(inspect_pb2.ListDirectoryResponse, self._agent.answer("ListDirectory", request, context))

    def ReadText(
        self, request: inspect_pb2.ReadTextRequest, context: grpc.ServicerContext
    ) -> Iterator[inspect_pb2.ReadTextResponse]:
        yield _as(inspect_pb2.ReadTextResponse, self._agent.answer("ReadText", request, context))

    def ExplainAccess(
        self, request: inspect_pb2.ExplainAccessRequest, context: grpc.ServicerContext
    ) -> inspect_pb2.ExplainAccessResponse:
        return _as(inspect_pb2.ExplainAccessResponse, self._agent.answer("ExplainAccess", request, context))


class _Access(access_pb2_grpc.AccessServiceServicer):
    def __init__(self, agent: FakeAgent) -> None:
        self._agent = agent

    def OpenSession(
        self, request: access_pb2.OpenSessionRequest, context: grpc.ServicerContext
    ) -> access_pb2.OpenSessionResponse:
        return _as(access_pb2.OpenSessionResponse, self._agent.answer("OpenSession", request, context))

    def GetSession(
        self, request: access_pb2.GetSessionRequest, context: grpc.ServicerContext
    ) -> access_pb2.GetSessionResponse:
        return _as(access_pb2.GetSessionResponse, self._agent.answer("GetSession", request, context))

    def CloseSession(
        self, request: access_pb2.CloseSessionRequest, context: grpc.ServicerContext
    ) -> access_pb2.CloseSessionResponse:
        return _as(access_pb2.CloseSessionResponse, self._agent.answer("CloseSession", request, context))

    def ListSessions(
        self, request: access_pb2.ListSessionsRequest, context: grpc.ServicerContext
    ) -> access_pb2.ListSessionsResponse:
        return _as(access_pb2.ListSessionsResponse, self._agent.answer("ListSessions", request, context))

    def EndSession(
        self, request: access_pb2.EndSessionRequest, context: grpc.ServicerContext
    ) -> access_pb2.EndSessionResponse:
        return _as(access_pb2.EndSessionResponse, self._agent.answer("EndSession", request, context))

    def Reveal(self, request: access_pb2.RevealRequest, context: grpc.ServicerContext) -> access_pb2.RevealResponse:
        return _as(access_pb2.RevealResponse, self._agent.answer("Reveal", request, context))

    def ListReviews(
        self, request: access_pb2.ListReviewsRequest, context: grpc.ServicerContext
    ) -> access_pb2.ListReviewsResponse:
        return _as(access_pb2.ListReviewsResponse, self._agent.answer("ListReviews", request, context))

    def CloseReview(
        self, request: access_pb2.CloseReviewRequest, context: grpc.ServicerContext
    ) -> access_pb2.CloseReviewResponse:
        return _as(access_pb2.CloseReviewResponse, self._agent.answer("CloseReview", request, context))


class _Agent(agent_pb2_grpc.AgentServiceServicer):
    def __init__(self, agent: FakeAgent) -> None:
        self._agent = agent

    def GetSelf(self, request: agent_pb2.GetSelfRequest, context: grpc.ServicerContext) -> agent_pb2.GetSelfResponse:
        return _as(agent_pb2.GetSelfResponse, self._agent.answer("GetSelf", request, context))
