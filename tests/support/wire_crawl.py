"""Asks an agent every question of the contract about everything that it finds, and prints each answer as it came.

Run as a program: ADDRESS SERVER_NAME CERTIFICATE_FOLDER. Each line of its output is a JSON object with the method, the
status and, in hex, every byte that came back: message, details, trailers.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

from leadglass.v1 import access_pb2, agent_pb2, common_pb2, inspect_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

_SECONDS = 20.0
_INSPECT, _ACCESS, _AGENT = (f"/leadglass.v1.{name}Service/" for name in ("Inspect", "Access", "Agent"))
_PATHS = (
    *(
        "/",
        "/srv/shop",
        "/srv/shop/keys",
        "/srv/shop/settings.env",
        "/srv/shop/current",
        "/srv/shop/escape",
        "/etc/shadow",
    ),
    *(
        "/proc/self/environ",
        "/proc/1/environ",
        "/srv/shop/../../proc/1/environ",
        "/srv/shop/keys/../keys",
        "/dev/stdin",
    ),
    *("/srv/shop/escape/", "/srv/shop/\n", "/srv/shop/\u202e", "relative", ""),
)
_MALFORMED = (b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f", b"\x08" + b"\xff" * 9 + b"\x01")


@dataclass(frozen=True, slots=True)
class Caller:
    """A channel with the metadata that every call carries."""

    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...] = ()

    def ask(self, method: str, request: bytes) -> bytes:
        """Calls a method with raw bytes, prints what came back, and gives the reply, which is empty for a refusal."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(method)
        try:
            reply, ended = call.with_call(request, timeout=_SECONDS, metadata=self.metadata)
        except grpc.RpcError as error:
            _print(method, b"", error)
            return b""
        _print(method, reply, ended)
        return reply

    def ask_for_stream(self, method: str, request: bytes) -> None:
        """Calls a method that streams, and prints all its messages as one reply."""
        stream: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(method)
        call = stream(request, timeout=_SECONDS, metadata=self.metadata)
        messages: list[bytes] = []
        try:
            messages.extend(call)
        except grpc.RpcError as error:
            _print(method, b"".join(messages), error)
        else:
            _print(method, b"".join(messages), call)


def _print(method: str, reply: bytes, ended: grpc.Call | grpc.RpcError) -> None:
    parts = [reply]
    status = "?"
    if isinstance(ended, grpc.Call):
        status = ended.code().name
        parts.append((ended.details() or "").encode())
        for key, value in (*(ended.initial_metadata() or ()), *(ended.trailing_metadata() or ())):
            parts += [key.encode(), value if isinstance(value, bytes) else value.encode()]
    sys.stdout.write(json.dumps({"method": method, "status": status, "bytes": b"\n".join(parts).hex()}) + "\n")


def _requests(process: common_pb2.ProcessRef) -> Iterator[tuple[str, Message]]:
    """Gives every question about one process."""
    names = ["API_TOKEN", "EMPTY_SETTING", "DATABASE_URL", "NO_SUCH_SETTING", "A=B", "", "*"]
    yield "ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=process)
    yield "ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=process, names=names)
    yield "ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=process, page_size=1)
    for follow in (False, True):
        yield "StatFiles", inspect_pb2.StatFilesRequest(process=process, paths=_PATHS, follow_symlinks=follow)
        for path in _PATHS:
            yield "StatFiles", inspect_pb2.StatFilesRequest(process=process, paths=[path], follow_symlinks=follow)
    for path in _PATHS:
        yield "ListDirectory", inspect_pb2.ListDirectoryRequest(process=process, path=path)
        for operation in inspect_pb2.AccessOperation.values():
            yield (
                "ExplainAccess",
                inspect_pb2.ExplainAccessRequest(process=process, path=path, operation=operation),
            )


def crawl(channel: grpc.Channel) -> None:
    """Opens a session, asks everything within it and some of it without, and closes it."""
    stranger = Caller(channel)
    reason = access_pb2.OpenSessionRequest(reason="crawling every method of the contract", ticket="INC-8")
    opened = access_pb2.OpenSessionResponse.FromString(
        stranger.ask(f"{_ACCESS}OpenSession", reason.SerializeToString())
    )
    session = opened.session.session_id
    caller = Caller(channel, (("leadglass-session", session),))
    caller.ask(f"{_AGENT}GetSelf", agent_pb2.GetSelfRequest().SerializeToString())
    listing = inspect_pb2.ListProcessesRequest()
    listed = inspect_pb2.ListProcessesResponse.FromString(
        caller.ask(f"{_INSPECT}ListProcesses", listing.SerializeToString())
    )
    for process in listed.processes:
        only = inspect_pb2.ListProcessesRequest(pids=[process.ref.pid], name_glob="*")
        caller.ask(f"{_INSPECT}ListProcesses", only.SerializeToString())
        for method, request in _requests(process.ref):
            caller.ask(_INSPECT + method, request.SerializeToString())
            stranger.ask(_INSPECT + method, request.SerializeToString())
        for path in _PATHS:
            text = inspect_pb2.ReadTextRequest(process=process.ref, path=path).SerializeToString()
            caller.ask_for_stream(f"{_INSPECT}ReadText", text)
            stranger.ask_for_stream(f"{_INSPECT}ReadText", text)
    for service, methods in (
        (_INSPECT, ("ListProcesses", "ListEnvironment", "StatFiles", "ListDirectory", "ReadText", "ExplainAccess")),
    ):
        for method in methods:
            for malformed in _MALFORMED:
                caller.ask(service + method, malformed)
    _administer(caller)
    for name in ("GetSession", "CloseSession", "GetSession"):
        named = access_pb2.GetSessionRequest(session_id=session)  # the same field as CloseSessionRequest
        caller.ask(_ACCESS + name, named.SerializeToString())


def _administer(caller: Caller) -> None:
    """Asks about others' sessions and reviews, ends a second session, and asks for a reveal that nobody approved."""
    reason = access_pb2.OpenSessionRequest(reason="a second session for others to end", ticket="INC-9")
    second = access_pb2.OpenSessionResponse.FromString(caller.ask(f"{_ACCESS}OpenSession", reason.SerializeToString()))
    ending = access_pb2.EndSessionRequest(session_id=second.session.session_id, reason="the crawl is over")
    reveal = access_pb2.RevealRequest(
        process=common_pb2.ProcessRef(pid=1), name="API_TOKEN", recipient_key="CQ" + "A" * 41 + "="
    )
    closing = access_pb2.CloseReviewRequest(review_id="x", finding="nothing was found that should not be")
    for name, request in (
        ("ListSessions", access_pb2.ListSessionsRequest(include_ended=True)),
        ("EndSession", ending),
        ("Reveal", reveal),
        ("ListReviews", access_pb2.ListReviewsRequest()),
        ("CloseReview", closing),
    ):
        caller.ask(_ACCESS + name, request.SerializeToString())


def main() -> None:
    """Crawls the agent that the command line names."""
    address, server_name, folder = sys.argv[1:4]
    authority, key, chain = ((Path(folder) / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    credentials = grpc.ssl_channel_credentials(authority, key, chain)
    with grpc.secure_channel(address, credentials, (("grpc.ssl_target_name_override", server_name),)) as channel:
        crawl(channel)


if __name__ == "__main__":
    main()
