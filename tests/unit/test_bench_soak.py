"""bench/soak.py: the growth that a soak tells is the slope of the line through its laps."""

from __future__ import annotations

import pytest

from soak import Lap, growth_per_thousand


def test_what_each_thousand_calls_add_is_the_growth() -> None:
    assert growth_per_thousand([Lap(calls, 50 + 0.25 * calls / 1_000) for calls in (500, 900, 2_000)]) == pytest.approx(
        0.25
    )


def test_memory_that_goes_up_and_comes_back_is_no_growth() -> None:
    assert growth_per_thousand([Lap(1, 50), Lap(2, 60), Lap(3, 50)]) == pytest.approx(0)


def test_one_lap_that_took_more_is_not_taken_for_growth() -> None:
    laps = [Lap(calls, 50 + 3 * (calls == 50_000)) for calls in range(1_000, 100_000, 1_000)]
    assert abs(growth_per_thousand(laps)) < 0.001
