"""Writes records as RFC 4180 lines that no spreadsheet runs as a formula."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_client.output.records import JsonValue, Record

# What a spreadsheet takes as the start of a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_QUOTED = frozenset('",\r\n')


def csv_lines(fields: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    """Yields the header and one line a record, without line ends; `a.b` is the field b of the field a."""
    yield ",".join(_quote(field) for field in fields)
    for record in records:
        yield ",".join(_cell(_find(record, field)) for field in fields)


def _find(record: Record, field: str) -> JsonValue:
    value: JsonValue = record
    for part in field.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _cell(value: JsonValue) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return _quote(f"'{value}" if value.startswith(_FORMULA_STARTS) else value)
        case _:
            return _quote(json.dumps(value, ensure_ascii=False))


def _quote(text: str) -> str:
    if _QUOTED.isdisjoint(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
