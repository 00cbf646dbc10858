"""Shows environment variables as unset, empty or present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import EnvironmentVariable, Presence
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.unavailable import reason_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass.v1.inspect_pb2 import ListEnvironmentResponse

_LOOKS = {"PRESENT": Look.GOOD, "EMPTY": Look.ODD, "UNSET": Look.FAINT, "UNSPECIFIED": Look.ODD}


def environment_sheet(pages: Sequence[ListEnvironmentResponse], *, more: bool) -> Sheet:
    """Makes the sheet of all pages."""
    variables = [variable for page in pages for variable in page.variables]
    records = tuple(record(variable) for variable in variables)
    reason = next((page.unavailable for page in pages if page.unavailable), 0)
    return Sheet(
        document={
            "process": record(pages[0].process),
            "variables": list(records),
            "unavailable": reason_name(reason) if reason else None,
            "truncated": more or any(page.truncated for page in pages),
        },
        records=records,
        fields=field_names(EnvironmentVariable.DESCRIPTOR),
        identifiers=tuple(printable(variable.name.text) for variable in variables),
        columns=() if reason else (Column("PRESENCE"), Column("NAME")),
        rows=tuple(_row(variable) for variable in variables),
    )


def _row(variable: EnvironmentVariable) -> tuple[Cell, ...]:
    presence = short_name(Presence.DESCRIPTOR, variable.presence)
    shown = "UNKNOWN" if presence == "UNSPECIFIED" else presence
    return (
        Cell(shown, _LOOKS.get(presence, Look.ODD)),
        Cell(printable(variable.name.text) + ("…" if variable.name.truncated else "")),
    )
