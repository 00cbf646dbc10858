"""Shows one session."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import Session, SessionState
from leadglass_client.output.records import duration_seconds, field_names, record, short_name
from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.units import moment, span
from leadglass_client.output.visible import printable, short_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_LINE = 64  # with its label it fits a screen of 80 columns
_STATES = {"OPEN": ("open", Look.GOOD), "CLOSED": ("closed", Look.FAINT)}
_STATES |= {"EXPIRED": ("ended: its time is over", Look.ODD), "IDLE": ("ended: no call for too long", Look.ODD)}


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
    )
    return Sheet(whole, (whole,), field_names(Session.DESCRIPTOR), (printable(session.session_id),), heading)


def _permits(session: Session) -> Iterator[tuple[str, Cell]]:
    names = ", ".join(printable(one) for one in session.permissions) or "nothing"
    label = "permits"
    for line in textwrap.wrap(names, _LINE, break_on_hyphens=False):
        yield label, Cell(line)
        label = ""
