"""A recorded session decided anew: what a policy would refuse, hide and mask, and what it may newly show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated_policies import case_of, policy_file
from leadglass.v1 import access_pb2, inspect_pb2
from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_BALANCED,
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_FOUND,
    UNAVAILABLE_REASON_NOT_PERMITTED,
    ProcessRef,
    VisibleText,
)
from leadglass_agent.errors import Reason
from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.model import Permission, ProcessSelector, Profile, RuleId
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.scope import Bound, ProcessFacts, Scope, ScopeRule
from leadglass_agent.policy.standing import GrantedScope
from leadglass_cli import Home
from leadglass_client.errors import ExitCode
from leadglass_client.replay.admitting import KnownProcess, Part, sight
from leadglass_client.replay.changes import Kind
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.messages import request_of
from leadglass_client.replay.policies import Policies
from leadglass_client.replay.redecide import redecide
from leadglass_client.replay.summary import Outcome, summary_of
from made_recordings import OPENED, Tape
from policies import ALICE, BOB, STANDING, policy_of, policy_text

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.policy.model import Policy
    from leadglass_client.replay.redecide import Redecided

_WEB: Final = ProcessRef(pid=7, start_ticks=70)
_SESSION: Final = "- {id: session, effect: permit, permissions: [session.open]}\n"
_TREE: Final = "- {id: tree, effect: permit, permissions: [processes.list, processes.executable, processes.argv]}\n"
_ENV: Final = '- {id: env, effect: permit, permissions: [env.presence, env.names], names: ["*"]}\n'
_FILES: Final = '- {id: files, effect: permit, permissions: [files.metadata, files.list], paths: ["/**"]}\n'
_ALL: Final = _SESSION + _TREE + _ENV + _FILES


def _row(pid: int, name: str, *, runs: str | None = "/app/web", parent: int = 0) -> inspect_pb2.Process:
    row = inspect_pb2.Process(
        ref=ProcessRef(pid=pid, start_ticks=pid * 10), name=VisibleText(text=name), owner_uid=1000, parent_pid=parent
    )
    row.arguments.add(text=name)
    if runs is None:
        row.executable_unavailable = UNAVAILABLE_REASON_NOT_PERMITTED
    else:
        row.executable.text = runs
    return row


def _list(tape: Tape, *rows: inspect_pb2.Process) -> None:
    request = inspect_pb2.ListProcessesRequest(pids=[row.ref.pid for row in rows])
    tape.call(request, inspect_pb2.ListProcessesResponse(processes=rows, redaction=REDACTION_PROFILE_STRICT))


def _environment(tape: Tape, *names: str, asked: bool = False, process: ProcessRef = _WEB) -> None:
    present = inspect_pb2.PRESENCE_PRESENT
    variables = [inspect_pb2.EnvironmentVariable(name=VisibleText(text=name), presence=present) for name in names]
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=process, names=names if asked else ()),
        inspect_pb2.ListEnvironmentResponse(process=process, variables=variables),
    )


def _anew(tape: Tape, rules: str, before: str | None = None, **policy: str) -> tuple[Redecided, ...]:
    after = policy_of(rules, **policy)
    then = None if before is None else replace(policy_of(before), digest=OPENED.policy_digest)
    return redecide(tape.recording(), Policies(after, then))


def _kinds(one: Redecided) -> set[tuple[Kind, str]]:
    return {(change.kind, change.what) for change in one.anew.changes}


def test_a_process_that_no_rule_permits_is_lost_and_named_with_what_hides_it() -> None:
    tape = Tape()
    _list(tape, _row(7, "web"), _row(8, "vault", parent=7))
    forbid = "- {id: no-vault, effect: forbid, permissions: [processes.list], processes: [{names: [vault]}]}\n"

    (hidden,) = _anew(tape, _ALL + forbid, _ALL)
    (unnamed,) = _anew(tape, _SESSION + _TREE.replace("}", ", processes: [{names: [web]}]}"), _ALL)

    assert [(one.kind, one.items, one.note) for one in hidden.anew.changes] == [
        (Kind.LOST, ("8@80 vault",), "forbidden by no-vault")
    ]
    assert unnamed.anew.changes[0].note == "no rule permits it"
    (reply,) = hidden.anew.replies
    assert isinstance(reply, inspect_pb2.ListProcessesResponse)
    assert [row.ref.pid for row in reply.processes] == [7]


def test_a_parent_that_is_hidden_is_not_named_any_more() -> None:
    tape = Tape()
    _list(tape, _row(7, "web"), _row(8, "worker", parent=7))

    (one,) = _anew(tape, _SESSION + _TREE.replace("}", ", processes: [{names: [worker]}]}"), _ALL)

    (reply,) = one.anew.replies
    assert isinstance(reply, inspect_pb2.ListProcessesResponse)
    assert [(row.ref.pid, row.parent_pid) for row in reply.processes] == [(8, 0)]


@pytest.mark.parametrize(("hidden", "left"), [("", [7, 8, 9, 10]), ("b", [7]), ("a", []), ("d", [7, 8, 9])])
def test_a_subtree_ends_where_a_process_is_hidden(hidden: str, left: list[int]) -> None:
    rows = [_row(7, "a"), _row(8, "b", parent=7), _row(9, "c", parent=8), _row(10, "d", parent=9)]
    forbid = f"- {{id: never, effect: forbid, permissions: [processes.list], processes: [{{names: [{hidden}]}}]}}\n"
    tape = Tape()
    tape.call(
        inspect_pb2.ListProcessesRequest(subtree_of_pid=7),
        inspect_pb2.ListProcessesResponse(processes=rows, redaction=REDACTION_PROFILE_STRICT),
    )

    (one,) = _anew(tape, _ALL + (forbid if hidden else ""), _ALL)

    (reply,) = one.anew.replies
    assert isinstance(reply, inspect_pb2.ListProcessesResponse)
    assert [row.ref.pid for row in reply.processes] == left
    assert {kind for kind, _ in _kinds(one)} == ({Kind.LOST} if hidden else set())


def test_field_groups_that_are_not_permitted_any_more_are_masked() -> None:
    tape = Tape()
    _list(tape, _row(7, "web"))

    (one,) = _anew(tape, _SESSION + _TREE.replace(", processes.executable, processes.argv", ""), _ALL)

    assert _kinds(one) == {(Kind.MASKED, "processes.executable"), (Kind.MASKED, "processes.argv")}


def test_field_groups_that_were_not_permitted_are_newly_shown() -> None:
    tape = Tape()
    row = _row(7, "web", runs=None)
    tape.call(
        inspect_pb2.ListProcessesRequest(pids=[7]),
        inspect_pb2.ListProcessesResponse(processes=[row], redaction=REDACTION_PROFILE_STRICT),
    )

    (one,) = _anew(tape, _ALL, _SESSION + _TREE.replace(", processes.executable", ""))

    assert _kinds(one) == {(Kind.SHOWN, "processes.executable")}


def test_another_profile_for_command_lines_is_told() -> None:
    balanced = _TREE.replace("}", ", redaction: balanced}")
    tape = Tape()
    _list(tape, _row(7, "web"))

    (one,) = _anew(tape, _SESSION + balanced, _ALL)

    assert _kinds(one) == {(Kind.UNMASKED, "processes.argv")}


def test_what_a_selector_asks_for_and_the_recording_does_not_tell_may_be_lost() -> None:
    tape = Tape()
    _list(tape, _row(7, "web", runs=None), _row(8, "[redacted:token-like]"))
    by_program = _TREE.replace("}", ', processes: [{executables: ["/app/**"]}]}')
    by_name = _TREE.replace("}", ', processes: [{names: ["w*"]}]}')

    (program,) = _anew(tape, _SESSION + by_program, _ALL)
    (name,) = _anew(tape, _SESSION + by_name, _ALL)

    assert (Kind.MAY_LOSE, "processes.list") in _kinds(program)
    assert [one.items for one in program.anew.changes if one.what == "processes.list"] == [("7@70 web",)]
    assert [one.items for one in name.anew.changes if one.what == "processes.list"] == [("8@80 [redacted:token-like]",)]


def test_a_process_that_is_nowhere_in_the_recording_is_not_guessed() -> None:
    tape = Tape()
    _environment(tape, "LANG")
    rules = _SESSION + _ENV.replace("}", ", processes: [{names: [web]}]}")

    (one,) = _anew(tape, rules, _ALL)

    assert one.anew.refused is None
    assert (Kind.MAY_LOSE, "env.presence") in _kinds(one)


@pytest.mark.parametrize("name", ["web", "other"])
def test_a_process_is_known_from_a_list_before_or_after(name: str) -> None:
    rules = _SESSION + _TREE + _ENV.replace("}", ", processes: [{names: [web]}]}")
    for is_before in (True, False):
        tape = Tape()
        if is_before:
            _list(tape, _row(7, name))
        _environment(tape, "LANG")
        if not is_before:
            _list(tape, _row(7, name))
        one = _anew(tape, rules, _ALL)[1 if is_before else 0]
        told = None if one.anew.refused is None else one.anew.refused.reason
        assert (told, bool(one.anew.changes)) == ((None, False) if name == "web" else (Reason.PROCESS_NOT_FOUND, True))


def test_a_process_is_what_it_was_listed_as_last_before_the_call() -> None:
    rules = _SESSION + _TREE + _ENV.replace("}", ", processes: [{names: [web]}]}")
    tape = Tape()
    _list(tape, _row(7, "sh"))
    _list(tape, _row(7, "web"))
    _environment(tape, "LANG")
    _list(tape, _row(7, "sh"))

    assert _anew(tape, rules, _ALL)[2].anew.refused is None


def test_without_a_session_every_call_is_refused_as_its_opening_is() -> None:
    tape = Tape()
    _environment(tape, "LANG")

    (one,) = _anew(tape, _ENV, _ALL)

    assert one.anew.refused is not None
    assert one.anew.refused.reason is Reason.POLICY_DENIED


def test_a_number_that_was_given_anew_is_another_process() -> None:
    rules = _SESSION + _TREE + _ENV.replace("}", ", processes: [{names: [web]}]}")
    tape = Tape()
    _list(tape, _row(7, "other"))
    _environment(tape, "LANG", process=ProcessRef(pid=7, start_ticks=71))

    one = _anew(tape, rules, _ALL)[1]

    assert one.anew.refused is None
    assert {kind for kind, _ in _kinds(one)} == {Kind.MAY_LOSE}


def test_names_that_were_asked_for_look_unset_and_listed_ones_are_gone() -> None:
    forbid = '- {id: never, effect: forbid, permissions: [env.presence, env.names], names: ["*_KEY"]}\n'
    tape = Tape()
    _environment(tape, "APP_KEY", "LANG", asked=True)
    _environment(tape, "APP_KEY", "LANG")

    asked, listed = _anew(tape, _ALL + forbid, _ALL)

    (one,), (other,) = asked.anew.replies, listed.anew.replies
    assert isinstance(one, inspect_pb2.ListEnvironmentResponse)
    assert isinstance(other, inspect_pb2.ListEnvironmentResponse)
    assert [variable.presence for variable in one.variables] == [
        inspect_pb2.PRESENCE_UNSET,
        inspect_pb2.PRESENCE_PRESENT,
    ]
    assert [variable.name.text for variable in other.variables] == ["LANG"]
    assert _kinds(asked) == {(Kind.LOST, "env.presence")}
    assert _kinds(listed) == {(Kind.LOST, "env.names")}


def test_a_listed_name_needs_both_of_its_permissions() -> None:
    tape = Tape()
    _environment(tape, "APP_KEY", "LANG")
    for permission in ("env.presence", "env.names"):
        forbid = f"- {{id: never, effect: forbid, permissions: [{permission}], names: [LANG]}}\n"
        (one,) = _anew(tape, _ALL + forbid, _ALL)
        (reply,) = one.anew.replies
        assert isinstance(reply, inspect_pb2.ListEnvironmentResponse)
        assert [variable.name.text for variable in reply.variables] == ["APP_KEY"]


def test_a_name_that_was_unset_may_be_newly_told_of_only_where_it_was_hidden() -> None:
    tape = Tape()
    unset = inspect_pb2.EnvironmentVariable(name=VisibleText(text="DB_URL"), presence=inspect_pb2.PRESENCE_UNSET)
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=_WEB, names=["DB_URL"]),
        inspect_pb2.ListEnvironmentResponse(process=_WEB, variables=[unset]),
    )
    narrow = _SESSION + _ENV.replace('"*"', "LANG")

    (hidden,) = _anew(tape, _ALL, narrow)
    (unknown,) = _anew(tape, _ALL)
    (same,) = _anew(tape, _ALL, _ALL + _TREE.replace("tree", "more"))

    assert _kinds(hidden) == _kinds(unknown) == {(Kind.MAY_SHOW, "env.presence")}
    assert same.anew.changes == ()


def test_a_path_that_looked_absent_may_be_newly_shown_only_where_more_is_admitted() -> None:
    tape = Tape()
    missing = inspect_pb2.FileMetadata(name=VisibleText(text="/x"), unavailable=UNAVAILABLE_REASON_NOT_FOUND)
    tape.call(inspect_pb2.StatFilesRequest(process=_WEB, paths=["/x"]), inspect_pb2.StatFilesResponse(files=[missing]))
    narrow = _SESSION + _FILES.replace("/**", "/app/**")

    assert _kinds(_anew(tape, _ALL, narrow)[0]) == {(Kind.MAY_SHOW, "files.metadata")}
    assert _kinds(_anew(tape, _ALL)[0]) == {(Kind.MAY_SHOW, "files.metadata")}
    assert _kinds(_anew(tape, _ALL, _ALL + _TREE.replace("tree", "more"))[0]) == set()
    assert _kinds(_anew(tape, narrow, _ALL)[0]) == set()


def test_only_what_lies_in_the_folder_that_was_listed_counts_as_newly_listed() -> None:
    tape = Tape()
    request = inspect_pb2.ListDirectoryRequest(process=_WEB, path="/app")
    tape.call(request, inspect_pb2.ListDirectoryResponse(path=VisibleText(text="/app")))
    narrow = _SESSION + _FILES.replace('"/**"', '"/app", "/app/*.log"')
    elsewhere = _SESSION + _FILES.replace('"/**"', '"/app", "/app/*.log", "/etc/**"')
    here = _SESSION + _FILES.replace('"/**"', '"/app", "/app/*.log", "/app/*.yaml"')

    assert _kinds(_anew(tape, elsewhere, narrow)[0]) == set()
    assert _kinds(_anew(tape, here, narrow)[0]) == {(Kind.MAY_SHOW, "files.list")}


def test_a_folder_is_lost_by_where_a_link_led_as_well() -> None:
    tape = Tape()
    entry = inspect_pb2.FileMetadata(name=VisibleText(text="a"), type=inspect_pb2.FILE_TYPE_REGULAR)
    reply = inspect_pb2.ListDirectoryResponse(path=VisibleText(text="/secrets"), entries=[entry])
    tape.call(inspect_pb2.ListDirectoryRequest(process=_WEB, path="/app/link"), reply)
    forbid = '- {id: never, effect: forbid, permissions: [files.list], paths: ["/secrets", "/secrets/**"]}\n'

    (one,) = _anew(tape, _ALL + forbid, _ALL)

    assert [(change.kind, change.items, change.note) for change in one.anew.changes] == [
        (Kind.LOST, ("a",), "forbidden by never")
    ]
    (left,) = one.anew.replies
    assert isinstance(left, inspect_pb2.ListDirectoryResponse)
    assert (left.path.text, left.unavailable) == ("/app/link", UNAVAILABLE_REASON_NOT_FOUND)


def test_entries_whose_metadata_is_hidden_keep_their_names_alone() -> None:
    tape = Tape()
    entry = inspect_pb2.FileMetadata(name=VisibleText(text="a"), type=inspect_pb2.FILE_TYPE_REGULAR, size_bytes=7)
    reply = inspect_pb2.ListDirectoryResponse(path=VisibleText(text="/app"), entries=[entry])
    tape.call(inspect_pb2.ListDirectoryRequest(process=_WEB, path="/app"), reply)

    (one,) = _anew(tape, _SESSION + _FILES.replace("files.metadata, ", ""), _ALL)

    (left,) = one.anew.replies
    assert isinstance(left, inspect_pb2.ListDirectoryResponse)
    hidden = inspect_pb2.FileMetadata(name=entry.name, unavailable=UNAVAILABLE_REASON_NOT_PERMITTED)
    assert (list(left.entries), _kinds(one)) == ([hidden], {(Kind.MASKED, "files.metadata")})


def test_a_text_that_is_masked_by_another_profile_is_told_and_kept() -> None:
    text = '- {id: text, effect: permit, permissions: [text.redacted], paths: ["/**"]@}\n'
    tape = Tape()
    file = inspect_pb2.TextFile(path=VisibleText(text="/app/web.log"))
    lines = [inspect_pb2.TextLine(text=VisibleText(text="x"))]
    reply = inspect_pb2.ReadTextResponse(file=file, lines=lines, redaction=REDACTION_PROFILE_BALANCED)
    tape.call(inspect_pb2.ReadTextRequest(process=_WEB, path="/app/web.log"), reply)

    (strict,) = _anew(tape, _SESSION + text.replace("@", ", redaction: strict"))
    (same,) = _anew(tape, _SESSION + text.replace("@", ""))

    assert _kinds(strict) == {(Kind.MASKED, "text.redacted")}
    assert (same.anew.changes, strict.anew.replies) == ((), (reply,))


def test_a_call_that_was_refused_by_policy_may_be_answered_now_and_others_stay_refused() -> None:
    tape = Tape()
    for reason in (Reason.POLICY_DENIED, Reason.PROCESS_NOT_FOUND, Reason.TIMED_OUT):
        tape.call(inspect_pb2.StatFilesRequest(process=_WEB, paths=["/x"]), refusal=reason)
    tape.call(inspect_pb2.StatFilesRequest(process=_WEB, paths=["/x"]), refusal=Reason.SESSION_MISSING, standing=None)

    denied, missing, late, outside = _anew(tape, _ALL)

    assert _kinds(denied) == {(Kind.ANSWERED, "files.metadata")}
    assert _kinds(missing) == {(Kind.MAY_SHOW, "files.metadata")}
    assert late.anew.changes == outside.anew.changes == ()


def test_a_process_that_was_not_found_may_be_there_only_if_more_processes_are_admitted() -> None:
    tape = Tape()
    tape.call(inspect_pb2.ListEnvironmentRequest(process=_WEB), refusal=Reason.PROCESS_NOT_FOUND)
    shops = ', processes: [{names: ["shop-*"]}]}'
    names = '- {id: never, effect: forbid, permissions: [env.presence], names: ["*_KEY"]}\n'
    then = _SESSION + _ENV.replace("}", shops)

    assert _kinds(_anew(tape, then + names, then)[0]) == set()
    assert _kinds(_anew(tape, then, then + names)[0]) == set()
    assert _kinds(_anew(tape, _ALL, then)[0]) == _kinds(_anew(tape, then)[0]) == {(Kind.MAY_SHOW, "env.presence")}


def test_a_refusal_names_the_forbid_the_role_and_what_would_be_needed() -> None:
    tape = Tape()
    _environment(tape, "LANG")

    forbid = _ALL + "- {id: never, effect: forbid, permissions: [env.presence]}\n"
    (forbidden,) = _anew(tape, forbid, _ALL)
    (granted,) = _anew(tape, _ALL, role="grant: {approvals: 1, approvers: [boss], maxMinutes: 60}", others="boss")

    assert forbidden.anew.refused is not None
    assert granted.anew.refused is not None
    assert (forbidden.anew.refused.reason, forbidden.anew.refused.rules) == (Reason.POLICY_DENIED, ("never",))
    assert (granted.anew.refused.reason, granted.anew.refused.role) == (Reason.APPROVAL_NEEDED, "tester")


def _granted_tape() -> tuple[Tape, str]:
    grant = GrantedScope("g1", frozenset({Permission.ENV_PRESENCE, Permission.ENV_NAMES}), (BOB,), 30, names=("L*",))
    tape = Tape(opened=replace(OPENED, grants=("g1", "g2")))
    variables = [inspect_pb2.EnvironmentVariable(name=VisibleText(text="LANG"), presence=inspect_pb2.PRESENCE_EMPTY)]
    tape.call(
        inspect_pb2.ListEnvironmentRequest(process=_WEB),
        inspect_pb2.ListEnvironmentResponse(process=_WEB, variables=variables),
        standing=replace(STANDING, grants=(grant,)),
        grants=("g1",),
    )
    return tape, "grant: {approvals: 1, approvers: [boss], maxMinutes: 60}"


def test_grants_count_as_they_were_and_unused_ones_are_named() -> None:
    tape, role = _granted_tape()
    policies = [policy_of(_ALL, role=role, others="boss"), policy_of(_ALL, others="boss")]

    for policy, now in zip(policies, (1, 0), strict=True):
        choice = Policies(policy)
        summary = summary_of(tape.recording(), choice, redecide(tape.recording(), choice))
        assert [(use.grant_id, use.calls_then, use.calls_now) for use in summary.grants] == [
            ("g1", 1, now),
            ("g2", 0, 0),
        ]
        assert not any(one.anew.refused for one in summary.calls)


def test_a_grant_whose_approver_may_not_approve_any_more_ends_the_session() -> None:
    tape, role = _granted_tape()

    (one,) = _anew(tape, _ALL, role=role.replace("boss", "tester"))

    assert one.anew.refused is not None
    assert one.anew.refused.reason is Reason.SESSION_ENDED


@pytest.mark.parametrize(
    ("session", "reasons"),
    [
        ("{maxMinutes: 10}", ["", "", Reason.SESSION_ENDED]),
        ("{idleMinutes: 9}", ["", "", Reason.SESSION_ENDED]),
        ("{callsPerMinute: 2}", ["", Reason.RATE_LIMITED, ""]),
        ("{minReasonCharacters: 200}", [Reason.REASON_REFUSED] * 3),
        ('{ticketPattern: "INC-[0-9]{1,6}"}', [Reason.TICKET_REFUSED] * 3),
        ("{maxMinutes: 60}", ["", "", ""]),
    ],
)
def test_a_session_is_held_to_the_limits_of_the_policy(session: str, reasons: list[str]) -> None:
    tape = Tape()
    for seconds in (1, 2, 600):
        variables = [inspect_pb2.EnvironmentVariable(name=VisibleText(text="A"), presence=inspect_pb2.PRESENCE_EMPTY)]
        tape.call(
            inspect_pb2.ListEnvironmentRequest(process=_WEB, names=["A"]),
            inspect_pb2.ListEnvironmentResponse(process=_WEB, variables=variables),
            after_seconds=seconds,
        )

    anew = _anew(tape, _ALL, session=session[1:-1] if ":" in session else "")

    assert ["" if one.anew.refused is None else one.anew.refused.reason for one in anew] == reasons


@pytest.mark.parametrize(
    ("budget", "first"), [("{calls: 2}", 3), ("{names: 3}", 2), ("{rows: 3}", 2), ("{rows: 6}", 0), ("{answers: 1}", 0)]
)
def test_a_session_is_held_to_the_budget_of_the_policy(budget: str, first: int) -> None:
    tape = Tape()
    for names in (("A", "B"), ("C", "D"), ("A", "B")):
        _environment(tape, *names)

    anew = _anew(tape, _ALL, _ALL, role=f"budget: {budget}")

    spent = [one.call.number for one in anew if (Kind.MAY_LOSE, "env.presence") in _kinds(one)]
    assert (spent[0] if spent else 0) == first


def test_a_reveal_needs_break_glass_for_that_variable() -> None:
    grant = GrantedScope("g1", frozenset({Permission.ENV_REVEAL}), (BOB,), 5)
    tape = Tape()
    tape.call(
        access_pb2.RevealRequest(process=_WEB, name="DB_URL"),
        access_pb2.RevealResponse(),
        standing=replace(STANDING, grants=(grant,)),
        withheld="REVEALED_VALUE",
    )
    rules = _ALL + '- {id: reveal, effect: permit, permissions: [env.reveal], names: ["*"]}\n'
    role = "grant: {approvals: 1, approvers: [boss], maxMinutes: 60}"
    glass = (
        "breakGlass: {names: [NAMES], approvals: 1, approvers: [boss], maxMinutes: 5, perMonth: 2, reviewOwed: true}"
    )

    for names, reason in (('"DB_*"', None), ("LANG", Reason.REVEAL_REFUSED)):
        (one,) = _anew(tape, rules, role=role, others="boss", spec=glass.replace("NAMES", names))
        assert (None if one.anew.refused is None else one.anew.refused.reason) == reason


@given(st.integers(0, 2**32))
def test_what_a_policy_leaves_of_a_session_it_leaves_as_it_is(seed: int) -> None:
    policy = parse_policy(policy_file(case_of(seed)), "policy")
    whole = Tape(opened=replace(OPENED, caller="spiffe://td/user/ada"))
    _list(whole, _row(7, "api"), _row(8, "worker", runs="/app/key", parent=7))
    _environment(whole, "DB_URL", "LANG")
    _environment(whole, "DB_URL", "LANG", asked=True)
    left = Tape(opened=replace(whole.opened, policy_digest=policy.digest))
    for one in redecide(whole.recording(), Policies(policy)):
        request = request_of(one.call)
        assert request is not None
        left.call(request, *one.anew.replies, refusal="" if one.anew.refused is None else one.anew.refused.reason)

    for before in (None, policy):
        for one in redecide(left.recording(), Policies(policy, before)):
            assert {change.kind for change in one.anew.changes} <= {Kind.MAY_LOSE}


_SELECTORS: Final = st.builds(
    ProcessSelector,
    names=st.sampled_from(((), ("api",), ("a*", "web"))),
    executables=st.sampled_from(((), ("/app/**",), ("/usr/bin/x",))),
    uids=st.sampled_from(((), (0,), (1000, 0))),
)
_SOME_SELECTORS: Final = st.lists(_SELECTORS, max_size=2).map(tuple)
_SOME_NAMES: Final = st.sampled_from(((), ("*",), ("DB_*",), ("LANG", "DB_URL")))
_SOME_PATHS: Final = st.sampled_from(((), ("/**",), ("/app/**",), ("/etc", "/app/x")))
_BOUNDS: Final = st.builds(
    Bound, grant_id=st.just("g"), processes=_SOME_SELECTORS, names=_SOME_NAMES, paths=_SOME_PATHS
)
_RULES: Final = st.lists(
    st.builds(
        ScopeRule,
        rule_id=st.just(RuleId("r")),
        processes=_SOME_SELECTORS,
        names=_SOME_NAMES,
        paths=_SOME_PATHS,
        redaction=st.sampled_from((None, *Profile)),
        bounds=st.none() | st.lists(_BOUNDS, max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)
_FORBIDS: Final = st.lists(
    st.builds(ScopeRule, rule_id=st.just(RuleId("f")), processes=_SOME_SELECTORS, names=_SOME_NAMES, paths=_SOME_PATHS),
    max_size=2,
).map(tuple)
_FACTS: Final = st.builds(
    ProcessFacts,
    pid=st.just(1),
    uid=st.sampled_from((0, 1000, 7)),
    name=st.sampled_from(("api", "web", "vault")),
    executable=st.sampled_from((None, "/app/api", "/usr/bin/x", "/usr/bin/x (deleted)")),
)


@pytest.mark.parametrize("part", Part)
def test_a_forbid_that_asks_for_what_is_not_known_may_fit_and_a_permit_may_not(part: Part) -> None:
    everything = ScopeRule(rule_id=RuleId("all"))
    values = {Part.NAMES: ("web",), Part.EXECUTABLES: ("/app/**",), Part.UIDS: (7,)}
    asks = ScopeRule(rule_id=RuleId("some"), processes=(ProcessSelector(**{part.value: values[part]}),))  # type: ignore[arg-type] # by its own name
    known = KnownProcess(ProcessFacts(pid=1, uid=1, name="other", executable="/x"), frozenset({part}))

    assert sight(Scope((everything,), (asks,)), known).process() is None
    assert sight(Scope((asks,)), known).process() is None
    assert sight(Scope((everything, asks)), known).process() is True
    assert sight(Scope((asks,), (everything,)), known).process() is False


_HIDDEN: Final = ProcessFacts(pid=1, uid=4242, name="?", executable=None)


@settings(max_examples=1_000)
@given(
    scope=st.builds(Scope, permits=_RULES, forbids=_FORBIDS),
    facts=_FACTS,
    unknown=st.sets(st.sampled_from(Part)),
    name=st.sampled_from(("DB_URL", "LANG", "X")),
    path=st.sampled_from(("/etc", "/app/x", "/app/y", "/")),
)
def test_what_is_said_of_a_process_of_which_not_all_is_known_is_never_wrong(
    scope: Scope, facts: ProcessFacts, unknown: set[Part], name: str, path: str
) -> None:
    known = ProcessFacts(
        pid=1,
        uid=_HIDDEN.uid if Part.UIDS in unknown else facts.uid,
        name=_HIDDEN.name if Part.NAMES in unknown else facts.name,
        executable=None if Part.EXECUTABLES in unknown else facts.executable,
    )
    seen, real = sight(scope, KnownProcess(known, frozenset(unknown))), scope.narrow(facts)

    assert seen.process() in (None, not real.is_empty())
    assert seen.name(name) in (None, real.admits_name(name))
    assert seen.name(None) in (None, real.admits_name(name))
    assert seen.path(path) in (None, real.admits_path(path))
    assert seen.path(None) in (None, real.admits_path(path))
    assert real.is_empty() or real.redaction() in seen.profiles()
    assert not real.admits_path(path) or real.redaction(path) in seen.profiles(path)
    if not unknown:
        assert (seen.process(), seen.name(name), seen.path(path)) == (
            not real.is_empty(),
            real.admits_name(name),
            real.admits_path(path),
        )


@pytest.mark.parametrize(
    ("shown", "raw"),
    [
        ("plain", "plain"),
        ("a\\\\b", "a\\b"),
        ("\\x80", "\udc80"),
        ("\\u202e\\U000e0100", "\u202e\U000e0100"),
        ("\\\\x80", "\\x80"),
        ("[redacted:token-like]", None),
    ],
)
def test_text_is_read_back_as_policy_saw_it(shown: str, raw: str | None) -> None:
    assert raw_text(VisibleText(text=shown)) == raw
    assert raw_text(VisibleText(text=shown, truncated=True)) is None


def _files(folder: Path, **rules: str) -> dict[str, tuple[str, Policy]]:
    written = {}
    for name, text in rules.items():
        file = folder / f"{name}.yaml"
        file.write_text(policy_text(text), encoding="utf-8")
        written[name] = (str(file), parse_policy(file.read_bytes(), name))
    return written


def test_the_exit_code_tells_the_same_from_narrower_from_wider(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    files = _files(tmp_path, then=_ALL, less=_SESSION + _TREE, more=_ALL + _TREE.replace("tree", "again"), odd=_FILES)
    tape = Tape(opened=replace(OPENED, policy_digest=files["then"][1].digest))
    _list(tape, _row(7, "web"))
    _environment(tape, "LANG")
    recorded = str(tape.save(tmp_path / "it"))

    def replay(*policies: str) -> tuple[int, str, int]:
        options = [part for name in policies for part in ("--policy", files[name][0])]
        outcome = home.run_here("replay", recorded, *options, "-o", "json")
        if not outcome.out:
            return outcome.code, "", 0
        document = json.loads(outcome.out)
        return outcome.code, document["outcome"], sum(bool(call["changes"]) for call in document["calls"])

    assert replay("then") == (0, Outcome.SAME, 0)
    assert replay("more", "then") == replay("then", "more") == (0, Outcome.SAME, 0)
    assert replay("less", "then") == (ExitCode.PARTIAL, Outcome.NARROWER, 1)
    assert replay("more") == (ExitCode.ERROR, Outcome.WIDER, 2)  # nobody can tell what the policy of then hid
    assert replay("less", "odd") == (ExitCode.USAGE, "", 0)
    assert replay("less", "then", "odd") == (ExitCode.USAGE, "", 0)


def test_calls_that_a_third_policy_decided_are_said_to_be(tmp_path: Path) -> None:
    files = _files(tmp_path, then=_ALL, more=_ALL + _TREE.replace("tree", "again"))
    tape = Tape(opened=replace(OPENED, policy_digest=files["then"][1].digest))
    _environment(tape, "LANG")
    request = inspect_pb2.ListEnvironmentRequest(process=_WEB)
    tape.call(request, inspect_pb2.ListEnvironmentResponse(process=_WEB), digest="sha256:" + "cd" * 32)
    recorded = str(tape.save(tmp_path / "it"))

    options = ("--policy", files["more"][0], "--policy", files["then"][0])
    outcome = Home(tmp_path / "home").run_here("replay", recorded, *options, "-o", "name")

    assert (outcome.code, outcome.out) == (ExitCode.ERROR, "2\n")  # what the third one hid, nobody can tell
    assert "1 calls were decided by a third policy" in outcome.err


def test_a_recording_without_an_end_is_decided_as_far_as_it_goes(tmp_path: Path) -> None:
    files = _files(tmp_path, then=_ALL)
    tape = Tape(opened=replace(OPENED, policy_digest=files["then"][1].digest))
    _environment(tape, "LANG")

    recorded = str(tape.save(tmp_path / "it", tape.data(closed=False)))
    outcome = Home(tmp_path / "home").run_here("replay", recorded, "--policy", files["then"][0])

    assert outcome.code == 0
    assert "note: the recording has no end" in outcome.err


def test_a_call_that_no_agent_answers_so_is_no_traceback(tmp_path: Path) -> None:
    files = _files(tmp_path, then=_ALL)
    tape = Tape()
    missing = inspect_pb2.FileMetadata(name=VisibleText(text="/x"))
    tape.call(
        inspect_pb2.StatFilesRequest(process=_WEB, paths=["/../x"]), inspect_pb2.StatFilesResponse(files=[missing])
    )

    recorded = str(tape.save(tmp_path / "it"))
    outcome = Home(tmp_path / "home").run_here("replay", recorded, "--policy", files["then"][0])

    assert (outcome.code, outcome.out) == (ExitCode.AUDIT_INVALID, "")


def test_every_form_of_the_report_says_what_changes(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    files = _files(tmp_path, then=_ALL, less=_SESSION + _TREE)
    tape = Tape(opened=replace(OPENED, policy_digest=files["then"][1].digest))
    _environment(tape, "LANG")
    recorded = str(tape.save(tmp_path / "it"))
    options = ("--policy", files["less"][0], "--policy", files["then"][0])

    for form in ("table", "wide", "json", "jsonl", "yaml", "csv"):
        outcome = home.run_here("replay", recorded, *options, "-o", form)
        assert outcome.code == ExitCode.PARTIAL
        assert "POLICY_DENIED" in outcome.out
        assert "ListEnvironment" in outcome.out
    assert "no rule permits it; then it was permitted by then" in home.run_here("replay", recorded, *options).out
    assert home.run_here("replay", recorded, *options, "-o", "name").out == "1\n"


def test_the_permissions_of_a_recording_are_those_that_decide() -> None:
    """Guards the fixtures: what the tape writes of a call is what an agent decides it by."""
    tape = Tape()
    _environment(tape, "LANG")
    (call,) = tape.recording().calls
    decision = decide(policy_of(_ALL), ALICE, Permission(call.called.permission), STANDING)
    assert isinstance(decision, Allow)
    assert call.called.widens == (Permission.ENV_NAMES.value,)
