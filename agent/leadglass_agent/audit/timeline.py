"""Tells one session from beginning to end out of the records of a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.call_merge import OF_CALL, LoggedCall, call_of, ends_all, merged, target_of
from leadglass_agent.audit.reading import members_of, number_of, text_of, texts_of
from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.canonical import Json

# A session has far fewer calls; what lies behind is counted.
MAX_STEPS: Final = 100_000
_END_SESSION: Final = "/leadglass.v1.AccessService/EndSession"


class StepKind(StrEnum):
    """What happened at one moment of a session."""

    OPENED = "opened"
    GRANT = "grant"
    CALL = "call"
    HALTED = "halted"
    REVEALED = "revealed"
    REVIEWED = "reviewed"
    FIRST_SEEN = "first seen"
    ENDED = "ended"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True)
class GrantInUse:
    """A grant that the session carried, and who approved it."""

    grant_id: str
    approvers: tuple[str, ...]
    permissions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story; `call` is set for calls, `words` say the rest, `who` who did it if not the caller."""

    seq: int
    time: str
    kind: StepKind
    words: str = ""
    who: str = ""
    call: LoggedCall | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One session. `state` is OPEN while the log holds no end; `opened` is empty if the log begins later.

    UNKNOWN is the state of one of which the log holds nothing but what happened to its recording.

    `left_out` counts steps beyond the bound.
    """

    session_id: str
    caller: str
    key_digest: str
    peer: str
    ticket: str
    reason: str
    target: str
    opened: str
    ended: str
    state: str
    grants: tuple[GrantInUse, ...]
    steps: tuple[Step, ...]
    left_out: int


@dataclass(slots=True)
class _Story:
    """What is known so far."""

    session_id: str
    known: dict[str, str] = field(default_factory=dict)
    state: str = ""
    grants: list[GrantInUse] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    revealed: set[tuple[str, str]] = field(default_factory=set)
    closing: set[str] = field(default_factory=set)
    left_out: int = 0

    def add(self, step: Step) -> None:
        """Adds a step if there is room."""
        if len(self.steps) >= MAX_STEPS:
            self.left_out += 1
        else:
            self.steps.append(step)


def timeline(records: Iterable[Mapping[str, Json]], session_id: str) -> Timeline | None:
    """Returns the story of a session, None if no record names it; memory is bounded by the session, not by the log."""
    story = _Story(session_id)
    for record in records:
        _take(story, record)
    if not story.known and not story.steps:
        return None
    known = story.known
    return Timeline(
        session_id=session_id,
        caller=known.get("caller", ""),
        key_digest=known.get("key_digest", ""),
        peer=known.get("peer", ""),
        ticket=known.get("ticket", ""),
        reason=known.get("reason_text", ""),
        target=known.get("target", ""),
        opened=known.get("opened", ""),
        ended=known.get("ended", ""),
        state=story.state or ("OPEN" if story.known else "UNKNOWN"),
        grants=tuple(story.grants),
        steps=tuple(story.steps),
        left_out=story.left_out,
    )


def seconds_between(earlier: str, later: str) -> float:
    """Returns the seconds from one time of the log to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _take(story: _Story, record: Mapping[str, Json]) -> None:
    kind = text_of(record, "kind")
    own = record.get("session_id") == story.session_id
    state = ends_all(record, story.known.get("caller", "")) if story.known and not story.state else ""
    if state:
        story.state = state
        story.known["ended"] = text_of(record, "time")
        if not own:
            words = f"{kind} {text_of(members_of(record, 'facts'), 'cause')}".strip()
            story.add(Step(number_of(record, "seq") or 0, text_of(record, "time"), StepKind.ENDED, words))
    if kind == EventKind.REVIEW_CLOSED:
        _take_review(story, record, own=own)
    elif not own:
        if kind in OF_CALL and _ends_it(story, record):
            _take_call(story, record, who=text_of(record, "caller"))
    elif kind in OF_CALL:
        _note(story, record)
        _take_call(story, record, who="")
    else:
        _take_event(story, record, kind)


