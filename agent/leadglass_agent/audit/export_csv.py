"""Writes a record as one line of CSV (RFC 4180) with fixed columns, which no spreadsheet runs as a formula."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.audit.canonical import Json

# Later versions add columns at the end, before `others`; none is ever renamed or moved.
COLUMNS: Final = (
    *("seq", "time", "kind", "severity", "caller", "peer", "session_id", "ticket", "reason_text", "call_id"),
    *("method", "permission", "target_pid", "target_start_ticks", "arguments", "decision", "refusal", "detail"),
    *("rows", "masked", "reply_bytes", "duration_us", "redaction", "redactions", "rules", "grants", "policy_digest"),
    *("key_digest", "certificate_serial", "tls_version", "tls_group", "recording", "facts", "cut"),
    *("arguments_omitted", "boot_ns", "boot_id", "prev", "hash", "v"),
)
OTHERS: Final = "others"

# What a spreadsheet takes as the start of a formula (OWASP, "CSV injection"), and the apostrophe that keeps it from
# that: a reader who takes one apostrophe off the start of a cell always has the text as it was.
_MARKED_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_QUOTED: Final = frozenset('",\r\n')


def header() -> str:
    """Returns the first line, with its end."""
    return _line((*COLUMNS, OTHERS))


def line(record: Mapping[str, Json]) -> str:
    """Returns the line of a record, with its end; lists and objects are JSON, what has no column is in `others`."""
    rest: dict[str, Json] = {name: value for name, value in record.items() if name not in COLUMNS}
    return _line((*(_cell(record.get(name)) for name in COLUMNS), _cell(rest or None)))


def _line(cells: tuple[str, ...]) -> str:
    return ",".join(map(_quoted, cells)) + "\r\n"


def _cell(value: Json | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f"'{value}" if value.startswith(_MARKED_STARTS) else value
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _quoted(cell: str) -> str:
    if _QUOTED.isdisjoint(cell):
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
