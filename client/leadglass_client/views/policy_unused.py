"""Shows what a policy permits and logs show no use of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import span
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.audit.usage import Usage
    from leadglass_agent.policy.unused import Unused
    from leadglass_client.output.records import Record

_FIELDS: Final = ("role", "rule", "permission", "holders_seen")
_DAY_SECONDS: Final = 86_400
_ENOUGH_DAYS: Final = 30


def unused_sheet(found: Sequence[Unused], usage: Usage) -> Sheet:
    """Makes the sheet; the identifiers are the rules."""
    seconds = _seconds(usage)
    days = seconds / _DAY_SECONDS
    records: tuple[Record, ...] = tuple(
        {
            "role": one.role,
            "rule": one.rule,
            "permission": one.permission.value,
            "holders_seen": one.holders_seen,
        }
        for one in found
    )
    covered = f"{usage.calls} calls in {span(seconds)}, {printable(usage.first_time)} to {printable(usage.last_time)}"
    return Sheet(
        document={
            "first_time": printable(usage.first_time),
            "last_time": printable(usage.last_time),
            "days": round(days, 2),
            "calls": usage.calls,
            "unused": list(records),
        },
        records=records,
        fields=_FIELDS,
        identifiers=tuple(dict.fromkeys(one.rule for one in found)),
        heading=(
            ("log", Cell(covered)),
            ("unused", Cell(f"{len(found)} permissions of {len({one.rule for one in found})} rules")),
            *((("so far", Cell("less than 30 days say little", Look.ODD)),) if days < _ENOUGH_DAYS else ()),
        ),
        columns=(Column("PERMISSION"), Column("RULE"), Column("ROLE"), Column("HOLDERS SEEN")) if found else (),
        rows=tuple(
            (Cell(one.permission.value), Cell(one.rule), Cell(one.role), Cell(str(one.holders_seen))) for one in found
        ),
    )


def _seconds(usage: Usage) -> float:
    try:
        first, last = (datetime.fromisoformat(time) for time in (usage.first_time, usage.last_time))
    except ValueError:
        return 0.0
    return (last - first).total_seconds()