def _ends_it(story: _Story, record: Mapping[str, Json]) -> bool:
    """Says whether a call from outside of the session ended it: its own closing, or an administrator's."""
    if text_of(record, "call_id") in story.closing:
        return True
    named = text_of(members_of(record, "facts"), "session_id")
    return text_of(record, "method") == _END_SESSION and named == story.session_id


def _take_call(story: _Story, record: Mapping[str, Json], *, who: str) -> None:
    call = call_of(record)
    place = story.places.get(call.call_id) if call.call_id else None
    if place is not None:
        first = story.steps[place]
        whole = call if first.call is None else merged(first.call, call)
        story.steps[place] = Step(first.seq, first.time, StepKind.CALL, who=first.who, call=whole)
        return
    if call.call_id and len(story.steps) < MAX_STEPS:
        story.places[call.call_id] = len(story.steps)
    story.add(Step(call.seq, call.time, StepKind.CALL, who=who, call=call))


def _take_event(story: _Story, record: Mapping[str, Json], kind: str) -> None:
    facts = members_of(record, "facts")
    step, words = StepKind.RECORDING, f"{kind} {text_of(record, 'reason_text')}".rstrip()
    match kind:
        case EventKind.SESSION_OPENED:
            _note(story, record)
            story.known |= {"opened": text_of(record, "time"), "target": target_of(record)}
            step, words = StepKind.OPENED, text_of(record, "reason_text")
        case EventKind.SESSION_ENDED:
            _note(story, record)
            story.closing |= {call_id for call_id in [text_of(record, "call_id")] if call_id}
            story.state = text_of(facts, "state") or "ENDED"
            story.known["ended"] = story.known.get("ended") or text_of(record, "time")
            step, words = StepKind.ENDED, story.state
        case EventKind.GRANT_USED:
            grant = _grant(record, facts)
            story.grants.append(grant)
            step, words = StepKind.GRANT, f"{grant.grant_id} approved by {', '.join(grant.approvers) or 'nobody'}"
        case EventKind.HALTED:
            seen = ", ".join(f"{facts[name]} {name}" for name in ("seen", "allowed") if name in facts)
            step, words = StepKind.HALTED, f"{text_of(facts, 'cause')} {seen}".strip()
        case EventKind.REVEALED:
            name = text_of(facts, "name")
            story.revealed.add((text_of(record, "caller"), name))
            step, words = StepKind.REVEALED, name
        case EventKind.FIRST_SEEN:
            step, words = StepKind.FIRST_SEEN, " ".join(sorted(facts))
        case _:
            pass
    by_others = {StepKind.RECORDING}
    who = text_of(record, "caller") if step in by_others else ""
    story.add(Step(number_of(record, "seq") or 0, text_of(record, "time"), step, words, who))


def _take_review(story: _Story, record: Mapping[str, Json], *, own: bool) -> None:
    """Takes the closing of a review: of a reveal within the session, or of its halt."""
    facts = members_of(record, "facts")
    subject = (text_of(facts, "revealed_by"), text_of(facts, "name"))
    if subject in story.revealed:
        story.revealed.discard(subject)  # a caller owes one review at a time: this one is of that reveal
    elif not own and text_of(facts, "session_id") != story.session_id:
        return
    words, who = text_of(record, "reason_text"), text_of(record, "caller")
    story.add(Step(number_of(record, "seq") or 0, text_of(record, "time"), StepKind.REVIEWED, words, who))


def _note(story: _Story, record: Mapping[str, Json]) -> None:
    """Remembers who it is; the first record that says something is believed."""
    for name in ("caller", "key_digest", "peer", "ticket", "reason_text"):
        if text_of(record, name):
            story.known.setdefault(name, text_of(record, name))


def _grant(record: Mapping[str, Json], facts: Mapping[str, Json]) -> GrantInUse:
    approvers = tuple(str(who) for key, who in facts.items() if key.startswith("approver") and "." not in key)
    permissions = tuple(text_of(facts, "permissions").split())
    return GrantInUse(" ".join(texts_of(record, "grants")), approvers, permissions, text_of(record, "reason_text"))
