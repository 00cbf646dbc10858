"""Names the forms of output and of exports."""

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


class ExportFormat(StrEnum):
    """Formats of `leadglass audit export`."""

    JSONL = "jsonl"
    OCSF = "ocsf"
    ECS = "ecs"
    CSV = "csv"
