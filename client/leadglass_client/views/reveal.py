"""Shows what a reveal was and what it leaves owed; never the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass.v1.access_pb2 import RevealResponse
    from leadglass_client.options import ProcessName
    from leadglass_client.output.records import Record


def reveal_sheet(answer: RevealResponse, process: ProcessName, name: str, to_file: Path | None) -> Sheet:
    """Makes the sheet of a reveal; its identifier is the review that is owed, if one is."""
    review, grant = printable(answer.review_id), printable(answer.grant_id)
    where = "the terminal" if to_file is None else str(to_file)
    whole: Record = {
        "name": name,
        "pid": process.pid,
        "is_set": answer.is_set,
        "shown_on": printable(where) if answer.is_set else None,
        "grant_id": grant,
        "review_id": review,
    }
    shown = f"once, on {where}" if to_file is None else f"in {where}, which you alone can read"
    heading = (
        ("variable", Cell(printable(name))),
        ("process", Cell(str(process.pid))),
        ("value", Cell(printable(shown) if answer.is_set else "not set", Look.PLAIN if answer.is_set else Look.ODD)),
        ("grant", Cell(f"{grant}, used up" if grant else "-")),
        ("review", Cell(f"{review}, owed: somebody else closes it" if review else "none owed")),
    )
    return Sheet(whole, (whole,), tuple(whole), (review,) if review else (), heading)
