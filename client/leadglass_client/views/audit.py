"""Shows the verdict on an audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from leadglass_agent.audit.verify import Verdict
    from leadglass_client.output.records import Record


def verdict_sheet(verdict: Verdict) -> Sheet:
    """Makes the sheet of a verdict; its identifier is the head, to be noted for the next time."""
    fault = verdict.fault
    whole: Record = {
        "verified": fault is None,
        "records": verdict.records,
        "first_seq": verdict.first_seq,
        "first_time": verdict.first_time,
        "last_seq": verdict.last_seq,
        "last_time": verdict.last_time,
        "head": verdict.head.digest,
        "fault": None if fault is None else fault.fault.value,
        "fault_line": None if fault is None else fault.line,
        "fault_offset_bytes": None if fault is None else fault.offset,
        "intents_unanswered": verdict.intents_unanswered,
        "outcomes_without_intent": verdict.outcomes_without_intent,
        "expected_head_seq": verdict.expected_head_seq,
    }
    result = Cell("the chain holds", Look.GOOD) if fault is None else Cell("does not verify", Look.BAD)
    place = "" if fault is None else f"{fault.fault} in line {fault.line}, byte {fault.offset}"
    where = (("fault", Cell(place, Look.BAD)),) if place else ()
    expected = verdict.expected_head_seq
    found = () if expected is None else (("expected head", Cell(f"is record {expected}", Look.GOOD)),)
    heading = (
        ("result", result),
        *where,
        *found,
        ("records", Cell(f"{verdict.records}" + (" before the fault" if fault else ""))),
        ("first", Cell(_record_at(verdict.first_seq, verdict.first_time))),
        ("last", Cell(_record_at(verdict.last_seq, verdict.last_time))),
        ("unanswered", Cell(f"{verdict.intents_unanswered} intents without an outcome")),
        ("unannounced", Cell(f"{verdict.outcomes_without_intent} outcomes without an intent")),
        ("head", Cell(verdict.head.digest)),
    )
    return Sheet(whole, (whole,), tuple(whole), (verdict.head.digest,), heading)


def _record_at(seq: int | None, time: str | None) -> str:
    return "-" if seq is None else f"record {seq} at {printable(time or '?')}"
