"""Shows the sessions that an audit log tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.audit.session_list import LoggedSession
    from leadglass_client.output.records import Record

_COLUMNS = (
    Column("SESSION"),
    Column("OPENED"),
    Column("ENDED"),
    Column("STATE"),
    Column("ANSWERED", right=True),
    Column("REFUSED", right=True),
    Column("MASKED", right=True, wide=True),
    Column("REVEALS", right=True),
    Column("HALTS", right=True),
    Column("GRANTS", wide=True),
    Column("TICKET"),
    Column("CALLER"),
    Column("REASON", wide=True),
)
_FIELDS = (
    *("session_id", "opened", "ended", "state", "caller", "ticket", "reason", "grants", "answered", "refused"),
    *("masked", "reveals", "halts"),
)


def logged_sessions_sheet(sessions: Sequence[LoggedSession]) -> Sheet:
    """Makes the sheet of all sessions, the oldest first."""
    records = tuple(_record(session) for session in sessions)
    return Sheet(
        document={"sessions": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(printable(session.session_id) for session in sessions),
        columns=_COLUMNS,
        rows=tuple(_row(session) for session in sessions),
    )


def _record(session: LoggedSession) -> Record:
    return {
        "session_id": printable(session.session_id),
        "opened": session.opened or None,
        "ended": session.ended or None,
        "state": printable(session.state),
        "caller": printable(session.caller),
        "ticket": printable(session.ticket) or None,
        "reason": printable(session.reason),
        "grants": [printable(grant) for grant in session.grants],
        "answered": session.answered,
        "refused": session.refused,
        "masked": session.masked,
        "reveals": session.reveals,
        "halts": session.halts,
    }


def _row(session: LoggedSession) -> tuple[Cell, ...]:
    look = Look.BAD if session.state == "HALTED" else Look.GOOD if session.state == "OPEN" else Look.FAINT
    return (
        Cell(printable(session.session_id)),
        Cell(_moment(session.opened) or "before"),
        Cell(_moment(session.ended) or "-"),
        Cell(printable(session.state.lower()), look),
        Cell(str(session.answered)),
        Cell(str(session.refused), Look.BAD if session.refused else Look.PLAIN),
        Cell(str(session.masked)),
        Cell(str(session.reveals), Look.BAD if session.reveals else Look.PLAIN),
        Cell(str(session.halts), Look.BAD if session.halts else Look.PLAIN),
        Cell(str(len(session.grants))),
        Cell(printable(session.ticket) or "-"),
        Cell(printable(session.caller)),
        Cell(printable(session.reason)),
    )


def _moment(time: str) -> str:
    return f"{time[:10]} {time[11:19]}Z" if time else ""
