"""build.py: the agent says the version under which it was installed."""

from __future__ import annotations

from importlib.metadata import version

from leadglass_agent.build import VERSION


def test_the_version_is_that_of_the_package() -> None:
    assert version("leadglass") == VERSION
