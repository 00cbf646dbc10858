"""Lists the sessions that a log tells of, with what happened in each as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.call_merge import ends_all
from leadglass_agent.audit.reading import members_of, number_of, text_of, texts_of
from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.canonical import Json

MAX_SESSIONS: Final = 100_000
_OPEN: Final = "OPEN"
# What happens to a recording, long after its session: that alone tells nothing of the session.
_AFTERWARDS: Final = frozenset(kind for kind in EventKind if kind.startswith("RECORDING_"))
_ENDING: Final = frozenset({EventKind.AGENT_STARTED, EventKind.AGENT_STOPPED, EventKind.HALTED})


@dataclass(frozen=True, slots=True)
class LoggedSession:
    """One session; `opened` is empty if the log begins later, `state` is OPEN while it holds no end."""

    session_id: str
    caller: str
    ticket: str
    reason: str
    grants: tuple[str, ...]
    opened: str
    ended: str
    state: str
    answered: int
    refused: int
    masked: int
    reveals: int
    halts: int


@dataclass(frozen=True, slots=True)
class SessionList:
    """The sessions by their first record; `left_out` counts records of further ones beyond the bound."""

    sessions: tuple[LoggedSession, ...]
    left_out: int


@dataclass(slots=True)
class _Known:
    """What is known of a session so far."""

    texts: dict[str, str] = field(default_factory=dict)
    grants: dict[str, None] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    state: str = _OPEN


def session_list(records: Iterable[Mapping[str, Json]]) -> SessionList:
    """Reads a log once; memory is bounded by the sessions, not by their calls."""
    known: dict[str, _Known] = {}
    running: list[_Known] = []
    left_out = 0
    for record in records:
        if text_of(record, "kind") in _ENDING:
            running = _running_after(running, record)
        session_id = text_of(record, "session_id")
        if not session_id or (session_id not in known and text_of(record, "kind") in _AFTERWARDS):
            continue
        if session_id not in known and len(known) >= MAX_SESSIONS:
            left_out += 1
            continue
        if session_id not in known:
            known[session_id] = _Known()
            running.append(known[session_id])
        _take(known[session_id], record)
    return SessionList(tuple(_session(session_id, one) for session_id, one in known.items()), left_out)


def _running_after(running: list[_Known], record: Mapping[str, Json]) -> list[_Known]:
    """Ends what the record ends of the sessions that were open; returns those that still are."""
    for one in running:
        state = ends_all(record, one.texts.get("caller", "")) if one.state == _OPEN else ""
        if state:
            one.state = state
            one.texts["ended"] = text_of(record, "time")
    return [one for one in running if one.state == _OPEN]


def _take(one: _Known, record: Mapping[str, Json]) -> None:
    kind = text_of(record, "kind")
    for name in ("caller", "ticket", "reason_text"):
        # An administrator's or auditor's record names the session too: its own come first.
        if text_of(record, name) and (kind != EventKind.GRANT_USED or name == "caller"):
            one.texts.setdefault(name, text_of(record, name))
    one.grants.update(dict.fromkeys(texts_of(record, "grants")))
    one.counts[kind] += 1
    if kind == EventKind.OUTCOME:
        one.counts["masked"] += number_of(record, "masked") or 0
    if kind == EventKind.SESSION_OPENED:
        one.texts["opened"] = text_of(record, "time")
    if kind == EventKind.SESSION_ENDED:
        one.texts["ended"] = text_of(record, "time")
        one.state = text_of(members_of(record, "facts"), "state") or "ENDED"


def _session(session_id: str, one: _Known) -> LoggedSession:
    return LoggedSession(
        session_id=session_id,
        caller=one.texts.get("caller", ""),
        ticket=one.texts.get("ticket", ""),
        reason=one.texts.get("reason_text", ""),
        grants=tuple(one.grants),
        opened=one.texts.get("opened", ""),
        ended=one.texts.get("ended", ""),
        state=one.state,
        answered=one.counts[EventKind.OUTCOME],
        refused=one.counts[EventKind.REFUSED],
        masked=one.counts["masked"],
        reveals=one.counts[EventKind.REVEALED],
        halts=one.counts[EventKind.HALTED],
    )
