"""Every record becomes one line that any reader of RFC 4180 takes apart again, and that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exported_events import EXAMPLES, full_events, records_of
from leadglass_agent.audit.export_csv import COLUMNS, OTHERS, header, line
from leadglass_agent.audit.record import Event, EventKind

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json

_IN_OTHERS = frozenset(
    {
        *("origin", "tree_size", "root_hash", "signature", "frontier", "verifier_key", "certificate", "key_signature"),
    }
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize("record", records_of(EXAMPLES), ids=lambda record: f"{record['seq']}-{record['kind']}")
def test_a_record_of_every_kind_reads_back_as_it_was(record: dict[str, Json]) -> None:
    assert _read_back(line(record)) == _set(record)


@given(full_events)
def test_whatever_callers_write_it_reads_back_and_no_cell_is_a_formula(event: Event) -> None:
    (record,) = records_of([event])

    text = line(record)

    assert not any(cell.startswith(_FORMULA_STARTS) for cell in _cells(text))
    assert _read_back(text) == _set(record)


@pytest.mark.parametrize("start", _FORMULA_STARTS)
@given(st.text(max_size=20))
def test_a_text_that_begins_as_a_formula_gets_an_apostrophe(start: str, rest: str) -> None:
    cell = dict(zip(COLUMNS, _cells(line({"reason_text": f"{start}{rest}"})), strict=False))["reason_text"]

    assert cell.startswith(f"'{start}")


def test_every_field_of_an_event_has_its_column_or_its_place_among_the_others() -> None:
    assert {field.name for field in fields(Event)} - set(COLUMNS) == _IN_OTHERS
    assert _cells(header()) == [*COLUMNS, OTHERS]


def test_a_line_ends_as_the_standard_says() -> None:
    assert line(records_of([Event(kind=EventKind.AGENT_STOPPED)])[0]).endswith("\r\n")


def _cells(text: str) -> list[str]:
    (row,) = csv.reader(io.StringIO(text, newline=""), strict=True)
    return row


def _read_back(text: str) -> dict[str, Json]:
    """Makes the record again from its line, as a program that knows the columns does."""
    cells = dict(zip((*COLUMNS, OTHERS), _cells(text), strict=True))
    others: dict[str, Json] = json.loads(cells.pop(OTHERS) or "{}")
    return {name: _value(name, cell) for name, cell in cells.items() if cell} | others


def _set(record: dict[str, Json]) -> dict[str, Json]:
    """Leaves out empty texts: CSV has one form for them and for what is not set."""
    return {name: value for name, value in record.items() if value != "" or name not in COLUMNS}


_NUMBERS = frozenset(
    {
        *("seq", "target_pid", "target_start_ticks", "rows", "masked", "reply_bytes", "duration_us"),
        *("arguments_omitted", "boot_ns", "v"),
    }
)
_JSON = frozenset({"arguments", "redactions", "rules", "grants", "facts", "cut"})


def _value(name: str, cell: str) -> Json:
    if name in _JSON:
        value: Json = json.loads(cell)
        return value
    if name in _NUMBERS:
        return int(cell)
    return cell.removeprefix("'")
