"""Every output form gives back what went in, and nothing in it can fool a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_client.output.columns import layout
from leadglass_client.output.csv_text import csv_lines
from leadglass_client.output.records import Record, field_names, record
from leadglass_client.output.sheet import Cell, Column, Sheet
from leadglass_client.output.structured import json_lines, json_record_lines, yaml_lines
from leadglass_client.output.units import moment, size, span
from leadglass_client.output.visible import capped, printable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)
SAFE_TEXT = st.text().map(printable)


@given(st.text())
def test_printable_text_is_printable_and_unchanged_by_a_second_pass(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_ordinary_text_is_not_changed(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff"])
def test_controls_bidi_and_invisible_characters_are_escaped(char: str) -> None:
    assert char not in printable(f"a{char}b")


@given(st.text(), st.integers(1, 50))
def test_capped_text_is_never_longer_than_its_cap(text: str, cap: int) -> None:
    assert len(capped(text, cap)) <= cap
    assert capped(text, cap).isprintable()


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SAFE_TEXT, min_size=3, max_size=3), max_size=5))
def test_csv_is_read_back_equal_but_for_the_mark_before_formulas(texts: list[dict[str, str]]) -> None:
    records: list[Record] = [{**one} for one in texts]
    text = "".join(f"{line}\r\n" for line in csv_lines(("a", "b", "c"), records))
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["a", "b", "c"]
    for row, given_record in zip(rows, texts, strict=True):
        for cell, value in zip(row, (given_record["a"], given_record["b"], given_record["c"]), strict=True):
            assert cell == (f"'{value}" if value[:1] in tuple("=+-@") and value else value)


@given(st.sampled_from("=+-@\t\r"), st.text())
def test_no_text_begins_a_formula_in_csv(start: str, rest: str) -> None:
    _, line = csv_lines(("a",), [{"a": start + rest}])
    assert line.lstrip('"').startswith("'")


def test_numbers_stay_numbers_in_csv_and_nested_fields_have_columns() -> None:
    made: Record = {"n": -1, "ref": {"pid": 7}, "list": ["a,b"], "flag": True}
    lines = list(csv_lines(("n", "ref.pid", "gone.x", "list", "flag"), [made]))
    assert lines[1] == '-1,7,,"[""a,b""]",true'


@given(RECORDS)
def test_json_is_read_back_equal(document: dict[str, object]) -> None:
    assert json.loads("\n".join(json_lines(document))) == document  # type: ignore[arg-type] # generated JSON
    (line,) = json_record_lines([document])  # type: ignore[list-item] # generated JSON
    assert json.loads(line) == document


@given(st.dictionaries(st.text(alphabet="abc", min_size=1), SAFE_TEXT | st.integers() | st.booleans() | st.none()))
def test_yaml_is_read_back_equal(document: dict[str, object]) -> None:
    assert yaml.safe_load("\n".join(yaml_lines(document))) == document  # type: ignore[arg-type] # generated JSON


def test_cut_texts_are_named_in_the_record() -> None:
    cut = common_pb2.VisibleText(text="abc", truncated=True)
    whole = common_pb2.VisibleText(text="def")
    process = inspect_pb2.Process(name=cut, arguments=[whole, cut])
    made = record(process)
    assert (made["name"], made["arguments"]) == ("abc", ["def", "abc"])
    assert made["truncated_fields"] == ["name", "arguments[1]"]


def test_what_is_absent_is_null_and_what_is_zero_is_zero() -> None:
    made = record(inspect_pb2.FileMetadata(name=common_pb2.VisibleText(text="a")))
    assert (made["size_bytes"], made["modify_time"], made["link_target"], made["unavailable"]) == (0, None, None, None)
    assert made["type"] == "UNSPECIFIED"


def test_the_columns_of_csv_are_the_keys_of_the_record() -> None:
    file = inspect_pb2.FileMetadata(name=common_pb2.VisibleText(text="a"))
    assert field_names(inspect_pb2.FileMetadata.DESCRIPTOR) == tuple(record(file))
    assert field_names(inspect_pb2.Process.DESCRIPTOR)[:3] == ("ref.pid", "ref.start_ticks", "parent_pid")


@given(
    st.lists(st.tuples(SAFE_TEXT, SAFE_TEXT, SAFE_TEXT), min_size=1, max_size=6),
    st.none() | st.integers(20, 200),
)
def test_lines_fit_the_width_unless_the_first_columns_alone_are_wider(
    rows: list[tuple[str, str, str]], width: int | None
) -> None:
    columns = (Column("ONE"), Column("TWO", right=True), Column("THREE"))
    cells = tuple(tuple(Cell(text) for text in row) for row in rows)
    lines = list(layout(Sheet({}, (), (), (), columns=columns, rows=cells), wide=False, width=width))
    assert len(lines) == len(rows) + 1
    widths = [sum(cell_len(cell.text) for cell in line[:2]) for line in lines]
    assert len(set(widths)) == 1
    if width is not None and width - widths[0] >= 16:
        assert all(sum(cell_len(cell.text) for cell in line) <= width for line in lines)
    if width is None:
        assert [line[2].text for line in lines[1:]] == [row[2] for row in rows]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (1023, "1023B"), (1536, "1.5K"), (10 * 1024, "10K"), (1024**2 - 1, "1.0M"), (2**64 - 1, "16E")],
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.42, "0.4s"),
        (9.99, "10s"),
        (59, "59s"),
        (185, "3m05s"),
        (7200, "2h"),
        (86400 * 9 + 7300, "9d02h"),
    ],
)
def test_spans_have_at_most_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@given(st.integers(0, 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))
def test_no_number_of_a_hostile_agent_breaks_a_unit(count: int, seconds: float, unix: int) -> None:
    assert len(size(count)) <= 5
    assert span(seconds)
    assert moment(Timestamp(seconds=unix))
