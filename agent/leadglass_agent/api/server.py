"""The gRPC servers: the API over mutual TLS with its limits, and health alone on a plain port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as PackedMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RichStatus
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from leadglass_agent import clock
from leadglass_agent.access.abuse import AbuseCause
from leadglass_agent.access.crowd import Bounds
from leadglass_agent.api.connections import Connections
from leadglass_agent.api.messages import receipt_message
from leadglass_agent.api.peer import Peer
from leadglass_agent.api.places import MAX_CALLS
from leadglass_agent.api.tls import HANDSHAKE_SECONDS
from leadglass_agent.errors import InternalError, InvalidRequest, Refusal

if TYPE_CHECKING:
    from leadglass_agent.api.gate import Gate
    from leadglass_agent.api.methods import Method
    from leadglass_agent.api.tls import ServerTls
    from leadglass_agent.audit.receipt import Receipt
    from leadglass_agent.telemetry.providers import Telemetry

_SESSION_KEY = "leadglass-session"
_RECEIPT_KEY = "leadglass-receipt-bin"
_DOMAIN = "leadglass.dev"

# By default grpc reads into blocks of up to 4 MiB: a client that floods with window updates then costs 130 MB.
_READING: tuple[tuple[str, int], ...] = (
    ("grpc.experimental.tcp_read_chunk_size", 8 * 1024),
    ("grpc.experimental.tcp_max_read_chunk_size", 64 * 1024),
    ("grpc.experimental.tcp_max_read_buffer_size", 64 * 1024),
)

_MAX_CONNECTIONS = 512
_MAX_STREAMS = 32  # of a connection
# Measured: without these one client takes the server from all others.
_LIMITS: tuple[tuple[str, int], ...] = (
    *_READING,
    ("grpc.so_reuseport", 0),  # else an app of the same user binds the same port and takes new connections
    # Rapid reset: 39 MB instead of 568 MB. With 16, a client of 16 threads opens before we have closed, and is refused.
    ("grpc.max_concurrent_streams", _MAX_STREAMS),
    # By default grpc cancels calls at random, whoever made them, once a thousand wait to be looked at.
    ("grpc.server.max_pending_requests", _MAX_CONNECTIONS * _MAX_STREAMS),
    ("grpc.server.max_pending_requests_hard_limit", _MAX_CONNECTIONS * _MAX_STREAMS),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1_000)),
    ("grpc.max_allowed_incoming_connections", _MAX_CONNECTIONS),
    ("grpc.max_connection_idle_ms", 2 * 60 * 1_000),  # a client comes back in 5 ms, and notices nothing
    ("grpc.keepalive_time_ms", 60_000),  # a dead peer is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
)
# The gate refuses by caller, and records it, before grpc does neither.
_MOST_CALLS = 2 * MAX_CALLS
_BOUNDS = Bounds(crowded=_MAX_CONNECTIONS * 3 // 4, share=_MAX_CONNECTIONS // 8)

_MAX_PROBES = 64
_HEALTH_LIMITS: tuple[tuple[str, int], ...] = (
    *_READING,
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.max_allowed_incoming_connections", _MAX_PROBES),
    ("grpc.max_receive_message_length", 4 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.server_handshake_timeout_ms", 3_000),  # else idle connections keep the kubelet out, 120 s each
    ("grpc.max_connection_age_ms", 30_000),
    ("grpc.max_connection_age_grace_ms", 1_000),
)
_MAX_HEALTH_CALLS = 64
PROBE_BOUNDS: Final = Bounds(crowded=_MAX_PROBES // 2, share=_MAX_PROBES, silence=AbuseCause.PROBES)

Handler = Callable[[object, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]
StreamHandler = Callable[[object, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[None]]


class _Handlers(grpc.GenericRpcHandler):
    """Routes every method name through the gate, unknown ones too, so that each attempt is audited."""

    def __init__(self, gate: Gate, table: dict[str, Method]) -> None:
        self._gate = gate
        self._table = table
        self._connections: Connections | None = None
        self._watching: asyncio.Task[None] | None = None

    def watch(self, port: int) -> None:
        """Watches the connections of the port from now on, for as long as the event loop runs."""
        self._connections = Connections(port, _BOUNDS, self._gate.refusals.abuse, clock.now)
        self._watching = asyncio.get_running_loop().create_task(self._connections.run())

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Gives the handler of a call: raw bytes in and out, since the gate parses and the barrier reads bytes.

        It is of the kind that reads its request itself: before any other, grpc waits for the request without an end.
        """
        name = handler_call_details.method
        method = self._table.get(name)
        if method is not None and method.stream_seconds:
            return grpc.stream_stream_rpc_method_handler(self._stream_handler(name, method))
        return grpc.stream_unary_rpc_method_handler(self._handler(name, method))

    def _handler(self, name: str, method: Method | None) -> Handler:
        async def handle(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            behind = _Behind()
            try:
                reply = await self._gate.answer(name, method, lambda: _receive(context), self._peer(context, behind))
            except Refusal as refusal:
                await _abort(context, refusal, behind)
                raise AssertionError from None  # abort raises; this line tells mypy so
            context.set_trailing_metadata(behind.metadata())
            return reply

        return handle

    def _stream_handler(self, name: str, method: Method) -> StreamHandler:
        async def handle(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            behind = _Behind()
            try:
                # Writing waits until the caller takes messages: the gate reads no further meanwhile.
                await self._gate.relay(
                    name, method, lambda: _receive(context), context.write, self._peer(context, behind)
                )
            except Refusal as refusal:
                await _abort(context, refusal, behind)
            context.set_trailing_metadata(behind.metadata())

        return handle

    def _peer(self, context: grpc.aio.ServicerContext[bytes, bytes], behind: _Behind) -> Peer:
        peer = _peer(context, behind)
        if self._connections is not None:
            self._connections.called(peer.address, peer.named)
        return peer


def api_server(
    gate: Gate,
    table: dict[str, Method],
    tls: ServerTls,
    telemetry: Telemetry,
    address: str,
) -> tuple[grpc.aio.Server, int]:
    """Makes the server of the API and binds it; gives the port. Raises RuntimeError or ValueError if it cannot."""
    handlers = _Handlers(gate, table)
    server = grpc.aio.server(
        handlers=(handlers,),
        interceptors=(telemetry.interceptor(frozenset(table)),),
        options=_LIMITS,
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    # A resumed TLS session brings a certificate that nobody checked again; the gate refuses it.
    port = server.add_secure_port(address, tls.server_credentials())
    handlers.watch(port)
    return server, port


class _Probes(health_aio.HealthServicer):  # type: ignore[misc] # the package ships no types
    """Answers Check alone: a Watch holds its place for ever, and 64 of them would keep every probe out."""

    async def Watch(
        self,
        request: health_pb2.HealthCheckRequest,  # noqa: ARG002 - the contract's signature
        context: grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse],
    ) -> None:
        """Refuses."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this agent answers Check alone")


class HealthServer:
    """grpc.health.v1 and nothing else, for probes that cannot do mutual TLS."""

    def __init__(self, address: str) -> None:
        self._servicer = _Probes()
        self._server = grpc.aio.server(options=_HEALTH_LIMITS, maximum_concurrent_rpcs=_MAX_HEALTH_CALLS)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        self.port = self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Starts to answer, NOT_SERVING until told otherwise."""
        await self.tell(serving=False)
        await self._server.start()

    async def tell(self, *, serving: bool) -> None:
        """Sets the answer for the whole agent."""
        status = health_pb2.HealthCheckResponse
        await self._servicer.set("", status.SERVING if serving else status.NOT_SERVING)

    async def stop(self) -> None:
        """Stops answering."""
        await self._server.stop(0)


def silence() -> None:
    """Keeps the libraries' logs quiet: they write the text of exceptions, which may hold what no log may hold."""
    for name in ("grpc", "opentelemetry"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


class _Behind:
    """What goes to the caller behind the reply: the receipt of the call's last record."""

    def __init__(self) -> None:
        self._receipt: Receipt | None = None

    def keep(self, receipt: Receipt) -> None:
        """Takes the receipt."""
        self._receipt = receipt

    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Gives the trailing metadata."""
        return () if self._receipt is None else ((_RECEIPT_KEY, receipt_message(self._receipt).SerializeToString()),)


def _peer(context: grpc.aio.ServicerContext[bytes, bytes], behind: _Behind) -> Peer:
    return Peer(
        auth=context.auth_context(),
        address=context.peer(),
        session_ids=_session_ids(context),
        seconds_left=context.time_remaining(),
        announce=context.send_initial_metadata,
        conclude=behind.keep,
    )


async def _receive(context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    """Reads the one message of a request; raises InvalidRequest if the caller sends none."""
    message: object = await context.read()
    if not isinstance(message, bytes):
        detail = "the call came without a request"
        raise InvalidRequest(detail)
    return message


def _session_ids(context: grpc.aio.ServicerContext[bytes, bytes]) -> tuple[str, ...]:
    metadata = context.invocation_metadata() or ()
    return tuple(value for key, value in metadata if key == _SESSION_KEY and isinstance(value, str))


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], refusal: Refusal, behind: _Behind) -> None:
    """Ends a call with the refusal's fixed public text and stable reason; the private detail stays in the audit log."""
    code = grpc.StatusCode[refusal.status.name]
    info = ErrorInfo(reason=refusal.reason.value, domain=_DOMAIN)
    if isinstance(refusal, InternalError):
        info.metadata["error_id"] = refusal.error_id
    details = PackedMessage()
    details.Pack(info)
    rich = RichStatus(code=code.value[0], message=refusal.public, details=[details])
    context.set_trailing_metadata((("grpc-status-details-bin", rich.SerializeToString()), *behind.metadata()))
    await context.abort(code, refusal.public)
