"""Shows one session."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import Session, SessionState
from leadglass_client.output.records import duration_seconds, field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, span
from leadglass_client.output.visible import printable, short_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from leadglass.v1.access_pb2 import BudgetLine

_LINE = 64  # with its label it fits a screen of 80 columns
_STATES = {"OPEN": ("open", Look.GOOD), "CLOSED": ("closed", Look.FAINT)}
_STATES |= {"EXPIRED": ("ended: its time is over", Look.ODD), "IDLE": ("ended: no call for too long", Look.ODD)}
_STATES |= {
    "ENDED_BY_ADMIN": ("ended by an administrator", Look.BAD),
    "HALTED": ("halted: it looked like abuse, and was reported", Look.BAD),
    "REVOKED": ("ended: certificate, key, caller or grant was revoked or ran out", Look.BAD),
    "POLICY_TIGHTENED": ("ended: the policy has become tighter", Look.ODD),
    "GRANT_ENDED": ("ended: the time of its last grant is over", Look.ODD),
    "TARGET_GONE": ("ended: the process that it was about has ended", Look.ODD),
}
_BUDGET = (Column("SPENT", right=True), Column("ALLOWED", right=True), Column("OF"), Column("COUNTED IN"))


def session_sheet(session: Session, now: datetime) -> Sheet:
    """Makes the sheet of a session; what is left of it is counted by this machine's clock."""
    whole = record(session)
    short = short_name(SessionState.DESCRIPTOR, session.state)
    state, look = _STATES.get(short, (short.lower(), Look.ODD))
    left = session.expire_time.seconds - now.timestamp()
    end = moment(session.expire_time) + (f" (in {span(left)})" if short == "OPEN" and left > 0 else "")
    heading = (
        ("session", Cell(printable(session.session_id))),
        ("state", Cell(state, look)),
        ("caller", Cell(printable(session.caller))),
        ("reason", Cell(printable(session.reason))),
        ("ticket", Cell(printable(session.ticket) or "-")),
        ("opened", Cell(moment(session.open_time))),
        ("ends", Cell(end)),
        ("idle limit", Cell(span(duration_seconds(session.idle_timeout)))),
        ("calls", Cell(str(session.calls))),
        *_permits(session),
        ("policy", Cell(short_digest(session.policy_digest))),
        *_carried(session),
    )
    return Sheet(
        document=whole,
        records=(whole,),
        fields=field_names(Session.DESCRIPTOR),
        identifiers=(printable(session.session_id),),
        heading=heading,
        columns=_BUDGET if session.budget else (),
        rows=tuple(_budget_row(line) for line in session.budget),
    )


def _permits(session: Session) -> Iterator[tuple[str, Cell]]:
    names = ", ".join(printable(one) for one in session.permissions) or "nothing"
    label = "permits"
    for line in textwrap.wrap(names, _LINE, break_on_hyphens=False):
        yield label, Cell(line)
        label = ""


def _carried(session: Session) -> Iterator[tuple[str, Cell]]:
    """Gives what not every session has."""
    label = "grants"
    for grant_id in session.grant_ids:
        yield label, Cell(printable(grant_id))
        label = ""
    if session.has_evidence:
        yield "ID token", Cell("accepted")
    if session.target.pid:
        yield "ends with", Cell(f"process {session.target.pid}@{session.target.start_ticks}")
    if session.peer:
        yield "from", Cell(printable(session.peer.removeprefix("ipv4:").removeprefix("ipv6:")))


def _budget_row(line: BudgetLine) -> tuple[Cell, ...]:
    is_spent = line.spent >= line.allowed
    return (
        Cell(str(line.spent), Look.BAD if is_spent else Look.PLAIN),
        Cell(str(line.allowed)),
        Cell(printable(line.what)),
        Cell(f"all sessions with grant {printable(line.grant_id)}" if line.grant_id else "this session"),
    )
