"""Lays cells out in aligned columns of a given width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from leadglass_client.output.sheet import Cell, Look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_client.output.sheet import Column, Sheet

_GAP = "  "
_LEAST_LAST = 16  # below this many characters the last column says nothing, so the line may wrap instead


def layout(sheet: Sheet, *, wide: bool, width: int | None) -> Iterator[tuple[Cell, ...]]:
    """Yields the lines of a sheet, padding included in the cells; with a width, the last column is cut to fit."""
    label = max((cell_len(name) for name, _ in sheet.heading), default=0)
    for name, cell in sheet.heading:
        yield Cell(_pad(name, label, right=False) + _GAP, Look.FAINT), cell
    if not sheet.columns:
        return
    if sheet.heading:
        yield ()
    kept = tuple(index for index, column in enumerate(sheet.columns) if wide or not column.wide)
    columns = tuple(sheet.columns[index] for index in kept)
    header = tuple(Cell(column.title, Look.HEAD) for column in columns)
    rows = [header, *(tuple(row[index] for index in kept) for row in sheet.rows)]
    widths = _widths(columns, rows, width)
    for row in rows:
        yield tuple(_line(columns, row, widths))


def _widths(columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]], width: int | None) -> list[int]:
    widths = [max(cell_len(row[index].text) for row in rows) for index in range(len(columns))]
    if width is not None:
        room = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(room, _LEAST_LAST))
    return widths


def _line(columns: Sequence[Column], row: Sequence[Cell], widths: Sequence[int]) -> Iterator[Cell]:
    last = len(row) - 1
    for index, (column, cell) in enumerate(zip(columns, row, strict=True)):
        text = _cut(cell.text, widths[index])
        if index < last:
            text = _pad(text, widths[index], right=column.right) + _GAP
        elif column.right:
            text = _pad(text, widths[index], right=True)
        yield Cell(text, cell.look)


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
