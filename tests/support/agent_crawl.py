"""Asks an agent every question of the contract about a ground, and keeps every byte that comes back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc

from leadglass.v1 import access_pb2, agent_pb2, common_pb2, inspect_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

    from running_agent import Caller, RunningAgent

_DESCRIPTORS: Final = (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR)
METHODS: Final = frozenset(
    f"/{service.full_name}/{method.name}"
    for descriptor in _DESCRIPTORS
    for service in descriptor.services_by_name.values()
    for method in service.methods
)
_INSPECT, _ACCESS, _AGENT = (f"/leadglass.v1.{name}Service/" for name in ("Inspect", "Access", "Agent"))
_HOSTILE: Final = (
    *("/", "/proc/self/environ", "/proc/1/environ", "/proc/{pid}/environ", "/proc/{pid}/cmdline", "/dev/stdin"),
    *("/proc/self/root/proc/{pid}/environ", "/proc/{pid}/root", "/proc/{pid}/fd/0", "/sys", "/dev/fd/0", "/etc/shadow"),
    *("{shop}/..", "{shop}/../shop", "{shop}/.", "{shop}//", "{shop}/settings.env/", "{shop}/\u202e", "{shop}/\n"),
    *("{shop}/" + "a/" * 60, "{shop}/" + "x" * 300, "/" + "x" * 4095, "/" + "x" * 4096, "relative", "", "/\0"),
)
_NAMES: Final = ("API_TOKEN", "EMPTY_SETTING", "NO_SUCH", "A=B", "", "*", "API_TOKEN\0", "\u202e", "x" * 256, "x" * 257)
_MALFORMED: Final = (b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f", b"\x08" + b"\xff" * 9 + b"\x01", b"\x0a\x00", b"\x00")


@dataclass(frozen=True, slots=True)
class Ground:
    """What is asked about: processes, and for the first of them the paths, all below the folder."""

    pids: tuple[int, ...]
    folder: Path
    paths: tuple[str, ...]


@dataclass(slots=True)
class Crawl:
    """Every byte that came back, and what was answered."""

    seen: list[bytes] = field(default_factory=list)
    statuses: set[tuple[str, str]] = field(default_factory=set)
    details: set[str] = field(default_factory=set)

    def ask(self, caller: Caller, method: str, request: bytes) -> bytes:
        """Makes one call with raw bytes; gives the reply, which is empty for a refusal."""
        metadata = (("leadglass-session", caller.session_id),) if caller.session_id else ()
        multi: grpc.UnaryUnaryMultiCallable[bytes, bytes] = caller.channel.unary_unary(method)
        try:
            reply, call = multi.with_call(request, timeout=10, metadata=metadata)
        except grpc.RpcError as error:
            reply, call = b"", _ended(error)
        self.statuses.add((method, call.code().name))
        self.details.add(call.details() or "")
        self.seen += [reply, repr(call).encode(), (call.details() or "").encode()]
        for key, value in (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())):
            self.seen += [key.encode(), value if isinstance(value, bytes) else value.encode()]
        return reply

    def ask_for_stream(self, caller: Caller, method: str, request: bytes) -> None:
        """Makes one call whose reply is a stream, with raw bytes, and keeps every message of it."""
        metadata = (("leadglass-session", caller.session_id),) if caller.session_id else ()
        multi: grpc.UnaryStreamMultiCallable[bytes, bytes] = caller.channel.unary_stream(method)
        call = multi(request, timeout=10, metadata=metadata)
        try:
            self.seen.extend(call)
        except grpc.RpcError as error:
            self.seen.append(repr(error).encode())
        self.statuses.add((method, call.code().name))
        self.details.add(call.details() or "")
        for key, value in (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())):
            self.seen += [key.encode(), value if isinstance(value, bytes) else value.encode()]


def crawl_all(agent: RunningAgent, ground: Ground) -> Crawl:
    """Asks everything: as one who may, as one without a session, as one whom no role names, and in broken bytes."""
    crawl = Crawl()
    alice, stranger = agent.caller(), agent.caller(session=False)
    mallory = agent.caller("mallory", session=False)
    crawl.ask(alice, f"{_AGENT}GetSelf", b"")
    for method, request in _questions(ground):
        crawl.ask(alice, method, request.SerializeToString())
    for page_size in (1, 7, 2_000):
        _page_through(crawl, alice, page_size, ground)
    for caller in (stranger, mallory):
        for method, request in _questions_of(ground.pids[0], ground):
            crawl.ask(caller, method, request.SerializeToString())
    for caller in (alice, stranger):
        for request in _windows(ground):
            crawl.ask_for_stream(caller, f"{_INSPECT}ReadText", request.SerializeToString())
    for method in (*sorted(METHODS), f"{_INSPECT}Exec", "/x/y"):
        for malformed in _MALFORMED:
            crawl.ask(alice, method, malformed)
    _sessions(crawl, alice, stranger)
    _administration(crawl, alice, agent.caller("erin", session=False), ground)
    return crawl


def _ended(error: grpc.RpcError) -> grpc.Call:
    """Gives the call that an error of the client library is, too."""
    if not isinstance(error, grpc.Call):
        raise TypeError
    return error


def _questions(ground: Ground) -> Iterator[tuple[str, Message]]:
    for pid in ground.pids:
        yield from _questions_of(pid, ground)
    for name_glob in ("*", "red*", "?" * 64, "[", "\u202e", "x" * 65):
        yield f"{_INSPECT}ListProcesses", inspect_pb2.ListProcessesRequest(name_glob=name_glob)
    for pid in (-1, 0, 1, 4_194_304, 4_194_305, 2**31 - 1):
        yield from _questions_of(pid, ground)


def _questions_of(pid: int, ground: Ground) -> Iterator[tuple[str, Message]]:
    yield f"{_INSPECT}ListProcesses", inspect_pb2.ListProcessesRequest(pids=[pid], name_glob="*")
    yield f"{_INSPECT}ListProcesses", inspect_pb2.ListProcessesRequest(subtree_of_pid=pid, page_size=3)
    for process in (common_pb2.ProcessRef(pid=pid), common_pb2.ProcessRef(pid=pid, start_ticks=1)):
        yield f"{_INSPECT}ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=process)
    process = common_pb2.ProcessRef(pid=pid)
    for name in _NAMES:
        yield f"{_INSPECT}ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=process, names=[name])
    if pid != ground.pids[0]:
        return
    for path in (*ground.paths, *(path.format(pid=pid, shop=ground.folder) for path in _HOSTILE)):
        for follow in (False, True):
            request = inspect_pb2.StatFilesRequest(process=process, paths=[path], follow_symlinks=follow)
            yield f"{_INSPECT}StatFiles", request
        yield f"{_INSPECT}ListDirectory", inspect_pb2.ListDirectoryRequest(process=process, path=path)
        for operation in (inspect_pb2.ACCESS_OPERATION_READ, inspect_pb2.ACCESS_OPERATION_DELETE):
            access = inspect_pb2.ExplainAccessRequest(process=process, path=path, operation=operation)
            yield f"{_INSPECT}ExplainAccess", access


def _windows(ground: Ground) -> Iterator[inspect_pb2.ReadTextRequest]:
    """Gives windows on every path: whole, the end, pieces cut anywhere, and searches for single characters."""
    process = common_pb2.ProcessRef(pid=ground.pids[0])
    for path in (*ground.paths, *(path.format(pid=process.pid, shop=ground.folder) for path in _HOSTILE)):
        yield inspect_pb2.ReadTextRequest(process=process, path=path)
    for path in (path for path in ground.paths if path.endswith((".log", ".yaml"))):
        tail, offset = inspect_pb2.TEXT_START_TAIL, inspect_pb2.TEXT_START_OFFSET
        for at in range(1, 2_000, 61):
            yield inspect_pb2.ReadTextRequest(process=process, path=path, start=tail, max_bytes=at)
            yield inspect_pb2.ReadTextRequest(process=process, path=path, start=offset, offset_bytes=at, max_bytes=at)
        for pattern in ("[0-9a-f]{8}", "=.", "redacted", "(x)\\1"):
            request = inspect_pb2.ReadTextRequest(process=process, path=path)
            request.filter.pattern = pattern
            yield request


def _page_through(crawl: Crawl, caller: Caller, page_size: int, ground: Ground) -> None:
    process = common_pb2.ProcessRef(pid=ground.pids[0])
    subtree = inspect_pb2.ListProcessesRequest(subtree_of_pid=os.getpid(), page_size=page_size)
    environment = inspect_pb2.ListEnvironmentRequest(process=process, page_size=page_size)
    for path in (str(ground.folder), f"{ground.folder}/keys"):
        directory = inspect_pb2.ListDirectoryRequest(process=process, path=path, page_size=page_size)
        _pages(crawl, caller, "ListDirectory", directory, inspect_pb2.ListDirectoryResponse)
    _pages(crawl, caller, "ListProcesses", subtree, inspect_pb2.ListProcessesResponse)
    _pages(crawl, caller, "ListEnvironment", environment, inspect_pb2.ListEnvironmentResponse)


_Paged = inspect_pb2.ListProcessesRequest | inspect_pb2.ListEnvironmentRequest | inspect_pb2.ListDirectoryRequest
_Page = (
    type[inspect_pb2.ListProcessesResponse]
    | type[inspect_pb2.ListEnvironmentResponse]
    | type[inspect_pb2.ListDirectoryResponse]
)


def _pages(crawl: Crawl, caller: Caller, method: str, request: _Paged, kind: _Page) -> None:
    for _ in range(500):
        page = kind.FromString(crawl.ask(caller, _INSPECT + method, request.SerializeToString()))
        request.page_token = page.next_page_token
        if not request.page_token:
            return
    message = f"{method} does not come to an end"
    raise AssertionError(message)


def _administration(crawl: Crawl, alice: Caller, erin: Caller, ground: Ground) -> None:
    reveal = access_pb2.RevealRequest(
        process=common_pb2.ProcessRef(pid=ground.pids[0]), name="API_TOKEN", recipient_key="CQ" + "A" * 41 + "="
    )
    for caller in (alice, erin):
        crawl.ask(caller, f"{_ACCESS}Reveal", reveal.SerializeToString())
        crawl.ask(caller, f"{_ACCESS}ListReviews", b"")
        closing = access_pb2.CloseReviewRequest(review_id="x", finding="nothing was found that should not be")
        crawl.ask(caller, f"{_ACCESS}CloseReview", closing.SerializeToString())
        for page_size in (1, 2_000):
            listing = access_pb2.ListSessionsRequest(page_size=page_size, include_ended=True)
            crawl.ask(caller, f"{_ACCESS}ListSessions", listing.SerializeToString())
        ending = access_pb2.EndSessionRequest(session_id=alice.session_id, reason="nobody looks at anything any more")
        crawl.ask(caller, f"{_ACCESS}EndSession", ending.SerializeToString())


def _sessions(crawl: Crawl, alice: Caller, stranger: Caller) -> None:
    for caller in (alice, stranger):
        for session_id in (alice.session_id, "", "x" * 65, "\u202e"):
            request = access_pb2.GetSessionRequest(session_id=session_id)
            crawl.ask(caller, f"{_ACCESS}GetSession", request.SerializeToString())
    for reason, ticket in (("short", "T-1"), ("x" * 30, "T-1"), ("a reason with enough words in it", "no ticket")):
        opening = access_pb2.OpenSessionRequest(reason=reason, ticket=ticket)
        crawl.ask(alice, f"{_ACCESS}OpenSession", opening.SerializeToString())
    opening = access_pb2.OpenSessionRequest(reason="a second session to look around with", ticket="T-2")
    opened = access_pb2.OpenSessionResponse.FromString(
        crawl.ask(alice, f"{_ACCESS}OpenSession", opening.SerializeToString())
    )
    closing = access_pb2.CloseSessionRequest(session_id=opened.session.session_id)
    crawl.ask(alice, f"{_ACCESS}CloseSession", closing.SerializeToString())
    crawl.ask(alice, f"{_ACCESS}CloseSession", closing.SerializeToString())
