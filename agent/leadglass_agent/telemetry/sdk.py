"""Builds the providers of OpenTelemetry's SDK, for agents that export: without one its 10 MB are not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, cast

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from leadglass_agent.telemetry.extras import need_extra
from leadglass_agent.telemetry.instruments import INSTRUMENTS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from leadglass_agent.config import Telemetry as TelemetryConfig
    from leadglass_agent.standard_output import StandardOutput

_EXPORT_MS: Final = 5_000
_MAX_ATTRIBUTES: Final = 8
_MAX_SPANS: Final = 2_048  # waiting for a slow backend; what comes on top is dropped


@dataclass(frozen=True, slots=True)
class Providers:
    """What makes tracers and meters, and sends what they measure."""

    traces: TracerProvider
    metrics: MeterProvider

    def close(self) -> None:
        """Exports what is left and stops."""
        self.metrics.shutdown()
        self.traces.shutdown()


def open_providers(
    config: TelemetryConfig,
    resource: Mapping[str, str],
    output: StandardOutput,
    readers: tuple[MetricReader, ...],
    dial: Callable[[], socket.socket] | None = None,
) -> Providers:
    """Builds both, with what connects to the endpoint; raises StartRefused if something is not there or of no use."""
    # Built directly and not by Resource.create: detectors would read the environment and the command line.
    described = Resource(dict(resource))
    traces = TracerProvider(
        resource=described,
        shutdown_on_exit=False,
        span_limits=SpanLimits(max_span_attributes=_MAX_ATTRIBUTES, max_events=0, max_links=0),
    )
    exporters = _exporters(config, output, dial)
    if exporters is not None:
        spans, metrics = exporters
        readers = (*readers, PeriodicExportingMetricReader(metrics, export_interval_millis=_EXPORT_MS))
        traces.add_span_processor(
            BatchSpanProcessor(
                spans,
                max_queue_size=_MAX_SPANS,
                schedule_delay_millis=_EXPORT_MS,
                max_export_batch_size=_MAX_SPANS // 4,
                export_timeout_millis=_EXPORT_MS,
            ),
        )
    meters = MeterProvider(metric_readers=readers, resource=described, shutdown_on_exit=False, views=_allowed())
    return Providers(traces, meters)


def _allowed() -> tuple[View, ...]:
    """Gives the labels of the table for each instrument: the SDK drops every other one, should code ever set it."""
    return tuple(
        View(instrument_name=instrument.name, attribute_keys={label.name for label in instrument.labels})
        for instrument in INSTRUMENTS
    )


def _exporters(
    config: TelemetryConfig, output: StandardOutput, dial: Callable[[], socket.socket] | None
) -> tuple[SpanExporter, MetricExporter] | None:
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
            where = (config.endpoint, config.authorities, config.headers_file, dial)
            return OtlpSpans(Sender(*where)), OtlpMetrics(Sender(*where))
