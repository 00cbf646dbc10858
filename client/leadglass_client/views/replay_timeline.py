"""Shows a recorded session as a timeline: one line a call, with the gaps between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import span, unix_moment
from leadglass_client.output.visible import printable, short_digest
from leadglass_client.replay.words import argument_words, method_words, result_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_client.output.records import Record
    from leadglass_client.replay.recording import RecordedCall, Recording

_SECOND: Final = 1_000_000_000
_MICROSECONDS: Final = 1_000_000
_FIELDS: Final = (
    *("call", "call_id", "time", "offset_seconds", "idle_seconds", "duration_seconds", "method", "arguments"),
    *("rows", "masked", "replies", "refusal", "rules", "grants", "policy_digest", "digest"),
)
_COLUMNS: Final = (
    Column("CALL", right=True),
    Column("TIME", wide=True),
    Column("AT", right=True),
    Column("IDLE", right=True),
    Column("TOOK", right=True),
    Column("METHOD"),
    Column("RESULT"),
    Column("ARGUMENTS"),
)


def timeline_sheet(recording: Recording) -> Sheet:
    """Makes the sheet of a session."""
    timed = tuple(zip(recording.calls, _idle_times(recording), strict=True))
    records = tuple(_record(recording, call, idle) for call, idle in timed)
    return Sheet(
        document={**session_record(recording), "calls": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(printable(call.called.call_id) for call in recording.calls),
        heading=session_heading(recording),
        columns=_COLUMNS,
        rows=tuple(_row(recording, call, idle) for call, idle in timed),
    )


def session_record(recording: Recording) -> Record:
    """Makes the record of what the recording says of its session."""
    opened, closed = recording.opened, recording.closed
    return {
        "session_id": printable(opened.session_id),
        "caller": printable(opened.caller),
        "reason": printable(opened.reason),
        "ticket": printable(opened.ticket),
        "open_time": _moment(opened.time_unix_ns),
        "close_time": None if closed is None else _moment(closed.time_unix_ns),
        "state": None if closed is None else printable(closed.state),
        "policy_digest": printable(opened.policy_digest),
        "agent_id": printable(opened.agent_id),
        "grants": [printable(grant) for grant in opened.grants],
        "is_complete": recording.is_complete,
    }


def session_heading(recording: Recording) -> tuple[tuple[str, Cell], ...]:
    """Makes the lines that stand above a session: who, why, from when until when."""
    opened, closed = recording.opened, recording.closed
    end = Cell("not in the recording", Look.ODD)
    if closed is not None:
        lasted = span(max(0, closed.time_unix_ns - opened.time_unix_ns) / _SECOND)
        end = Cell(f"{_moment(closed.time_unix_ns)}, {printable(closed.state).lower()} after {lasted}")
    grants = ", ".join(printable(grant) for grant in opened.grants)
    return (
        ("session", Cell(printable(opened.session_id))),
        ("caller", Cell(printable(opened.caller))),
        ("reason", Cell(printable(opened.reason))),
        ("ticket", Cell(printable(opened.ticket) or "-")),
        ("from", Cell(printable(opened.peer) or "-")),
        ("opened", Cell(_moment(opened.time_unix_ns))),
        ("ended", end),
        ("calls", Cell(str(len(recording.calls)))),
        *((("grants", Cell(grants)),) if grants else ()),
        ("policy", Cell(short_digest(opened.policy_digest))),
    )


def call_heading(recording: Recording, calls: Sequence[RecordedCall]) -> tuple[tuple[str, Cell], ...]:
    """Makes the lines that stand above what one command showed."""
    lines = []
    for call in calls:
        at = span(max(0, call.called.time_unix_ns - recording.opened.time_unix_ns) / _SECOND)
        asked = " ".join(filter(None, (method_words(call), argument_words(call))))
        lines.append((f"call {call.number}", Cell(f"{_moment(call.called.time_unix_ns)} (+{at})  {asked}", Look.FAINT)))
        lines.append(("", Cell(result_words(call), Look.BAD if call.refusal else Look.FAINT)))
    return tuple(lines)


def _row(recording: Recording, call: RecordedCall, idle: float) -> tuple[Cell, ...]:
    return (
        Cell(str(call.number)),
        Cell(_moment(call.called.time_unix_ns)),
        Cell(f"+{span(max(0, call.called.time_unix_ns - recording.opened.time_unix_ns) / _SECOND)}"),
        Cell(span(idle) if idle >= 1 else "", Look.FAINT),
        Cell("-" if call.ended is None else _took(call.ended.duration_us)),
        Cell(method_words(call)),
        Cell(result_words(call), Look.BAD if call.refusal else Look.ODD if call.ended is None else Look.PLAIN),
        Cell(argument_words(call)),
    )


def _record(recording: Recording, call: RecordedCall, idle: float) -> Record:
    ended = call.ended
    return {
        "call": call.number,
        "call_id": printable(call.called.call_id),
        "time": _moment(call.called.time_unix_ns),
        "offset_seconds": (call.called.time_unix_ns - recording.opened.time_unix_ns) / _SECOND,
        "idle_seconds": idle,
        "duration_seconds": None if ended is None else ended.duration_us / _MICROSECONDS,
        "method": printable(call.called.method),
        "arguments": argument_words(call),
        "rows": None if ended is None else ended.rows,
        "masked": None if ended is None else ended.masked,
        "replies": len(call.replied),
        "refusal": printable(call.refusal) or None,
        "rules": [printable(rule) for rule in call.called.rules],
        "grants": [printable(grant) for grant in call.called.grants],
        "policy_digest": printable(call.called.policy_digest),
        "digest": call.digest,
    }


def _idle_times(recording: Recording) -> Iterator[float]:
    """Gives for each call the seconds since the last of the calls before had ended; 0 while one was under way."""
    last = recording.opened.time_unix_ns
    for call in recording.calls:
        yield max(0, call.called.time_unix_ns - last) / _SECOND
        if call.ended is not None:
            last = max(last, call.ended.time_unix_ns)


def _took(microseconds: int) -> str:
    return f"{microseconds / 1_000:.0f}ms" if microseconds < _MICROSECONDS else span(microseconds / _MICROSECONDS)


def _moment(unix_ns: int) -> str:
    return unix_moment(unix_ns // _SECOND)
