"""Metrics and traces of calls under OpenTelemetry's names for RPC; values come from enums and the method table alone.

No exception is recorded and no status text is set: both would carry text of the caller or of the target into a backend.
Names: OpenTelemetry semantic conventions, "RPC" (release candidate).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import grpc
import grpc.aio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram

    from leadglass_agent.access.guard import HaltCause
    from leadglass_agent.processes.live import Part

# Bucket boundaries in seconds that the convention advises for rpc.server.call.duration.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_OTHER = "_OTHER"  # the convention's name for a method that the server does not know
_EXPORT_MS = 5_000
_MAX_ATTRIBUTES = 8
_MAX_SPANS = 2_048  # waiting for a slow backend; what comes on top is dropped
_CLOSE_SECONDS = 2.0

# Status codes that are the server's fault and set error.type, as the gRPC convention lists them.
_SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Reply = TypeVar("_Reply")
Streaming = Callable[[Iterator[_In], grpc.ServicerContext], Iterator[_Out]]
# Gives bytes, or None if it wrote a stream.
Handle = Callable[[object, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[_Reply]]


class Telemetry:
    """The providers of one agent; they export nowhere unless the configuration says so."""

    def __init__(self, exporter: Literal["none", "stdout"], version: str) -> None:
        # Built directly and not by Resource.create: detectors would read the environment and the command line.
        resource = Resource({"service.name": "leadglass-agent", "service.version": version})
        readers: list[MetricReader] = []
        self._traces = TracerProvider(
            resource=resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attributes=_MAX_ATTRIBUTES, max_events=0, max_links=0),
        )
        if exporter == "stdout":
            # Its own stream and its own threads: a pipe that nobody reads must not stop calls, nor the agent's end.
            out = os.fdopen(os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1), "w", encoding="utf-8")
            reader = PeriodicExportingMetricReader(ConsoleMetricExporter(out=out), export_interval_millis=_EXPORT_MS)
            readers.append(reader)
            self._traces.add_span_processor(
                BatchSpanProcessor(
                    ConsoleSpanExporter(out=out),
                    max_queue_size=_MAX_SPANS,
                    schedule_delay_millis=_EXPORT_MS,
                    max_export_batch_size=_MAX_SPANS // 4,
                    export_timeout_millis=_EXPORT_MS,
                ),
            )
        self._metrics = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        meter = self._metrics.get_meter("leadglass_agent", version)
        self._tracer = self._traces.get_tracer("leadglass_agent", version)
        self._duration = meter.create_histogram(
            "rpc.server.call.duration",
            unit="s",
            description="Duration of calls, from the request to the reply",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._withheld = meter.create_counter(
            "leadglass.barrier.withheld",
            unit="{reply}",
            description="Replies that held a value which the pod keeps as a secret, and did not leave",
        )
        self._redactions = meter.create_counter(
            "leadglass.redactions",
            unit="{mask}",
            description="Secrets that were masked in replies, by the rule that found them",
        )

        self._halts = meter.create_counter(
            "leadglass.halts",
            unit="{halt}",
            description="Identities that the guard halted, by the rule that did",
        )
        self._reloads = meter.create_counter(
            "leadglass.reloads",
            unit="{reload}",
            description="Changes of certificates, policy and lists that were put in force, or could not be used",
        )

    def count_halt(self, cause: HaltCause) -> None:
        """Counts a halt."""
        self._halts.add(1, {"cause": cause.value})

    def count_reload(self, part: Part, *, failed: bool) -> None:
        """Counts a change of what the agent was given in files."""
        self._reloads.add(1, {"part": part.value, "outcome": "failed" if failed else "taken"})

    def count_withheld(self) -> None:
        """Counts a reply that the barrier withheld."""
        self._withheld.add(1)

    def count_redactions(self, redactions: Mapping[str, int]) -> None:
        """Counts what was masked by rule; the caller has checked that each is a rule of the engine."""
        for rule, count in redactions.items():
            self._redactions.add(count, {"rule": rule})

    def interceptor(self, methods: frozenset[str]) -> grpc.aio.ServerInterceptor:
        """Gives the interceptor that measures each call of these methods, and all others under one name."""
        return _Interceptor(methods, self._duration, self._tracer)

    def close(self) -> None:
        """Exports what is left and stops; gives up on a backend that takes nothing."""
        closing = threading.Thread(target=self._shut_down, name="telemetry-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def _shut_down(self) -> None:
        self._metrics.shutdown()
        self._traces.shutdown()


class _Interceptor(grpc.aio.ServerInterceptor):
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
        method = handler_call_details.method.removeprefix("/") if known else _OTHER
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
