"""Shows of which audit logs receipts are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.sheet import Cell, Column, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_client.offline.receipts import KeptLog
    from leadglass_client.output.records import Record

_FIELDS = ("origin", "receipts", "last_size", "last_time", "path")
_COLUMNS = (
    Column("RECEIPTS", right=True),
    Column("RECORDS", right=True),
    Column("LAST"),
    Column("LOG"),
    Column("FILE", wide=True),
)


def receipts_sheet(kept: Sequence[KeptLog]) -> Sheet:
    """Makes the sheet of all logs; the identifiers are the files."""
    records: tuple[Record, ...] = tuple(
        {
            "origin": log.origin,
            "receipts": log.receipts,
            "last_size": log.size,
            "last_time": log.last_time,
            "path": log.path,
        }
        for log in kept
    )
    rows = tuple(
        (
            Cell(str(log.receipts)),
            Cell(str(log.size)),
            Cell(printable(log.last_time[:19])),
            Cell(printable(log.origin)),
            Cell(printable(log.path)),
        )
        for log in kept
    )
    document: Record = {"logs": list(records)}
    return Sheet(document, records, _FIELDS, tuple(log.path for log in kept), (), _COLUMNS, rows)
