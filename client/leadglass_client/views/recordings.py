"""Shows the recordings that an agent has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.audit_pb2 import Recording, RecordingState
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, size
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass.v1.audit_pb2 import ListRecordingsResponse

_COLUMNS: Final = (
    Column("SESSION"),
    Column("STATE"),
    Column("OPENED"),
    Column("ENDED", wide=True),
    Column("SIZE", right=True),
    Column("KEPT UNTIL"),
    Column("TICKET"),
    Column("CALLER"),
)
_LOOKS: Final = {"OPEN": Look.GOOD, "INTERRUPTED": Look.ODD, "SHREDDED": Look.BAD}
_LABELS: Final = ("session", "state", "opened", "ended", "size", "kept until", "ticket", "caller")


def recordings_sheet(pages: Sequence[ListRecordingsResponse], *, more: bool) -> Sheet:
    """Makes the sheet of all pages."""
    recordings = [recording for page in pages for recording in page.recordings]
    records = tuple(record(recording) for recording in recordings)
    return Sheet(
        document={"recordings": list(records), "truncated": more},
        records=records,
        fields=field_names(Recording.DESCRIPTOR),
        identifiers=tuple(printable(recording.session_id) for recording in recordings),
        columns=_COLUMNS,
        rows=tuple(_row(recording) for recording in recordings),
    )


def recording_sheet(recording: Recording) -> Sheet:
    """Makes the sheet of one recording."""
    whole = record(recording)
    return Sheet(
        document=whole,
        records=(whole,),
        fields=field_names(Recording.DESCRIPTOR),
        identifiers=(printable(recording.session_id),),
        heading=tuple(zip(_LABELS, _row(recording), strict=True)),
    )


def _row(recording: Recording) -> tuple[Cell, ...]:
    state = short_name(RecordingState.DESCRIPTOR, recording.state)
    kept = moment(recording.delete_time) if recording.HasField("delete_time") else "-"
    return (
        Cell(printable(recording.session_id)),
        Cell(state.lower(), _LOOKS.get(state, Look.PLAIN)),
        Cell(moment(recording.open_time)),
        Cell(moment(recording.end_time) if recording.HasField("end_time") else "-"),
        Cell(size(recording.size_bytes)),
        Cell("held", Look.ODD) if recording.held else Cell(kept),
        Cell(printable(recording.ticket) or "-"),
        Cell(printable(recording.caller)),
    )
