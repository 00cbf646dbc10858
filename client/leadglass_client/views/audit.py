"""Shows the verdict on an audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.chain import Fault
from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_agent.audit.verdict import OtherLog, Verdict
    from leadglass_client.output.records import Record

OF_RECEIPTS: Final = frozenset({Fault.RECEIPT_INVALID, Fault.SIGNER_UNKNOWN})  # these are found in what witnesses gave
_SECONDS: Final = len("2025-06-15T15:06:45")


def verdict_sheet(verdict: Verdict, files: Sequence[str]) -> Sheet:
    """Makes the sheet of a verdict; its identifier is the head, to be noted for the next time."""
    whole = _record(verdict, files)
    return Sheet(whole, (whole,), tuple(whole), (verdict.head.digest,), tuple(_heading(verdict, files)))


def place_of(verdict: Verdict, files: Sequence[str]) -> str:
    """Says where the fault is; which file only if there are several."""
    fault = verdict.fault
    if fault is None:
        return ""
    file = f"{printable(files[fault.stream])}, " if len(files) > 1 else ""
    return f"{file}line {fault.line}, byte {fault.offset}"


def suspects_of(verdict: Verdict) -> str:
    """Says which record is the first bad one, as closely as can be known."""
    suspects = verdict.suspects
    if suspects is None:
        return ""
    if suspects.first == suspects.last:
        return f"record {suspects.first}"
    return f"one of records {suspects.first} to {suspects.last}"


def other_logs_of(verdict: Verdict) -> str:
    """Says of how many other logs of the same agent witnesses speak."""
    logs = verdict.witnessed.other_logs
    number = "another log" if len(logs) == 1 else f"{len(logs)} other logs"
    return f"the same agent had {number}, {sum(log.statements for log in logs)} statements"


def _heading(verdict: Verdict, files: Sequence[str]) -> Iterator[tuple[str, Cell]]:
    fault, signed, witnessed = verdict.fault, verdict.signed, verdict.witnessed
    if fault is None:
        yield "result", Cell("the log holds", Look.GOOD)
    else:
        yield "result", Cell("does not verify", Look.BAD)
        is_receipt = fault.fault in OF_RECEIPTS
        where = printable(witnessed.first_invalid or "") if is_receipt else place_of(verdict, files)
        yield "fault", Cell(f"{fault.fault} in {where}", Look.BAD)
        if suspects := suspects_of(verdict):
            yield "first bad", Cell(suspects, Look.BAD)
    if verdict.expected_head_seq is not None:
        yield "expected head", Cell(f"is record {verdict.expected_head_seq}", Look.GOOD)
    yield "records", Cell(f"{verdict.records}" + (" before the fault" if fault else ""))
    yield "first", Cell(_record_at(verdict.first_seq, verdict.first_time))
    yield "last", Cell(_record_at(verdict.last_seq, verdict.last_time))
    if verdict.earlier_records_absent:
        yield "earlier", Cell(f"records 1 to {verdict.earlier_records_absent} of this log are not here", Look.ODD)
    if signed.origin is not None:
        yield "log", Cell(printable(signed.origin))
    yield "signed", _signed(verdict)
    if signed.certified_by:
        agents = ", ".join(printable(agent) or "a certificate without a SPIFFE id" for agent in signed.certified_by)
        checked = "checked with your authority" if signed.authority_checked else "anybody's: check with --authority"
        yield "by", Cell(f"{agents} ({checked})", Look.PLAIN if signed.authority_checked else Look.ODD)
    yield "witnesses", Cell(_witnesses(verdict))
    for log in witnessed.other_logs:
        yield "other logs", Cell(_other_log(log, verdict), Look.ODD)
    if verdict.unwitnessed is not None:
        first, last = verdict.unwitnessed
        which = f"record {first} has" if first == last else f"records {first} to {last} have"
        yield "unwitnessed", Cell(f"{which} no witness outside of this log", Look.ODD)
    yield "unanswered", Cell(f"{verdict.intents_unanswered} intents without an outcome")
    yield "unannounced", Cell(f"{verdict.outcomes_without_intent} outcomes without an intent")
    yield "head", Cell(verdict.head.digest)
    yield "root", Cell(verdict.root)


def _signed(verdict: Verdict) -> Cell:
    signed = verdict.signed
    unsigned = f"; {signed.unsigned} checkpoints of keys that no record here names" if signed.unsigned else ""
    if not signed.checkpoints:
        return Cell(f"by no checkpoint{unsigned}", Look.ODD)
    checkpoints = "1 checkpoint" if signed.checkpoints == 1 else f"{signed.checkpoints} checkpoints"
    return Cell(f"by {checkpoints}, up to record {signed.signed_to}{unsigned}")


def _other_log(log: OtherLog, verdict: Verdict) -> str:
    what = "1 statement" if log.statements == 1 else f"{log.statements} statements"
    name = f"{printable(log.origin)} of the same agent: {what}"
    if log.first_time is None or log.last_time is None:
        return f"{name}, without a time"
    if log.last_time[:_SECONDS] < (verdict.first_time or "")[:_SECONDS]:
        why = "before this log began: it was deleted, or moved away"
    else:
        why = "while this log was written, if it is a replica's"
    return f"{name}, {log.first_time} to {log.last_time}, {why}"


def _witnesses(verdict: Verdict) -> str:
    found = verdict.witnessed
    statements = "1 statement agrees" if found.agreements == 1 else f"{found.agreements} statements agree"
    parts = [f"{statements}, up to record {found.agreed_to}" if found.agreements else "none"]
    if found.out_of_reach:
        parts.append(f"{found.out_of_reach} are of records before the first one here, and were not checked")
    if found.of_other_logs:
        parts.append(f"{found.of_other_logs} are of other logs")
    if found.invalid:
        parts.append(f"{found.invalid} prove nothing")
    return "; ".join(parts)


def _record(verdict: Verdict, files: Sequence[str]) -> Record:
    fault, suspects, signed, witnessed = verdict.fault, verdict.suspects, verdict.signed, verdict.witnessed
    unwitnessed = verdict.unwitnessed
    return {
        "verified": fault is None,
        "records": verdict.records,
        "first_seq": verdict.first_seq,
        "first_time": verdict.first_time,
        "last_seq": verdict.last_seq,
        "last_time": verdict.last_time,
        "earlier_records_absent": verdict.earlier_records_absent,
        "head": verdict.head.digest,
        "root_hash": verdict.root,
        "fault": None if fault is None else fault.fault.value,
        "fault_file": None if fault is None or fault.stream >= len(files) else files[fault.stream],
        "fault_line": None if fault is None else fault.line,
        "fault_offset_bytes": None if fault is None else fault.offset,
        "first_bad_seq_from": None if suspects is None else suspects.first,
        "first_bad_seq_to": None if suspects is None else suspects.last,
        "origin": signed.origin,
        "checkpoints": signed.checkpoints,
        "checkpoints_unsigned": signed.unsigned,
        "signed_to_seq": signed.signed_to,
        "certified_by": list(signed.certified_by),
        "authority_checked": signed.authority_checked,
        "witnesses": witnessed.agreements,
        "witnessed_to_seq": witnessed.agreed_to,
        "unwitnessed_from_seq": None if unwitnessed is None else unwitnessed[0],
        "unwitnessed_to_seq": None if unwitnessed is None else unwitnessed[1],
        "witnesses_out_of_reach": witnessed.out_of_reach,
        "witnesses_of_other_logs": witnessed.of_other_logs,
        "witnesses_invalid": witnessed.invalid,
        "first_invalid": witnessed.first_invalid,
        "other_logs": [
            {
                "origin": log.origin,
                "statements": log.statements,
                "first_time": log.first_time,
                "last_time": log.last_time,
            }
            for log in witnessed.other_logs
        ],
        "intents_unanswered": verdict.intents_unanswered,
        "outcomes_without_intent": verdict.outcomes_without_intent,
        "expected_head_seq": verdict.expected_head_seq,
    }


def _record_at(seq: int | None, time: str | None) -> str:
    return "-" if seq is None else f"record {seq} at {printable(time or '?')}"
