"""What nobody used is named, and what an audit log shows a use of is not."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from leadglass_agent.audit.chain import GENESIS, append
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.audit.usage import Usage, usage_of
from leadglass_agent.clock import Instant
from leadglass_agent.errors import Reason
from leadglass_agent.policy.unused import unused
from policies import ALICE, BOB, CAROL, NOON, policy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIST = "/leadglass.v1.InspectService/ListProcesses"
_ENVIRONMENT = "/leadglass.v1.InspectService/ListEnvironment"
_WIDENS = {_LIST: ("processes.argv",), _ENVIRONMENT: ("env.names",)}
_POLICY = policy_of(
    """\
    - {id: tree, effect: permit, permissions: [processes.list, processes.argv]}
    - {id: env, effect: permit, permissions: [env.presence, env.names], names: ["*"]}
    - {id: other-env, effect: permit, permissions: [env.presence], names: ["A"]}
    - {id: no-files, effect: forbid, permissions: [files.list]}
    """,
    others="lead",
)
_CALL = Event(
    kind=EventKind.OUTCOME,
    call_id="c",
    caller=ALICE,
    method=_LIST,
    permission="processes.list",
    rules=("tree",),
    decision=Ruling.ALLOW,
)


def log_of(*events: Event) -> bytes:
    head, lines = GENESIS, []
    for at, event in enumerate(events):
        line, head = append(head, event, Instant(boot_ns=at, unix_ns=(NOON + at * 86_400) * 1_000_000_000))
        lines.append(line)
    return b"".join(lines)


def used(*logs: bytes) -> Usage:
    return usage_of([io.BytesIO(log) for log in logs], _WIDENS)


def left(usage: Usage) -> Sequence[tuple[str, str]]:
    return [(one.rule, one.permission.value) for one in unused(_POLICY, usage)]


def test_without_a_use_everything_that_is_permitted_is_named() -> None:
    started = used(log_of(Event(kind=EventKind.AGENT_STARTED)))
    assert left(started) == [
        ("lead", "grants.approve"),
        ("tree", "processes.list"),
        ("tree", "processes.argv"),
        ("env", "env.presence"),
        ("env", "env.names"),
        ("other-env", "env.presence"),
    ]


def test_a_call_is_a_use_of_its_rule_and_of_what_its_answer_may_hold() -> None:
    assert not {one for one in left(used(log_of(_CALL))) if one[0] == "tree"}


def test_asking_for_variables_by_name_is_no_use_of_listing_them() -> None:
    asked = replace(_CALL, method=_ENVIRONMENT, permission="env.presence", rules=("env",), arguments=(("names", "A"),))
    assert ("env", "env.names") in left(used(log_of(asked)))
    assert ("other-env", "env.presence") in left(used(log_of(asked)))
    listed = replace(asked, arguments=())
    assert ("env", "env.names") not in left(used(log_of(listed)))


def test_a_refused_call_and_an_intent_are_no_uses() -> None:
    refused = replace(_CALL, kind=EventKind.REFUSED, decision=Ruling.DENY, refusal=Reason.POLICY_DENIED)
    intent = replace(_CALL, kind=EventKind.INTENT, decision=None)
    assert ("tree", "processes.list") in left(used(log_of(refused, intent)))


def test_the_use_of_another_caller_is_no_use_of_a_role_that_they_do_not_hold() -> None:
    assert ("tree", "processes.argv") in left(used(log_of(replace(_CALL, caller=BOB, rules=()))))


def test_a_grant_that_is_used_is_a_use_of_approving_by_those_who_signed() -> None:
    facts = (("envelope", "sha256:0"), ("approver1", str(CAROL)), ("approver1.serial", "1f"))
    grant = Event(kind=EventKind.GRANT_USED, caller=ALICE, facts=facts)
    assert ("lead", "grants.approve") not in left(used(log_of(grant)))
    assert ("lead", "grants.approve") in left(used(log_of(replace(grant, facts=facts[:1]))))


def test_the_time_covered_runs_over_all_logs_and_what_is_no_record_is_counted() -> None:
    first, second = log_of(_CALL, _CALL, _CALL), log_of(_CALL) + b"{}x\n" + b"\xff" * 40_000
    usage = used(second, first)
    assert (usage.first_time, usage.last_time) == ("2024-01-01T12:00:00.000000Z", "2024-01-03T12:00:00.000000Z")
    assert usage.calls == 4
    assert usage.unread > 0
