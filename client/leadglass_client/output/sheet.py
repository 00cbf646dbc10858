"""The one shape between a command and its output forms: a document, its records, and the table that people read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_client.output.records import Record


class Look(StrEnum):
    """How a cell looks on a terminal with colors, as rich names styles; nothing is said by color alone."""

    PLAIN = ""
    HEAD = "bold"
    GOOD = "green"
    ODD = "yellow"
    BAD = "red"
    FAINT = "dim"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; the last one takes what room is left."""

    title: str
    right: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one cell, printable already."""

    text: str
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True)
class Sheet:
    """An answer in every form at once.

    `document` is for json and yaml, `records` for jsonl and csv with `fields` as columns, `identifiers` for name,
    `heading` (name and text), `columns` and `rows` for people.
    """

    document: Record
    records: tuple[Record, ...]
    fields: tuple[str, ...]
    identifiers: tuple[str, ...]
    heading: tuple[tuple[str, Cell], ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
