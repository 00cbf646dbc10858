"""Another policy is never said to be the same when it may show more: refusals by limits, and profiles that mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from leadglass.v1 import access_pb2, inspect_pb2
from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_BALANCED,
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_PERMITTED,
    ProcessRef,
    VisibleText,
)
from leadglass_agent.api.methods import METHODS
from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.standing import GrantedScope
from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.recordings.records import Called
from leadglass_client.replay.changes import Kind
from leadglass_client.replay.method_needs import NEEDS
from leadglass_client.replay.policies import Policies
from leadglass_client.replay.redecide import redecide
from leadglass_client.replay.summary import Outcome, summary_of
from made_recordings import OPENED, Tape
from policies import BOB, STANDING, policy_of

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy

_WEB: Final = ProcessRef(pid=7, start_ticks=70)
_SESSION: Final = "- {id: session, effect: permit, permissions: [session.open]}\n"
_ENV: Final = '- {id: env, effect: permit, permissions: [env.presence, env.names], names: ["*"]}\n'
_REVEAL: Final = '- {id: reveal, effect: permit, permissions: [env.reveal], names: ["*"]}\n'
_GRANT: Final = "grant: {approvals: 1, approvers: [boss], maxMinutes: 60}"
_GLASS: Final = (
    "breakGlass: {names: [NAMES], approvals: 1, approvers: [boss], maxMinutes: 5, perMonth: MONTH, reviewOwed: true}"
)


_Told: TypeAlias = "tuple[Outcome, set[tuple[Kind, str]]]"


def _told(tape: Tape, after: Policy, before: Policy | None, state: str = "") -> _Told:
    """Gives what is said of the session, and of its last call; `state` is the one that the session ended in."""
    then = None if before is None else replace(before, digest=OPENED.policy_digest)
    policies = Policies(after, then)
    recording = tape.recording()
    if state and recording.closed is not None:
        recording = replace(recording, closed=replace(recording.closed, state=state))
    calls = redecide(recording, policies)
    changes = calls[-1].anew.changes
    return summary_of(recording, policies, calls).outcome, {(one.kind, str(one.what)) for one in changes}


def _listing(tape: Tape, *, refusal: str = "", is_decided: bool = True) -> None:
    present = inspect_pb2.PRESENCE_PRESENT
    variables = [inspect_pb2.EnvironmentVariable(name=VisibleText(text=name), presence=present) for name in "AB"]
    replies = () if refusal else (inspect_pb2.ListEnvironmentResponse(process=_WEB, variables=variables),)
    standing = STANDING if is_decided else None
    tape.call(inspect_pb2.ListEnvironmentRequest(process=_WEB), *replies, refusal=refusal, standing=standing)


def _glass_policy(names: str, per_month: int = 2) -> Policy:
    spec = _GLASS.replace("NAMES", names).replace("MONTH", str(per_month))
    return policy_of(_SESSION + _REVEAL, role=_GRANT, others="boss", spec=spec)


@pytest.mark.parametrize(
    ("after", "before", "told"),
    [
        (_glass_policy("'DB_*'"), _glass_policy("LANG"), {(Kind.ANSWERED, "env.reveal")}),
        (_glass_policy("'DB_*'"), None, {(Kind.MAY_SHOW, "env.reveal")}),
        (_glass_policy("'DB_*'", per_month=5), _glass_policy("'DB_*'"), {(Kind.MAY_SHOW, "env.reveal")}),
        (_glass_policy("'DB_*'"), _glass_policy("'DB_*'"), set()),
        (_glass_policy("LANG"), _glass_policy("'DB_*'"), set()),
    ],
)
def test_a_reveal_that_break_glass_refused_is_answered_where_it_covers_the_variable_now(
    after: Policy, before: Policy | None, told: set[tuple[Kind, str]]
) -> None:
    grant = GrantedScope("g1", frozenset({Permission.ENV_REVEAL}), (BOB,), 5)
    tape = Tape()
    tape.call(
        access_pb2.RevealRequest(process=_WEB, name="DB_URL"),
        refusal=Reason.REVEAL_REFUSED,
        standing=replace(STANDING, grants=(grant,)),
    )

    assert _told(tape, after, before) == (Outcome.WIDER if told else Outcome.SAME, told)


_SAME: Final[_Told] = (Outcome.SAME, set())
_MAY: Final[_Told] = (Outcome.WIDER, {(Kind.MAY_SHOW, "env.presence")})
_RULES: Final = _SESSION + _ENV
_LIMITED: Final = {
    Reason.BUDGET_SPENT: (policy_of(_RULES), policy_of(_RULES, role="budget: {calls: 2}")),
    Reason.RATE_LIMITED: (
        policy_of(_RULES, session="callsPerMinute: 600"),
        policy_of(_RULES, session="callsPerMinute: 4"),
    ),
    Reason.HALTED: (policy_of(_RULES), policy_of(_RULES, spec="guard: {denials: 5}")),
}


@pytest.mark.parametrize("is_decided", [True, False])
@pytest.mark.parametrize("reason", _LIMITED)
def test_a_call_that_a_limit_refused_may_be_answered_unless_that_limit_is_the_same(
    reason: Reason,
    is_decided: bool,  # noqa: FBT001 - a case
) -> None:
    tape = Tape()
    _listing(tape)
    _listing(tape, refusal=reason, is_decided=is_decided)
    wide, narrow = _LIMITED[reason]

    assert _told(tape, wide, narrow) == _told(tape, wide, None) == _MAY
    assert _told(tape, narrow, narrow) == _told(tape, replace(narrow, name="other", digest="sha256:0"), narrow) == _SAME
    assert _told(tape, policy_of(_ENV), narrow)[1] == set()  # no session is opened under that one
    assert _told(tape, replace(wide, bindings=()), narrow)[1] == set()  # whose caller has no role


def test_what_calls_before_do_not_spend_any_more_may_be_left_for_a_call_that_the_budget_refused() -> None:
    tape = Tape()
    _listing(tape)
    _listing(tape, refusal=Reason.BUDGET_SPENT)
    budget = "budget: {names: 3}"
    forbid = "- {id: never, effect: forbid, permissions: [env.presence, env.names], names: [A]}\n"

    assert _told(tape, policy_of(_RULES + forbid, role=budget), policy_of(_RULES, role=budget)) == _MAY


@pytest.mark.parametrize(
    ("state", "session", "told"),
    [
        ("IDLE", "idleMinutes: 60", _MAY),
        ("EXPIRED", "maxMinutes: 30", _MAY),
        ("IDLE", "callsPerMinute: 600", _SAME),
        ("CLOSED", "idleMinutes: 60", _SAME),
        ("ENDED_BY_ADMIN", "idleMinutes: 60", _SAME),
        ("POLICY_TIGHTENED", "callsPerMinute: 600", _MAY),
        ("HALTED", "idleMinutes: 60", _SAME),
    ],
)
def test_a_session_that_ended_may_go_on_where_what_ended_it_is_another(state: str, session: str, told: _Told) -> None:
    tape = Tape()
    _listing(tape)
    _listing(tape, refusal=Reason.SESSION_ENDED)

    assert _told(tape, policy_of(_RULES, session=session), policy_of(_RULES), state) == told


def test_listing_names_is_answered_once_the_names_are_permitted_as_well() -> None:
    tape = Tape()
    _listing(tape, refusal=Reason.POLICY_DENIED)
    presence = _ENV.replace(", env.names", "")
    more = '- {id: more, effect: permit, permissions: [env.presence], names: ["*"]}\n'

    assert _told(tape, policy_of(_RULES), policy_of(_SESSION + presence)) == (
        Outcome.WIDER,
        {(Kind.ANSWERED, "env.presence")},
    )
    assert _told(tape, policy_of(_SESSION + presence + more), policy_of(_SESSION + presence)) == _SAME


def _argv(rule: str, profile: str, selector: str = "") -> str:
    selects = f", processes: [{{{selector}}}]" if selector else ""
    return f"- {{id: {rule}, effect: permit, permissions: [processes.argv], redaction: {profile}{selects}}}\n"


def _row(pid: int, name: str) -> inspect_pb2.Process:
    return inspect_pb2.Process(
        ref=ProcessRef(pid=pid, start_ticks=pid * 10),
        name=VisibleText(text=name),
        arguments=[VisibleText(text=name)],
        executable_unavailable=UNAVAILABLE_REASON_NOT_PERMITTED,
    )


_TREE: Final = _SESSION + "- {id: tree, effect: permit, permissions: [processes.list]}\n"
_ARGV: Final = "processes.argv"
_NAMED: Final = ("names: [web]", "names: [vault]")


@pytest.mark.parametrize(
    ("then", "now", "kind"),
    [
        (("balanced", "strict"), ("balanced", "balanced"), Kind.UNMASKED),
        (("balanced", "balanced"), ("balanced", "strict"), Kind.MASKED),
        (("balanced", "strict"), ("strict", "balanced"), Kind.UNMASKED),
    ],
)
def test_each_command_line_is_held_to_its_own_profile(then: tuple[str, str], now: tuple[str, str], kind: Kind) -> None:
    tape = Tape()
    rows = [_row(7, "web"), _row(8, "vault")]
    tape.call(
        inspect_pb2.ListProcessesRequest(pids=[7, 8]),
        inspect_pb2.ListProcessesResponse(processes=rows, redaction=REDACTION_PROFILE_BALANCED),
    )
    before, after = (
        policy_of(_TREE + "".join(_argv(f"r{at}", one, _NAMED[at]) for at, one in enumerate(profiles)))
        for profiles in (then, now)
    )

    outcome, changes = _told(tape, after, before)

    assert (kind, _ARGV) in changes
    assert outcome is (Outcome.WIDER if kind.is_wider else Outcome.NARROWER)


def test_a_command_line_that_a_hidden_program_decides_may_be_masked_less() -> None:
    tape = Tape()
    tape.call(
        inspect_pb2.ListProcessesRequest(pids=[7]),
        inspect_pb2.ListProcessesResponse(processes=[_row(7, "web")], redaction=REDACTION_PROFILE_STRICT),
    )
    then = _TREE + "- {id: argv, effect: permit, permissions: [processes.argv]}\n"
    now = then + _argv("more", "balanced", 'executables: ["/app/**"]')

    assert _told(tape, policy_of(now), policy_of(then)) == (Outcome.WIDER, {(Kind.MAY_SHOW, _ARGV)})
    assert _told(tape, policy_of(now), policy_of(now)) == _SAME


@pytest.mark.parametrize(
    ("profile", "told"),
    [("balanced", (Outcome.WIDER, {(Kind.MAY_SHOW, "text.redacted")})), ("strict", _SAME)],
)
def test_a_text_whose_profile_a_process_decides_that_was_never_listed_may_be_masked_less(
    profile: str, told: _Told
) -> None:
    tape = Tape()
    file = inspect_pb2.TextFile(path=VisibleText(text="/srv/app.yaml"))
    lines = [inspect_pb2.TextLine(text=VisibleText(text="x"))]
    tape.call(
        inspect_pb2.ReadTextRequest(process=_WEB, path="/srv/app.yaml"),
        inspect_pb2.ReadTextResponse(file=file, lines=lines, redaction=REDACTION_PROFILE_STRICT),
    )
    rule = '- {id: ID, effect: permit, permissions: [text.redacted], paths: ["/srv/**"]}\n'
    then = _SESSION + rule.replace("ID", "text")
    more = f", redaction: {profile}, processes: [{{names: [web]}}]}}"
    now = then + rule.replace("ID", "more").replace("}", more)

    assert _told(tape, policy_of(now), policy_of(then)) == told


def test_the_permissions_of_methods_are_those_of_the_agents_own_table() -> None:
    assert {method.name: (method.needs, method.widens) for method in METHODS if method.in_session} == NEEDS


@pytest.mark.parametrize(
    ("permission", "widens"), [("env.presence", ()), ("files.list", ("env.names",)), ("env.presence", ("env.reveal",))]
)
def test_a_call_that_was_decided_by_other_permissions_is_not_decided_anew(
    permission: str, widens: tuple[str, ...]
) -> None:
    tape = Tape()
    _listing(tape)
    tape.records = [
        replace(one, permission=permission, widens=widens) if isinstance(one, Called) else one for one in tape.records
    ]

    with pytest.raises(RecordingError, match="other permissions"):
        _told(tape, policy_of(_RULES), None)
