"""Bounds on the rows of a list."""

from __future__ import annotations

DEFAULT_LIMIT = 10_000
MAX_LIMIT = 100_000  # the agent lists no more of a directory
