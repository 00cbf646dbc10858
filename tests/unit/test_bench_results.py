"""What the benchmarks write: rows that others read, a picture that opens anywhere, failures that have a name."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import contenders
from measured_process import MeasuredProcess, NoAnswerError
from redaction_picture import draw
from result_file import Result, Unit, write_results

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
PEERS = {contenders.MEMCPY: 40_000.0, contenders.BARE_SCAN: 2_345.678, contenders.KINGFISHER: 9.0}
ROWS = (
    Result("redaction/dense-logs/balanced", 123.456, Unit.MEGABYTES_PER_SECOND, 100.0, PEERS),
    Result("redaction/dense-logs/strict", 0.0001, Unit.MEGABYTES_PER_SECOND, None, PEERS),
    Result("redaction/balanced/load", 61.0, Unit.MILLISECONDS, 50.0),
    Result("redaction/size/1KiB/whole", 500.0, Unit.MEGABYTES_PER_SECOND),
    Result("redaction/size/1KiB/stream", 400.0, Unit.MEGABYTES_PER_SECOND),
    Result("redaction/dense-logs/balanced/recall", 0.981, Unit.SHARE, None, {contenders.BETTERLEAKS: 0.7}),
)


def test_the_file_is_a_list_of_rows_with_five_keys(tmp_path: Path) -> None:
    file = tmp_path / "results" / "redaction.json"
    write_results(ROWS, file)
    rows = json.loads(file.read_text())
    assert rows[0] == {
        "name": "redaction/dense-logs/balanced",
        "value": 123.5,
        "unit": "MB/s",
        "limit": 100.0,
        "peers": {"memcpy": 40_000.0, "bare-hyperscan": 2346.0, "kingfisher": 9.0},
    }
    assert [set(row) for row in rows] == [{"name", "value", "unit", "limit", "peers"}] * len(ROWS)


@pytest.mark.parametrize(
    ("value", "unit", "holds"),
    [
        (99.9, Unit.MEGABYTES_PER_SECOND, False),
        (100.0, Unit.RATIO, True),
        (100.0, Unit.MILLISECONDS, True),
        (100.1, Unit.MICROSECONDS, False),
        (100.1, Unit.MEGABYTES, False),
        (100.1, Unit.SHARE, True),
    ],
)
def test_a_limit_is_the_least_of_a_speed_and_the_most_of_a_cost(value: float, unit: Unit, *, holds: bool) -> None:
    assert Result("x", value, unit, 100.0).holds is holds
    assert Result("x", value, unit).holds is None


def test_the_picture_is_well_formed_needs_nothing_from_outside_and_names_every_contender_and_limit() -> None:
    source = draw(ROWS, "a machine <with> 2 cores & more")
    picture = ET.fromstring(source)  # noqa: S314 - we wrote it
    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    for name in (*contenders.OURS, *contenders.DETECTORS, contenders.MEMCPY, "Dense logs", "✓ holds", "✗ not reached"):
        assert name in texts
    assert any("a machine <with> 2 cores & more" in text for text in texts)
    assert "Secrets of the dense logs that are masked: balanced 98%, betterleaks 70%" in texts
    assert source.count("http") == 1
    width, height = (float(picture.attrib[name]) for name in ("width", "height"))
    for dot in picture.iter(f"{SVG}circle"):
        assert 0 < float(dot.attrib["cx"]) < width
        assert 0 < float(dot.attrib["cy"]) < height


def test_a_detector_that_is_not_installed_has_a_name_in_the_answer() -> None:
    with MeasuredProcess() as process:
        with pytest.raises(NoAnswerError, match=r"ModuleNotFoundError: No module named 'no_such_detector'"):
            process.call(__import__, "no_such_detector")
        assert process.call(len, "still here") == 10


def test_a_contender_that_dies_does_not_take_the_benchmark_along() -> None:
    with MeasuredProcess() as process:
        with pytest.raises(NoAnswerError, match="the process has ended"):
            process.call(os._exit, 3)
        with pytest.raises(NoAnswerError):
            process.call(len, "gone")


def test_two_processes_work_at_the_same_time() -> None:
    with MeasuredProcess() as first, MeasuredProcess() as second:
        first.begin(time.sleep, 0)
        second.begin(os.getpid)
        assert second.answer() != os.getpid()
        assert first.answer() is None
