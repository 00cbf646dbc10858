"""Settings of the whole suite."""

from __future__ import annotations

import pytest
from hypothesis import settings

import engine_sources

# A busy machine is slow, and slow is not wrong: no example of a property fails by the clock.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_sessionstart() -> None:
    """Ends a run that would test the machine code of sources that have changed since."""
    if engine_sources.is_stale(engine_sources.AGENT):
        pytest.exit("the compiled engine is not that of the sources beside it: run make build", returncode=4)
