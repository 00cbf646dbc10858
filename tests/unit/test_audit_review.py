"""What an auditor asks of a log: the story of a session, who looked at something, which sessions there were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exported_events import full_events, records_of
from leadglass_agent.audit.call_merge import End
from leadglass_agent.audit.looks import How, PathNamed, ProcessNumbered, VariableNamed, looks_at
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.audit.session_list import session_list
from leadglass_agent.audit.timeline import StepKind, timeline
from leadglass_agent.errors import Reason
from review_example import REVIEW_EXAMPLE

if TYPE_CHECKING:
    from leadglass_agent.audit.looks import Look, Subject

_RECORDS = records_of(REVIEW_EXAMPLE)
_CALL = Event(
    kind=EventKind.INTENT,
    call_id="c-1",
    caller="spiffe://shop.example/sre/alice",
    session_id="s-1",
    method="/leadglass.v1.InspectService/StatFiles",
    target_pid=17,
    target_start_ticks=812_345,
)


def _looks(subject: Subject, *events: Event) -> tuple[Look, ...]:
    return looks_at(records_of(events or REVIEW_EXAMPLE), subject).looks


def test_a_session_is_told_from_its_grant_to_the_review_of_its_reveal() -> None:
    story = timeline(_RECORDS, "s-6f1c")

    assert story is not None
    assert (story.caller, story.ticket, story.state) == ("spiffe://shop.example/sre/alice", "OPS-1207", "CLOSED")
    assert [(grant.grant_id, grant.approvers) for grant in story.grants] == [
        ("g-77", ("spiffe://shop.example/lead/bob",))
    ]
    assert [step.kind for step in story.steps] == [
        StepKind.GRANT,
        StepKind.OPENED,
        *[StepKind.CALL] * 6,
        StepKind.REVEALED,
        StepKind.ENDED,
        StepKind.REVIEWED,
    ]
    calls = [step.call for step in story.steps if step.call is not None]
    assert [call.end for call in calls] == [End.ANSWERED] * 4 + [End.REFUSED, End.ANSWERED]
    assert (calls[3].rows, calls[3].masked, calls[3].duration_us) == (40, 3, 5_120)
    assert story.steps[-1].who == "spiffe://shop.example/security/carol"


def test_a_halted_session_says_why_and_nothing_of_others() -> None:
    story = timeline(_RECORDS, "s-9a2e")

    assert story is not None
    assert story.state == "HALTED"
    assert [step.words for step in story.steps if step.kind is StepKind.HALTED] == ["SENSITIVE_PATHS 2 seen, 1 allowed"]
    assert not any(step.kind is StepKind.REVIEWED for step in story.steps)


def test_a_call_without_an_end_is_unanswered_and_a_session_without_one_is_open() -> None:
    story = timeline(records_of([_CALL]), "s-1")

    assert story is not None
    assert (story.state, story.opened, story.caller) == ("OPEN", "", _CALL.caller)
    assert [step.call.end for step in story.steps if step.call] == [End.UNANSWERED]


def test_who_ended_a_session_from_outside_stands_in_its_story() -> None:
    admin = Event(
        kind=EventKind.OUTCOME,
        call_id="c-9",
        caller="spiffe://shop.example/admin/dora",
        method="/leadglass.v1.AccessService/EndSession",
        arguments=(("session_id", "[redacted:token-like]"), ("reason", "the incident is over")),
        facts=(("session_id", "s-1"),),
        decision=Ruling.ALLOW,
    )

    story = timeline(records_of([_CALL, admin]), "s-1")

    assert story is not None
    assert [step.who for step in story.steps] == ["", "spiffe://shop.example/admin/dora"]
    assert story.caller == _CALL.caller


def test_no_record_no_story() -> None:
    assert timeline(_RECORDS, "s-other") is None


@given(st.lists(full_events, max_size=6), st.sampled_from(["s-1", ""]))
def test_whatever_a_log_holds_every_question_has_an_answer(some: list[Event], session_id: str) -> None:
    records = records_of([replace(event, session_id=session_id) for event in some])

    timeline(records, "s-1")
    session_list(records)
    for subject in (VariableNamed("*"), PathNamed("/**"), ProcessNumbered(17)):
        looks_at(records, subject)


def test_sessions_are_listed_with_what_happened_in_them() -> None:
    first, second = session_list(_RECORDS).sessions

    assert (first.session_id, first.state, first.answered, first.refused, first.reveals) == (
        "s-6f1c",
        "CLOSED",
        5,
        1,
        1,
    )
    assert (first.masked, first.grants) == (3, ("g-77",))
    assert (second.caller, second.state, second.refused, second.halts) == (
        "spiffe://shop.example/sre/mallory",
        "HALTED",
        2,
        1,
    )


def test_a_variable_was_named_listed_with_all_or_revealed() -> None:
    assert [look.how for look in _looks(VariableNamed("DB_PASSWORD"))] == [How.NAMED, How.LISTED_ALL, How.REVEALED]
    assert [look.how for look in _looks(VariableNamed("LANG"))] == [How.NAMED, How.LISTED_ALL]
    assert [look.what for look in _looks(VariableNamed("DB_*"))] == ["DB_PASSWORD", "*", "DB_PASSWORD"]


def test_a_path_was_read_or_its_directory_was_listed() -> None:
    assert [look.how for look in _looks(PathNamed("/srv/shop/app.yaml"))] == [How.LISTED_DIRECTORY, How.READ]
    assert [look.how for look in _looks(PathNamed("/srv/shop"))] == [How.LISTED]
    assert [look.how for look in _looks(PathNamed("/srv/shop/lib/a.so"))] == []
    assert [look.how for look in _looks(PathNamed("/srv"))] == []


@pytest.mark.parametrize("asked", ["/srv/shop/app.yaml", "/srv//shop/./app.yaml", "/srv/shop/*.yaml/"])
@pytest.mark.parametrize("typed", ["/srv/shop/app.yaml", "//srv/./shop//app.yaml", "/srv/shop/app.yaml/."])
def test_a_path_is_the_same_however_it_is_spelled(typed: str, asked: str) -> None:
    read = replace(_CALL, method="/leadglass.v1.InspectService/ReadText", arguments=(("path", typed),))

    assert [(look.how, look.what) for look in _looks(PathNamed(asked), read)] == [(How.READ, "/srv/shop/app.yaml")]


def test_a_file_at_the_root_was_seen_by_who_listed_the_root() -> None:
    listing = replace(_CALL, method="/leadglass.v1.InspectService/ListDirectory", arguments=(("path", "/"),))

    assert [look.how for look in _looks(PathNamed("/passwd"), listing)] == [How.LISTED_DIRECTORY]


def test_a_refused_look_is_a_look_and_says_why() -> None:
    looks = _looks(PathNamed("/srv/shop/keys/**"))

    assert {look.call.end for look in looks} == {End.REFUSED}
    assert {look.call.refusal for look in looks} == {Reason.POLICY_DENIED}
    assert [look.call.session_id for look in looks] == ["s-6f1c", "s-9a2e", "s-9a2e"]


@pytest.mark.parametrize(("pid", "ticks", "count"), [(17, 0, 8), (17, 812_345, 8), (17, 9, 0), (18, 0, 0)], ids=str)
def test_a_process_is_told_from_a_later_one_of_its_number(pid: int, ticks: int, count: int) -> None:
    assert len(_looks(ProcessNumbered(pid, ticks))) == count


def test_a_look_at_whichever_process_has_the_number_may_have_been_at_this_one() -> None:
    assert len(_looks(ProcessNumbered(17, 5), replace(_CALL, target_start_ticks=0))) == 1


def test_a_list_of_all_processes_shows_each_and_one_of_others_does_not() -> None:
    listing = replace(_CALL, method="/leadglass.v1.InspectService/ListProcesses", target_pid=None)

    assert [look.how for look in _looks(ProcessNumbered(17), listing)] == [How.LISTED_PROCESSES]
    assert not _looks(ProcessNumbered(17), replace(listing, arguments=(("pids", "18"),)))
    assert [look.how for look in _looks(ProcessNumbered(17), replace(listing, arguments=(("pids", "17"),)))] == [
        How.NAMED
    ]


def test_what_had_no_room_in_a_record_cannot_be_ruled_out() -> None:
    many = replace(_CALL, arguments=tuple(("paths", f"/srv/{number:04d}/" + "x" * 200) for number in range(200)))

    assert [look.how for look in _looks(PathNamed("/etc/shadow"), many)] == [How.PERHAPS]

    names = tuple(("names", f"NAME_{number}_" + "X" * 200) for number in range(200))
    listing = replace(_CALL, method="/leadglass.v1.InspectService/ListEnvironment", arguments=names)
    assert [look.how for look in _looks(VariableNamed("DB_PASSWORD"), listing)] == [How.PERHAPS]


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (Event(kind=EventKind.HALTED, caller=_CALL.caller), "HALTED"),
        (Event(kind=EventKind.HALTED, facts=(("cause", "CLOCK_JUMP"),)), "HALTED"),
        (Event(kind=EventKind.HALTED, caller="spiffe://shop.example/sre/mallory"), "OPEN"),
        (Event(kind=EventKind.AGENT_STOPPED), "AGENT_ENDED"),
        (Event(kind=EventKind.AGENT_STARTED), "AGENT_ENDED"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_a_session_whose_end_was_never_written_ends_with_what_ended_it(event: Event, state: str) -> None:
    records = records_of([_CALL, event])
    story = timeline(records, "s-1")

    assert story is not None
    assert story.state == state
    assert (story.steps[-1].kind is StepKind.ENDED) == (state != "OPEN")
    assert [session.state for session in session_list(records).sessions] == [state]


def test_what_happens_to_a_recording_afterwards_tells_nothing_of_its_session() -> None:
    deleted = Event(kind=EventKind.RECORDING_DELETED, session_id="s-0")
    records = records_of([deleted, _CALL, replace(deleted, session_id="s-1")])
    story = timeline(records, "s-0")

    assert story is not None
    assert (story.state, [step.words for step in story.steps]) == ("UNKNOWN", ["RECORDING_DELETED"])
    assert [session.session_id for session in session_list(records).sessions] == ["s-1"]


def test_what_the_log_masks_cannot_be_ruled_out_where_the_rest_fits() -> None:
    masked = replace(_CALL, arguments=(("paths", "/srv/[redacted:token-like]/tls.key"),))

    assert [look.how for look in _looks(PathNamed("/srv/a1b2/tls.key"), masked)] == [How.MASKED]
    assert [look.how for look in _looks(PathNamed("/srv/a1b2/*"), masked)] == [How.MASKED]
    assert not _looks(PathNamed("/etc/a1b2/tls.key"), masked)
    assert not _looks(PathNamed("/srv/a1b2/tls.crt"), masked)
