"""Measures each call in a span and a histogram under OpenTelemetry's names for RPC; no text of anybody is in either.

No exception is recorded and no status text is set: both would carry text of the caller or of the target into a backend.
Names: OpenTelemetry semantic conventions, "RPC" (release candidate).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from leadglass_agent.telemetry.instruments import OTHER

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram

# Status codes that are the server's fault and set error.type, as the gRPC convention lists them.
_SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Reply = TypeVar("_Reply")
Streaming = Callable[[Iterator[_In], grpc.ServicerContext], Iterator[_Out]]
# Gives bytes, or None if it wrote a stream.
Handle = Callable[[object, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[_Reply]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handler of each call in a span and a measurement."""

    def __init__(self, methods: frozenset[str], duration: Histogram, tracer: Tracer) -> None:
        self._methods = methods
        self._duration = duration
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[_In, _Out] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[_In, _Out] | None:
        """Gives the wrapped handler."""
        handler = await continuation(handler_call_details)
        if handler is None or (handler.stream_unary is None and handler.stream_stream is None):
            return handler
        known = handler_call_details.method in self._methods
        method = handler_call_details.method.removeprefix("/") if known else OTHER
        # The types describe handlers of the synchronous server; ours is the asynchronous one's, bytes in and bytes out.
        if handler.stream_stream is not None:
            streaming = self._measured(cast("Handle[None]", handler.stream_stream), method)
            return grpc.stream_stream_rpc_method_handler(cast("Streaming[_In, _Out]", streaming))
        return grpc.stream_unary_rpc_method_handler(self._measured(cast("Handle[bytes]", handler.stream_unary), method))

    def _measured(self, handle: Handle[_Reply], method: str) -> Handle[_Reply]:
        async def measured(requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> _Reply:
            attributes = {"rpc.system.name": "grpc", "rpc.method": method}
            started = time.perf_counter()
            with self._tracer.start_as_current_span(
                method,
                kind=SpanKind.SERVER,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    return await handle(requests, context)
                except asyncio.CancelledError:
                    context.set_code(grpc.StatusCode.CANCELLED)  # else the status is still unset, which reads as OK
                    raise
                finally:
                    code = _code(context)
                    attributes["rpc.response.status_code"] = code
                    if code in _SERVER_ERRORS:
                        attributes["error.type"] = code
                        span.set_status(Status(StatusCode.ERROR))
                    span.set_attributes(attributes)
                    self._duration.record(time.perf_counter() - started, attributes)

        return measured


def _code(context: grpc.aio.ServicerContext[bytes, bytes]) -> str:
    """Reads the status that the call ends with; grpc.aio gives it as a number, and none for OK."""
    code: object = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == (code or 0)), "UNKNOWN")
