"""Names the forms of output."""

from __future__ import annotations

from enum import StrEnum


class OutputForm(StrEnum):
    """Forms of -o."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"
