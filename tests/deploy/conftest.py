"""Every test of deploy/ renders it, and needs kubectl and helm for that."""

from __future__ import annotations

import pytest

import kubernetes_tools


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    reason = kubernetes_tools.why_not()
    if reason is not None:
        pytest.skip(reason)
