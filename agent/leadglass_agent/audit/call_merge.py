"""Puts the records of one call together: what was asked, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.reading import members_of, number_of, text_of, texts_of
from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.audit.canonical import Json

OF_CALL: Final = frozenset({EventKind.INTENT, EventKind.OUTCOME, EventKind.REFUSED})


class End(StrEnum):
    """How a call ended; UNANSWERED is a call whose end the log does not hold."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call as the log shows it; `seq` and `time` are of its first record."""

    seq: int
    time: str
    call_id: str
    caller: str
    session_id: str
    ticket: str
    grants: tuple[str, ...]
    method: str
    permission: str
    target: str
    arguments: tuple[tuple[str, str], ...]
    arguments_are_cut: bool
    end: End
    refusal: str = ""
    detail: str = ""
    rows: int | None = None
    masked: int | None = None
    reply_bytes: int | None = None
    duration_us: int | None = None
    recording: str = ""


def call_of(record: Mapping[str, Json]) -> LoggedCall:
    """Reads one record of a call."""
    kind = text_of(record, "kind")
    arguments = members_of(record, "arguments")
    pairs = tuple((name, value) for name in arguments for value in texts_of(arguments, name))
    return LoggedCall(
        seq=number_of(record, "seq") or 0,
        time=text_of(record, "time"),
        call_id=text_of(record, "call_id"),
        caller=text_of(record, "caller"),
        session_id=text_of(record, "session_id"),
        ticket=text_of(record, "ticket"),
        grants=texts_of(record, "grants"),
        method=text_of(record, "method"),
        permission=text_of(record, "permission"),
        target=target_of(record),
        arguments=pairs,
        arguments_are_cut="arguments_omitted" in record or "arguments" in texts_of(record, "cut"),
        end={EventKind.OUTCOME: End.ANSWERED, EventKind.REFUSED: End.REFUSED}.get(EventKind(kind), End.UNANSWERED),
        refusal=text_of(record, "refusal"),
        detail=text_of(record, "detail"),
        rows=number_of(record, "rows"),
        masked=number_of(record, "masked"),
        reply_bytes=number_of(record, "reply_bytes"),
        duration_us=number_of(record, "duration_us"),
        recording=text_of(record, "recording"),
    )


def merged(first: LoggedCall, later: LoggedCall) -> LoggedCall:
    """Returns the call as its later record tells it, with the place of its first."""
    return replace(later, seq=first.seq, time=first.time)


def ends_all(record: Mapping[str, Json], caller: str) -> str:
    """Says in which state a record leaves every open session of a caller; no text if it ends none.

    The record of a session's own end comes within a second, and never if the agent ends before.
    """
    kind = text_of(record, "kind")
    if kind in {EventKind.AGENT_STARTED, EventKind.AGENT_STOPPED}:
        return "AGENT_ENDED"  # sessions live in the agent's memory
    # Without a caller it is a clock that was set, which halts everybody.
    return "HALTED" if kind == EventKind.HALTED and record.get("caller", caller) == caller else ""


def target_of(record: Mapping[str, Json]) -> str:
    """Names a process as PID or PID@STARTTICKS, as commands take it; no text if there is none."""
    pid, ticks = number_of(record, "target_pid"), number_of(record, "target_start_ticks")
    if not pid:
        return ""
    return f"{pid}@{ticks}" if ticks else str(pid)
