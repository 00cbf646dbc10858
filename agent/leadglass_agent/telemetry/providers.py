"""Gives one agent its instruments and its interceptor; they measure nothing unless somebody shall see it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer

from leadglass_agent.telemetry.interceptor import CallInterceptor
from leadglass_agent.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    import grpc.aio
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.trace import Tracer

    from leadglass_agent.config import Telemetry as TelemetryConfig
    from leadglass_agent.standard_output import StandardOutput
    from leadglass_agent.telemetry.sdk import Providers

_SCOPE: Final = "leadglass_agent"
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
        dial: Callable[[], socket.socket] | None = None,
    ) -> None:
        """Takes who connects to the endpoint; raises StartRefused if what is configured is not there or of no use."""
        self._providers: Providers | None = None
        meter: Meter = NoOpMeter(_SCOPE)
        self._tracer: Tracer = NoOpTracer()
        if config.exporter != "none" or readers:
            from leadglass_agent.telemetry.sdk import open_providers  # noqa: PLC0415 - only for those who export

            self._providers = open_providers(config, resource, output, readers, dial)
            meter = self._providers.metrics.get_meter(_SCOPE, version)
            self._tracer = self._providers.traces.get_tracer(_SCOPE, version)
        self.metrics = Metrics(meter)

    def interceptor(self, methods: frozenset[str]) -> grpc.aio.ServerInterceptor:
        """Gives the interceptor that measures each call of these methods, and all others under one name."""
        return CallInterceptor(methods, self.metrics.call_duration, self._tracer)

    def close(self) -> None:
        """Exports what is left and stops; gives up on a backend that takes nothing."""
        if self._providers is None:
            return
        closing = threading.Thread(target=self._providers.close, name="telemetry-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)
