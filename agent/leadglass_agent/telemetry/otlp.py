"""Exports spans and metrics as OTLP over HTTP; what a peer does not take is dropped, and said nowhere.

OpenTelemetry's own encoders write the messages. The two classes inherit because the SDK accepts nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from leadglass_agent.telemetry.faults import NotTaken
from leadglass_agent.telemetry.sending import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from leadglass_agent.telemetry.sending import Sender


class OtlpSpans(SpanExporter):
    """Sends finished spans."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends one batch; tells only whether it was taken."""
        try:
            self._sender.send(Signal.TRACES, encode_spans(spans).SerializeToString())
        except NotTaken:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Closes the connection."""
        self._sender.close()


class OtlpMetrics(MetricExporter):
    """Sends what was measured; sums are cumulative, so that a request that is lost loses nothing."""

    def __init__(self, sender: Sender) -> None:
        super().__init__()
        self._sender = sender

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 0,  # noqa: ARG002 - the SDK's signature; the sender has its own deadline
        **_: object,
    ) -> MetricExportResult:
        """Sends one collection; tells only whether it was taken."""
        try:
            self._sender.send(Signal.METRICS, encode_metrics(metrics_data).SerializeToString())
        except NotTaken:
            return MetricExportResult.FAILURE
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:  # noqa: ARG002 - the SDK's signature
        """Has nothing to flush: nothing is buffered."""
        return True

    def shutdown(self, timeout_millis: float = 0, **_: object) -> None:  # noqa: ARG002 - the SDK's signature
        """Closes the connection."""
        self._sender.close()
