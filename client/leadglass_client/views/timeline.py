"""Shows the story of one session out of an audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.audit.call_merge import End
from leadglass_agent.audit.timeline import StepKind, seconds_between
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import size, span
from leadglass_client.output.visible import printable, short_digest

if TYPE_CHECKING:
    from leadglass_agent.audit.call_merge import LoggedCall
    from leadglass_agent.audit.timeline import Step, Timeline
    from leadglass_client.output.records import JsonValue, Record

_COLUMNS = (
    Column("SEQ", right=True),
    Column("TIME"),
    Column("AFTER", right=True),
    Column("WHAT"),
    Column("TARGET"),
    Column("RESULT"),
    Column("ROWS", right=True),
    Column("MASKED", right=True),
    Column("BYTES", right=True, wide=True),
    Column("TOOK", right=True),
    Column("BY", wide=True),
    Column("DETAILS"),
)
_BAD = frozenset({StepKind.HALTED, StepKind.REVEALED})


def timeline_sheet(story: Timeline) -> Sheet:
    """Makes the sheet; its identifiers are the numbers of the records."""
    begin = story.opened or (story.steps[0].time if story.steps else "")
    records = tuple(_record(step, begin) for step in story.steps)
    calls = [step.call for step in story.steps if step.call is not None]
    document: Record = {
        "session_id": printable(story.session_id),
        "caller": printable(story.caller),
        "key_digest": printable(story.key_digest),
        "peer": printable(story.peer),
        "ticket": printable(story.ticket),
        "reason": printable(story.reason),
        "target": story.target or None,
        "opened": story.opened or None,
        "ended": story.ended or None,
        "state": printable(story.state),
        "grants": [
            {
                "grant_id": printable(grant.grant_id),
                "approvers": [printable(who) for who in grant.approvers],
                "permissions": [printable(name) for name in grant.permissions],
                "reason": printable(grant.reason),
            }
            for grant in story.grants
        ],
        "steps": list(records),
    }
    ended = f" after {span(seconds_between(begin, story.ended))}" if story.ended and begin else ""
    grants = tuple(
        (
            "grant",
            Cell(
                printable(f"{grant.grant_id} for {' '.join(grant.permissions)}, approved by ")
                + (", ".join(map(printable, grant.approvers)) or "nobody")
            ),
        )
        for grant in story.grants
    )
    heading = (
        ("session", Cell(printable(story.session_id))),
        ("caller", Cell(printable(story.caller) or "-")),
        ("key", Cell(short_digest(story.key_digest) or "-")),
        ("from", Cell(printable(story.peer) or "-")),
        ("ticket", Cell(printable(story.ticket) or "-")),
        ("reason", Cell(printable(story.reason) or "-")),
        *((("bound to", Cell(f"process {story.target}")),) if story.target else ()),
        *grants,
        ("opened", Cell(story.opened or "before this log")),
        ("state", _state(story.state, ended)),
        ("calls", Cell(_counts(calls))),
    )
    return Sheet(
        document=document,
        records=records,
        fields=tuple(_record(None, "")),
        identifiers=tuple(str(step.seq) for step in story.steps),
        heading=heading,
        columns=_COLUMNS,
        rows=tuple(_row(step, begin) for step in story.steps),
    )


def _counts(calls: list[LoggedCall]) -> str:
    ends = [call.end for call in calls]
    masked = sum(call.masked or 0 for call in calls)
    unanswered = ends.count(End.UNANSWERED)
    rest = f", {unanswered} without an end in the log" if unanswered else ""
    return f"{ends.count(End.ANSWERED)} answered, {ends.count(End.REFUSED)} refused{rest}; {masked} places masked"


def _state(state: str, ended: str) -> Cell:
    if state == "OPEN":
        return Cell("open at the end of this log", Look.ODD)
    return Cell(printable(state.lower()) + ended, Look.BAD if state == "HALTED" else Look.PLAIN)


def _record(step: Step | None, begin: str) -> Record:
    """Makes the record of a step; of None, the one that shows which fields there are."""
    call = None if step is None else step.call
    arguments: dict[str, JsonValue] = {}
    for name, value in () if call is None else call.arguments:
        values = arguments.setdefault(printable(name), [])
        if isinstance(values, list):
            values.append(printable(value))
    return {
        "seq": None if step is None else step.seq,
        "time": None if step is None else step.time,
        "after_seconds": None if step is None else seconds_between(begin, step.time),
        "what": None if step is None else step.kind.value,
        "by": None if step is None else printable(step.who) or None,
        "words": None if step is None else printable(step.words) or None,
        "method": None if call is None else printable(call.method),
        "permission": None if call is None else printable(call.permission),
        "target": None if call is None else call.target or None,
        "arguments": None if call is None else arguments,
        "arguments_are_cut": None if call is None else call.arguments_are_cut,
        "grants": None if call is None else [printable(grant) for grant in call.grants],
        "result": None if call is None else call.end.value,
        "refusal": None if call is None else printable(call.refusal) or None,
        "detail": None if call is None else printable(call.detail) or None,
        "rows": None if call is None else call.rows,
        "masked": None if call is None else call.masked,
        "reply_bytes": None if call is None else call.reply_bytes,
        "duration_us": None if call is None else call.duration_us,
        "recording": None if call is None else printable(call.recording) or None,
    }


def _row(step: Step, begin: str) -> tuple[Cell, ...]:
    call = step.call
    after = seconds_between(begin, step.time)
    place = (
        Cell(str(step.seq)),
        Cell(step.time[11:23]),
        Cell(span(after) if after >= 0 else f"-{span(-after)}"),
    )
    if call is None:
        look = Look.BAD if step.kind in _BAD else Look.PLAIN
        empty = (Cell("-"),) * 5
        return (
            *place,
            Cell(step.kind.value, look),
            Cell("-"),
            *empty,
            Cell(printable(step.who) or "-"),
            Cell(printable(step.words)),
        )
    refused = f"refused {call.refusal}" if call.end is End.REFUSED else call.end.value
    look = {End.REFUSED: Look.BAD, End.UNANSWERED: Look.ODD}.get(call.end, Look.GOOD)
    return (
        *place,
        Cell(printable(call.method.rpartition("/")[2] or call.permission or "-")),
        Cell(call.target or "-"),
        Cell(printable(refused), look),
        Cell("-" if call.rows is None else str(call.rows)),
        Cell("-" if call.masked is None else str(call.masked)),
        Cell("-" if call.reply_bytes is None else size(call.reply_bytes)),
        Cell("-" if call.duration_us is None else f"{call.duration_us / 1_000:.1f}ms"),
        Cell(printable(step.who) or "-"),
        Cell(_details(call)),
    )


def _details(call: LoggedCall) -> str:
    words = [f"{name}={value}" for name, value in call.arguments]
    words += ["… (cut)"] if call.arguments_are_cut else []
    words += [call.detail] if call.detail else []
    words += [f"by grant {' '.join(call.grants)}"] if call.grants else []
    return printable("; ".join(words))
