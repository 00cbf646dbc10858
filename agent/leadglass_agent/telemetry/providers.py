"""Builds OpenTelemetry's providers for one agent; they export nowhere unless the configuration says so."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Final, cast

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry.instruments import INSTRUMENTS
from leadglass_agent.telemetry.interceptor import CallInterceptor
from leadglass_agent.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc.aio
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from leadglass_agent.config import Telemetry as TelemetryConfig
    from leadglass_agent.standard_output import StandardOutput

_SCOPE: Final = "leadglass_agent"
_EXPORT_MS: Final = 5_000
_MAX_ATTRIBUTES: Final = 8
_MAX_SPANS: Final = 2_048  # waiting for a slow backend; what comes on top is dropped
_CLOSE_SECONDS: Final = 2.0


class Telemetry:
    """The providers, the instruments and the interceptor of one agent."""

    def __init__(
        self,
        config: TelemetryConfig,
        resource: Mapping[str, str],
        version: str,
        output: StandardOutput,
        readers: tuple[MetricReader, ...] = (),
    ) -> None:
        """Raises StartRefused if what is configured is not installed or cannot be used."""
        # Built directly and not by Resource.create: detectors would read the environment and the command line.
        described = Resource(dict(resource))
        exporters = _exporters(config, output)
        self._traces = TracerProvider(
            resource=described,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attributes=_MAX_ATTRIBUTES, max_events=0, max_links=0),
        )
        if exporters is not None:
            spans, metrics = exporters
            readers = (*readers, PeriodicExportingMetricReader(metrics, export_interval_millis=_EXPORT_MS))
            self._traces.add_span_processor(
                BatchSpanProcessor(
                    spans,
                    max_queue_size=_MAX_SPANS,
                    schedule_delay_millis=_EXPORT_MS,
                    max_export_batch_size=_MAX_SPANS // 4,
                    export_timeout_millis=_EXPORT_MS,
                ),
            )
        self._metrics = MeterProvider(
            metric_readers=readers, resource=described, shutdown_on_exit=False, views=_allowed()
        )
        self._tracer = self._traces.get_tracer(_SCOPE, version)
        self.metrics = Metrics(self._metrics.get_meter(_SCOPE, version))

    def interceptor(self, methods: frozenset[str]) -> grpc.aio.ServerInterceptor:
        """Gives the interceptor that measures each call of these methods, and all others under one name."""
        return CallInterceptor(methods, self.metrics.call_duration, self._tracer)

    def close(self) -> None:
        """Exports what is left and stops; gives up on a backend that takes nothing."""
        closing = threading.Thread(target=self._shut_down, name="telemetry-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def _shut_down(self) -> None:
        self._metrics.shutdown()
        self._traces.shutdown()


def _allowed() -> tuple[View, ...]:
    """Gives the labels of the table for each instrument: the SDK drops every other one, should code ever set it."""
    return tuple(
        View(instrument_name=instrument.name, attribute_keys={label.name for label in instrument.labels})
        for instrument in INSTRUMENTS
    )


def need_extra(module: str, extra: str, key: str) -> None:
    """Raises StartRefused if a module is not installed, with the extra that brings it."""
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        found = False
    if not found:
        message = f"{key} needs what is not installed: pip install 'leadglass[{extra}]'"
        raise StartRefused(message)


def _exporters(config: TelemetryConfig, output: StandardOutput) -> tuple[SpanExporter, MetricExporter] | None:
    match config.exporter:
        case "none":
            return None
        case "stdout":
            out = cast("IO[str]", output)  # they write one document at a time, and flush
            return ConsoleSpanExporter(out=out), ConsoleMetricExporter(out=out)
        case "otlp":
            need_extra("opentelemetry.exporter.otlp.proto.common", "otlp", "telemetry.exporter: otlp")
            # Behind the check, and only for those who want it: 4 MB.
            from leadglass_agent.telemetry.otlp import OtlpMetrics, OtlpSpans  # noqa: PLC0415
            from leadglass_agent.telemetry.sending import Sender  # noqa: PLC0415

            # A connection each: they send from threads of their own.
            where = (config.endpoint, config.authorities, config.headers_file)
            return OtlpSpans(Sender(*where)), OtlpMetrics(Sender(*where))
