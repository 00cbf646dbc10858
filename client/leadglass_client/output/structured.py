"""Writes documents and records as JSON, JSON lines and YAML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_client.output.records import Record

_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the C one is absent where PyYAML was built without libyaml


def json_lines(document: Record) -> Iterator[str]:
    """Yields one JSON document, indented by two."""
    yield json.dumps(document, ensure_ascii=False, indent=2)


def json_record_lines(records: Sequence[Record]) -> Iterator[str]:
    """Yields one compact JSON object a line."""
    for record in records:
        yield json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def yaml_lines(document: Record) -> Iterator[str]:
    """Yields one YAML document in block style, fields in the order of the API."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    yield text.rstrip("\n")
