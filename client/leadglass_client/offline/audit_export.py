"""Exports the records of audit logs as a stream in the form that another system takes."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, assert_never

from leadglass_agent.audit.export_csv import header, line
from leadglass_agent.audit.export_ecs import ecs
from leadglass_agent.audit.export_ocsf import ocsf
from leadglass_agent.audit.reading import Filter
from leadglass_agent.audit.record import EventKind
from leadglass_client.errors import ExitCode, Failure, OutputLostError
from leadglass_client.forms import ExportFormat
from leadglass_client.offline.byte_output import ByteOutput
from leadglass_client.offline.log_files import log_reader
from leadglass_client.output.screen import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.audit.reading import Line

_CHUNK_BYTES: Final = 65_536
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def export_log(logs: Sequence[str], form: ExportFormat, wanted: Filter, *, is_verified: bool) -> None:
    """Writes the wanted records to standard output in bounded memory; exit 8 if there were lines that are none."""
    if sys.stdout is None:
        what = "there is no standard output"
        raise OutputLostError(what)
    reader = log_reader(logs)
    if not is_verified:
        note("not verified; run leadglass audit verify")
    output = ByteOutput(sys.stdout)
    buffer = io.BytesIO()
    if form is ExportFormat.CSV:
        buffer.write(header().encode("utf-8"))
    for piece in _pieces(reader.lines(), form, wanted):
        buffer.write(piece)
        if buffer.tell() >= _CHUNK_BYTES:
            output.write(buffer.getvalue())
            buffer = io.BytesIO()
    output.write(buffer.getvalue())
    output.end()
    reader.tell_unread()


def wanted_records(since: str, until: str, session_id: str, caller: str, kinds: Sequence[str]) -> Filter:
    """Reads what was asked for; raises Failure for a time or a kind that there is not."""
    unknown = sorted(set(kinds) - set(EventKind))
    if unknown:
        raise Failure(ExitCode.USAGE, f"{unknown[0]} is no kind of record", f"one of {', '.join(EventKind)}")
    return Filter(_time(since), _time(until), session_id, caller, frozenset(kinds))


def _time(text: str) -> str:
    """Writes a time as the log does, so that texts compare as times do."""
    if not text:
        return ""
    try:
        parsed = datetime.fromisoformat(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
        in_utc = None if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        what = f"{text!r} is no time with a time zone"
        raise Failure(ExitCode.USAGE, what, "write 2025-06-15 (its first moment in UTC) or 2025-06-15T15:00:00Z")
    return f"{in_utc:%Y-%m-%dT%H:%M:%S.%f}Z"


def _pieces(lines: Iterator[Line], form: ExportFormat, wanted: Filter) -> Iterator[bytes]:
    for one in lines:
        record = one.record
        if record is None or not wanted.wants(record):
            continue
        match form:
            case ExportFormat.JSONL:
                yield one.text
            case ExportFormat.OCSF:
                yield _json(ocsf(record))
            case ExportFormat.ECS:
                yield _json(ecs(record))
            case ExportFormat.CSV:
                yield line(record).encode("utf-8")
            case _:
                assert_never(form)


def _json(document: dict[str, Json]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
