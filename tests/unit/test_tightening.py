"""Whether a new policy takes something from a caller: open sessions end if it does, and not for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

import pytest

from leadglass_agent.policy.model import (
    Binding,
    BreakGlass,
    Budget,
    Conditions,
    Effect,
    EvidenceRule,
    EvidenceSource,
    GrantRule,
    GuardLimits,
    Permission,
    Policy,
    ProcessSelector,
    Profile,
    Role,
    Rule,
    RuleId,
    Tier,
    TimeWindow,
)
from leadglass_agent.policy.ticket import parse_ticket_pattern
from leadglass_agent.policy.tightening import tightens
from policies import ALICE, BOB, CAROL, LIMITS, MALLORY

Change: TypeAlias = Callable[[Policy], Policy]

SOURCE: Final = EvidenceSource("https://login.example.org", "/jwks.json", "leadglass", frozenset({"ES256", "EdDSA"}))
EVENING: Final = TimeWindow(frozenset({0, 1}), 18 * 60, 22 * 60)
DAY: Final = TimeWindow(frozenset({0}), 6 * 60, 18 * 60)
ASKS: Final = Conditions(
    tiers=frozenset({Tier.PROD}),
    windows=(DAY,),
    max_certificate_hours=24,
    evidence=EvidenceRule(frozenset({"mfa"}), frozenset({"high"}), 30),
)


def rule(rule_id: str, *permissions: Permission, names: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> Rule:
    return Rule(RuleId(rule_id), Effect.PERMIT, frozenset(permissions), names=names, paths=paths)


TREE: Final = rule("tree", Permission.SESSION_OPEN, Permission.PROCESSES_LIST)
TEXTS: Final = rule("texts", Permission.TEXT_REDACTED, paths=("/app/**", "/etc/**"))
REVEAL: Final = rule("reveal", Permission.ENV_REVEAL, names=("DB_*",))
FORBID: Final = Rule(RuleId("no-key"), Effect.FORBID, frozenset({Permission.TEXT_REDACTED}), paths=("/app/key",))
OLD: Final = Policy(
    name="p",
    digest="sha256:0",
    roles=(
        Role("viewer", (TREE, FORBID), LIMITS),
        Role("sre", (TEXTS, REVEAL), LIMITS, ASKS, GrantRule(2, ("lead",), 60), Budget(calls=100, rows=0)),
        Role("lead", (rule("sign", Permission.GRANTS_APPROVE),), LIMITS),
    ),
    bindings=(Binding("viewer", (ALICE,)), Binding("sre", (ALICE,)), Binding("lead", (BOB, CAROL))),
    session=LIMITS,
    evidence=SOURCE,
    break_glass=BreakGlass(("DB_*",), 2, ("lead",), 5, 2, review_owed=False),
)


def of_role(name: str, change: Callable[[Role], Role]) -> Change:
    return lambda policy: replace(
        policy, roles=tuple(change(role) if role.name == name else role for role in policy.roles)
    )


def of_sre(**changes: object) -> Change:
    return of_role("sre", lambda role: replace(role, **changes))  # type: ignore[arg-type] # a table of any fields


def of_viewer(**changes: object) -> Change:
    return of_role("viewer", lambda role: replace(role, **changes))  # type: ignore[arg-type] # a table of any fields


def of_conditions(**changes: object) -> Change:
    asks = replace(ASKS, **changes)  # type: ignore[arg-type] # a table of any fields
    return of_sre(conditions=asks)


def of_rules(name: str, *rules: Rule) -> Change:
    return of_role(name, lambda role: replace(role, rules=rules))


def of_session(**changes: object) -> Change:
    return lambda policy: replace(policy, session=replace(policy.session, **changes))  # type: ignore[arg-type] # as above


def of_glass(**changes: object) -> Change:
    glass = OLD.break_glass
    assert glass is not None
    return lambda policy: replace(policy, break_glass=replace(glass, **changes))  # type: ignore[arg-type] # as above


def of_source(**changes: object) -> Change:
    return lambda policy: replace(policy, evidence=replace(SOURCE, **changes))  # type: ignore[arg-type] # as above


def of_bindings(*bindings: Binding) -> Change:
    return lambda policy: replace(policy, bindings=bindings)


_VIEWER, _SRE, _LEAD = OLD.bindings
_MFA: Final = ASKS.evidence
assert _MFA is not None

TIGHTER: Final[dict[str, Change]] = {
    "a role is taken": of_bindings(_VIEWER, _LEAD),
    "every role is taken": of_bindings(_LEAD),
    "a permit is gone": of_rules("sre", TEXTS),
    "a permit has a path less": of_rules("sre", replace(TEXTS, paths=("/app/**",)), REVEAL),
    "a permit has a permission less": of_rules("viewer", rule("tree", Permission.SESSION_OPEN), FORBID),
    "a permit selects processes": of_rules(
        "viewer", replace(TREE, processes=(ProcessSelector(uids=(0,)),)), FORBID
    ),
    "a permit asks for another profile": of_rules("sre", replace(TEXTS, redaction=Profile.STRICT), REVEAL),
    "a permit that asks for strict masking is added": of_rules(
        "sre", TEXTS, REVEAL, replace(TEXTS, rule_id=RuleId("s"), paths=("/app/**",), redaction=Profile.STRICT)
    ),
    "all text is masked strictly": lambda policy: replace(policy, redaction=Profile.STRICT),
    "a forbid is new": of_rules("viewer", TREE, FORBID, replace(FORBID, paths=("/etc/key",))),
    "a forbid is wider": of_rules("viewer", TREE, replace(FORBID, paths=())),
    "a role is added that forbids": lambda policy: replace(
        policy,
        roles=(*policy.roles, Role("shut", (replace(FORBID, rule_id=RuleId("f"), paths=("/etc/a",)),), LIMITS)),
        bindings=(*policy.bindings, Binding("shut", (ALICE,))),
    ),
    "the tier is another": of_conditions(tiers=frozenset({Tier.NON_PROD})),
    "the window is another": of_conditions(windows=(EVENING,)),
    "the certificate must be younger": of_conditions(max_certificate_hours=23),
    "evidence must say more": of_conditions(evidence=replace(_MFA, amr=frozenset({"mfa", "hwk"}))),
    "evidence must be of another class": of_conditions(evidence=replace(_MFA, acr=frozenset({"gold"}))),
    "evidence must be fresher": of_conditions(evidence=replace(_MFA, max_minutes=29)),
    "a role without conditions has one": of_viewer(conditions=ASKS),
    "evidence has no source": lambda policy: replace(policy, evidence=None),
    "evidence has another issuer": of_source(issuer="https://other.example.org"),
    "evidence has other keys": of_source(jwks="/other.json"),
    "evidence has another audience": of_source(audience="other"),
    "evidence has an algorithm less": of_source(algorithms=frozenset({"ES256"})),
    "more approvals are needed": of_sre(grant=GrantRule(3, ("lead",), 60)),
    "grants are shorter": of_sre(grant=GrantRule(2, ("lead",), 59)),
    "nobody approves": of_sre(grant=GrantRule(2, (), 60)),
    "an approver lost the role": of_bindings(_VIEWER, _SRE, Binding("lead", (BOB,))),
    "a role without a grant rule has one": of_viewer(grant=GrantRule(1, ("lead",), 60)),
    "a role that reveals has no grant rule": of_sre(grant=None),
    "break-glass is off": lambda policy: replace(policy, break_glass=None),
    "break-glass has other names": of_glass(names=("DB_A",)),
    "break-glass needs more approvals": of_glass(approvals=3),
    "break-glass has no approvers": of_glass(approvers=()),
    "break-glass is shorter": of_glass(max_minutes=4),
    "break-glass is rarer": of_glass(per_month=1),
    "break-glass owes a review": of_glass(review_owed=True),
    "sessions are shorter": of_session(max_minutes=59),
    "sessions idle for less": of_session(idle_minutes=14),
    "fewer sessions are open": of_session(max_open=2),
    "calls are fewer": of_session(calls_per_minute=119),
    "reasons are longer": of_session(min_reason_characters=21),
    "tickets are of a form": of_session(ticket_patterns=(parse_ticket_pattern("OPS-[0-9]{1,8}"),)),
    "a role's sessions are shorter": of_sre(session=replace(LIMITS, max_minutes=30)),
    "a budget is smaller": of_sre(budget=Budget(calls=99, rows=0)),
    "a budget has one more number": of_sre(budget=Budget(calls=100, rows=0, answers=1_000_000)),
    "a budget is new": of_viewer(budget=Budget(paths=5)),
}  # fmt: skip

NOT_TIGHTER: Final[dict[str, Change]] = {
    "nothing changes": lambda policy: policy,
    "the digest and the name change": lambda policy: replace(policy, name="q", digest="sha256:1"),
    "the order changes": lambda policy: replace(policy, roles=policy.roles[::-1], bindings=policy.bindings[::-1]),
    "a rule has another id": of_rules("viewer", replace(TREE, rule_id=RuleId("t")), FORBID),
    "a forbid has another id": of_rules("viewer", TREE, replace(FORBID, rule_id=RuleId("f"))),
    "a permit is new": of_rules("viewer", TREE, FORBID, rule("more", Permission.ENV_NAMES, names=("*",))),
    "a forbid is gone": of_rules("viewer", TREE),
    "a rule is in another role of the caller": lambda policy: of_rules("viewer", FORBID)(
        replace(
            policy,
            roles=(*policy.roles, Role("tree", (TREE,), LIMITS)),
            bindings=(*policy.bindings, Binding("tree", (ALICE,))),
        )
    ),
    "both tiers do": of_conditions(tiers=frozenset(Tier)),
    "any tier does": of_conditions(tiers=frozenset()),
    "a window more": of_conditions(windows=(EVENING, DAY)),
    "any time does": of_conditions(windows=()),
    "the certificate can be older": of_conditions(max_certificate_hours=25),
    "a certificate of any age does": of_conditions(max_certificate_hours=None),
    "evidence must say less": of_conditions(evidence=EvidenceRule(frozenset(), frozenset(), 31)),
    "no evidence is needed": of_conditions(evidence=None),
    "evidence has an algorithm more": of_source(algorithms=SOURCE.algorithms | {"RS256"}),
    "fewer approvals are needed": of_sre(grant=GrantRule(1, ("lead",), 90)),
    "an approver more": of_bindings(_VIEWER, _SRE, Binding("lead", (BOB, CAROL, MALLORY))),
    "another role approves too": of_sre(grant=GrantRule(2, ("lead", "viewer"), 60)),
    "break-glass is wider": of_glass(names=("DB_*", "X"), approvals=1, max_minutes=6, per_month=3),
    "sessions are longer": of_session(max_minutes=60, idle_minutes=15),
    "a budget is larger": of_sre(budget=Budget(calls=101, rows=1)),
    "a budget has a number less": of_sre(budget=Budget(rows=0)),
    "the guard is another": lambda policy: replace(policy, guard=GuardLimits(denials=1)),
    "somebody else gets a role": of_bindings(_VIEWER, _SRE, _LEAD, Binding("sre", (BOB,))),
    "somebody else's role is tighter": of_role(
        "lead", lambda role: replace(role, budget=Budget(calls=1), conditions=ASKS)
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", list(TIGHTER))
def test_whatever_the_caller_loses_is_seen(change: str) -> None:
    assert tightens(OLD, TIGHTER[change](OLD), ALICE)


@pytest.mark.parametrize(
    "change",
    [
        of_conditions(windows=()),
        of_sre(grant=GrantRule(1, ("lead",), 60)),
        of_source(algorithms=SOURCE.algorithms | {"RS256"}),
    ],
)
def test_a_permit_that_asks_for_strict_masking_and_counts_more_often_masks_more(change: Change) -> None:
    asks = of_rules("sre", TEXTS, replace(TEXTS, rule_id=RuleId("s"), paths=("/app/**",), redaction=Profile.STRICT))
    assert tightens(asks(OLD), change(asks(OLD)), ALICE)


@pytest.mark.parametrize("change", list(NOT_TIGHTER))
def test_sessions_go_on_where_the_caller_loses_nothing(change: str) -> None:
    assert not tightens(OLD, NOT_TIGHTER[change](OLD), ALICE)


def test_a_role_lost_by_somebody_else_is_theirs_alone() -> None:
    shared = replace(OLD, bindings=(*OLD.bindings, Binding("viewer", (MALLORY,))))
    assert tightens(shared, OLD, MALLORY)
    assert not tightens(shared, OLD, ALICE)
    assert not tightens(OLD, OLD, MALLORY)


def test_a_policy_that_permits_nobody_anything_takes_everything() -> None:
    shut = Policy("p", "sha256:1", (), (), LIMITS)
    assert tightens(OLD, shut, ALICE)
    assert not tightens(shut, OLD, MALLORY)
