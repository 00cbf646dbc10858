"""Shows the sessions of all callers as a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import Session, SessionState
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, span
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from leadglass.v1.access_pb2 import ListSessionsResponse

_COLUMNS = (
    Column("SESSION"),
    Column("STATE"),
    Column("LEFT", right=True),
    Column("CALLS", right=True),
    Column("OPENED", wide=True),
    Column("FROM", wide=True),
    Column("GRANTS", right=True),
    Column("TICKET"),
    Column("CALLER"),
    Column("REASON", wide=True),
)


def sessions_sheet(pages: Sequence[ListSessionsResponse], now: datetime, *, more: bool) -> Sheet:
    """Makes the sheet of all pages; what is left of a session is counted by this machine's clock."""
    sessions = [session for page in pages for session in page.sessions]
    records = tuple(record(session) for session in sessions)
    return Sheet(
        document={"sessions": list(records), "truncated": more},
        records=records,
        fields=field_names(Session.DESCRIPTOR),
        identifiers=tuple(printable(session.session_id) for session in sessions),
        columns=_COLUMNS,
        rows=tuple(_row(session, now) for session in sessions),
    )


def _row(session: Session, now: datetime) -> tuple[Cell, ...]:
    state = short_name(SessionState.DESCRIPTOR, session.state)
    is_open = state == "OPEN"
    left = session.expire_time.seconds - now.timestamp()
    return (
        Cell(printable(session.session_id)),
        Cell(state.lower(), Look.GOOD if is_open else Look.BAD if state == "HALTED" else Look.FAINT),
        Cell(span(left) if is_open and left > 0 else "-"),
        Cell(str(session.calls)),
        Cell(moment(session.open_time)),
        Cell(printable(session.peer.removeprefix("ipv4:").removeprefix("ipv6:")) or "-"),
        Cell(str(len(session.grant_ids))),
        Cell(printable(session.ticket) or "-"),
        Cell(printable(session.caller)),
        Cell(printable(session.reason)),
    )
