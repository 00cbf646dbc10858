"""A label that is not in the table of instruments leaves by no exporter, even if code came to set it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.config import Telemetry as TelemetryConfig
from leadglass_agent.standard_output import StandardOutput
from leadglass_agent.telemetry.instruments import INSTRUMENTS, Kind
from leadglass_agent.telemetry.prometheus import MetricsText
from leadglass_agent.telemetry.providers import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def measured() -> Iterator[tuple[Telemetry, MetricsText]]:
    """Gives telemetry that shows its page of metrics alone."""
    text = MetricsText()
    output = StandardOutput()
    telemetry = Telemetry(TelemetryConfig(), {"service.name": "test"}, "1", output, (text.reader,))
    yield telemetry, text
    telemetry.close()
    output.close()


def test_an_unknown_label_is_dropped_and_the_known_ones_stay(measured: tuple[Telemetry, MetricsText]) -> None:
    telemetry, text = measured
    telemetry.metrics.call_duration.record(0.2, {"rpc.method": "known", "caller": "hidden"})
    page = text.page().decode()
    assert 'rpc_server_call_duration_seconds_count{rpc_method="known"} 1.0' in page
    assert "hidden" not in page
    assert "caller=" not in page


def test_histograms_have_the_buckets_of_the_table(measured: tuple[Telemetry, MetricsText]) -> None:
    telemetry, text = measured
    telemetry.metrics.call_duration.record(0.2, {})
    telemetry.metrics.count_commit(1, 0.0002)
    page = text.page().decode()
    for instrument in INSTRUMENTS:
        if instrument.kind is Kind.HISTOGRAM:
            bounds = re.findall(rf'^{instrument.prometheus_name}_bucket{{le="([0-9.]+)"}}', page, re.MULTILINE)
            assert tuple(map(float, bounds)) == instrument.buckets


def test_a_counter_with_few_labels_is_there_before_the_first_event(measured: tuple[Telemetry, MetricsText]) -> None:
    _, text = measured
    page = text.page().decode()
    for line in (
        'leadglass_halts_total{cause="DENIALS"} 0.0',
        'leadglass_reloads_total{outcome="failed",part="POLICY"} 0.0',
        'leadglass_decisions_total{effect="ALLOW",view="env.presence"} 0.0',
        "leadglass_barrier_withheld_total 0.0",
    ):
        assert line in page.splitlines()
