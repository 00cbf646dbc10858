"""Shows who looked at something, out of an audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.audit.call_merge import End
from leadglass_client.output.sheet import Cell, Column, Sheet
from leadglass_client.output.sheet import Look as CellLook
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.audit.looks import Look
    from leadglass_client.output.records import Record

_COLUMNS = (
    Column("SEQ", right=True),
    Column("TIME"),
    Column("RESULT"),
    Column("HOW"),
    Column("ASKED FOR"),
    Column("PROCESS"),
    Column("SESSION"),
    Column("TICKET"),
    Column("GRANTS"),
    Column("ROWS", right=True, wide=True),
    Column("MASKED", right=True, wide=True),
    Column("CALLER"),
)
_FIELDS = (
    *("seq", "time", "caller", "how", "what", "target", "method", "permission", "session_id", "ticket", "grants"),
    *("result", "refusal", "rows", "masked", "call_id"),
)


def looks_sheet(looks: Sequence[Look]) -> Sheet:
    """Makes the sheet; its identifiers are the numbers of the records."""
    records = tuple(_record(look) for look in looks)
    return Sheet(
        document={"looks": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(str(look.call.seq) for look in looks),
        columns=_COLUMNS,
        rows=tuple(_row(look) for look in looks),
    )


def _record(look: Look) -> Record:
    call = look.call
    return {
        "seq": call.seq,
        "time": call.time,
        "caller": printable(call.caller),
        "how": look.how.value,
        "what": printable(look.what),
        "target": call.target or None,
        "method": printable(call.method),
        "permission": printable(call.permission),
        "session_id": printable(call.session_id) or None,
        "ticket": printable(call.ticket) or None,
        "grants": [printable(grant) for grant in call.grants],
        "result": call.end.value,
        "refusal": printable(call.refusal) or None,
        "rows": call.rows,
        "masked": call.masked,
        "call_id": printable(call.call_id) or None,
    }


def _row(look: Look) -> tuple[Cell, ...]:
    call = look.call
    refused = f"refused {call.refusal}" if call.end is End.REFUSED else call.end.value
    color = {End.REFUSED: CellLook.BAD, End.UNANSWERED: CellLook.ODD}.get(call.end, CellLook.GOOD)
    return (
        Cell(str(call.seq)),
        Cell(f"{call.time[:10]} {call.time[11:19]}Z"),
        Cell(printable(refused), color),
        Cell(look.how.value),
        Cell(printable(look.what) or "-"),
        Cell(call.target or "-"),
        Cell(printable(call.session_id) or "-"),
        Cell(printable(call.ticket) or "-"),
        Cell(printable(" ".join(call.grants)) or "-"),
        Cell("-" if call.rows is None else str(call.rows)),
        Cell("-" if call.masked is None else str(call.masked)),
        Cell(printable(call.caller) or "-"),
    )
