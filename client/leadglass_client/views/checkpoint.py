"""Shows the signed state of an agent's audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.records import record
from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from leadglass.v1.audit_pb2 import GetCheckpointResponse
    from leadglass_client.connection.kept_states import Kept
    from leadglass_client.connection.notes import Checkpoint
    from leadglass_client.output.records import Record

_FIELDS = (
    "origin",
    "size",
    "root_hash",
    "verifier_key",
    "certificate",
    "key_signature",
    "proved_from_size",
    "proved_from_time",
    "checkpoint",
)


def checkpoint_sheet(reply: GetCheckpointResponse, state: Checkpoint, kept: Kept | None) -> Sheet:
    """Makes the sheet; `kept` is the earlier state that the log was proved to go on from."""
    root = state.root.hex()
    whole: Record = {
        **record(reply),
        "checkpoint": reply.checkpoint,  # with its line breaks; its form was checked
        "origin": state.origin,
        "size": state.size,
        "root_hash": root,
        "proved_from_size": None if kept is None else kept.state.size,
        "proved_from_time": None if kept is None else kept.time,
    }
    key_id = reply.verifier_key.split("+")[1]
    proved = (
        Cell("nothing before: this is the first state of the log that you have", Look.ODD)
        if kept is None
        else Cell(
            f"your receipt of {printable(kept.time[:19])}Z, {kept.state.size} records: all still there", Look.GOOD
        )
    )
    heading = (
        ("log", Cell(printable(state.origin))),
        ("records", Cell(str(state.size))),
        ("root", Cell(root)),
        ("signed by", Cell(f"key {printable(key_id)}")),
        ("goes on from", proved),
    )
    return Sheet(
        document={name: whole[name] for name in _FIELDS},
        records=({name: whole[name] for name in _FIELDS},),
        fields=_FIELDS,
        identifiers=(root,),
        heading=heading,
    )
