"""The benchmark of calls: it measures every RPC, and what it draws is whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import calls_picture
from benched_agent import POLICY, App
from call_kinds import NOT_MEASURED, kinds
from leadglass_agent.api.methods import METHODS
from leadglass_agent.policy.parse import parse_policy
from load import Timed
from measured_process import MeasuredProcess
from result_file import Result, Unit

if TYPE_CHECKING:
    from pathlib import Path

ROWS = (
    Result("calls/ListEnvironment/1/p50", 2.5, Unit.MILLISECONDS, 1.2, {"echo": 0.6, "audit in /dev/shm": 2.1}),
    Result("calls/ListEnvironment/8/p50", 9.0, Unit.MILLISECONDS, None, {"echo": 3.0, "audit in /dev/shm": 8.0}),
    Result("calls/ListEnvironment/8/throughput", 800, Unit.CALLS_PER_SECOND, None, {"echo": 3_000}),
    Result("processes/1000", 30.0, Unit.MILLISECONDS, 33.0, {"ps": 66.0, "psutil": 160.0}),
    Result("watchers/let in", 32, Unit.STREAMS, 200),
)


def test_every_rpc_is_measured_or_named_as_not_measured(tmp_path: Path) -> None:
    measured = {kind.name: kind for kind in kinds(App(1, tmp_path / "app.log"))}
    methods = {method.name.rpartition("/")[2]: method for method in METHODS}
    assert measured.keys() | set(NOT_MEASURED) == methods.keys()
    assert not measured.keys() & set(NOT_MEASURED)
    for name, kind in measured.items():
        assert kind.method == methods[name].name
        assert kind.in_session is methods[name].in_session
        assert kind.streams is (methods[name].stream_seconds > 0)


def test_its_policy_is_one_that_the_agent_takes() -> None:
    assert parse_policy(POLICY.encode(), "bench").name == "bench"


@pytest.mark.parametrize(("percent", "expected"), [(50, 0.51), (95, 0.96), (99, 1.0), (100, 1.0)])
def test_percentiles_are_those_of_all_calls(percent: float, expected: float) -> None:
    timed = Timed(tuple(number / 100 for number in range(100, 0, -1)), 1.0)
    assert timed.percentile(percent) == pytest.approx(expected)


def test_the_picture_is_well_formed_and_shows_each_row_beside_its_peers() -> None:
    source = calls_picture.draw(ROWS, "a machine <with> 2 cores")
    picture = ET.fromstring(source)  # noqa: S314 - we wrote it
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    for words in ("ListEnvironment", "1000 processes", "audit log on disk", "echo", "ps", "✓ holds", "✗ not reached"):
        assert words in texts
    assert source.count("http") == 1
    width, height = (float(picture.attrib[name]) for name in ("width", "height"))
    dots = list(picture.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 5 + 3 + 3 + 3  # the legend, and a row with its peers
    assert all(0 < float(dot.attrib["cx"]) < width and 0 < float(dot.attrib["cy"]) < height for dot in dots)


@pytest.mark.parametrize("unit", [Unit.CALLS_PER_SECOND, Unit.STREAMS])
def test_more_calls_are_better(unit: Unit) -> None:
    assert Result("x", 100.0, unit, 100.0).holds is True
    assert Result("x", 99.9, unit, 100.0).holds is False


@pytest.mark.parametrize("unit", [Unit.SECONDS, Unit.MEBIBYTES, Unit.PERCENT])
def test_less_memory_and_time_are_better(unit: Unit) -> None:
    assert Result("x", 100.1, unit, 100.0).holds is False


def test_a_process_that_measures_begins_without_the_agent() -> None:
    with MeasuredProcess() as process:
        assert not process.call(_is_loaded, "leadglass_agent.processes.front")


def _is_loaded(name: str) -> bool:
    return name in sys.modules
