"""Whatever a new policy is said not to take from a caller, no decision takes: on generated policies and standings."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.model import (
    Binding,
    BreakGlass,
    Conditions,
    Effect,
    EvidenceRule,
    EvidenceSource,
    GrantRule,
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
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.policy.standing import Evidence, GrantedScope
from leadglass_agent.policy.tightening import tightens
from policies import ALICE, BOB, CAROL, LIMITS, NOON, STANDING

SOURCE: Final = EvidenceSource("https://login.example.org", "/jwks.json", "leadglass", frozenset({"ES256", "EdDSA"}))
EVENING: Final = TimeWindow(frozenset({0, 1}), 18 * 60, 22 * 60)
DAY: Final = TimeWindow(frozenset({0}), 6 * 60, 18 * 60)

_CONDITIONS = st.builds(
    Conditions,
    tiers=st.frozensets(st.sampled_from(Tier)),
    windows=st.lists(st.sampled_from([DAY, EVENING]), max_size=2).map(tuple),
    max_certificate_hours=st.sampled_from([None, 1, 24]),
    evidence=st.sampled_from(
        [None, EvidenceRule(frozenset({"mfa"}), frozenset({"high"}), 30), EvidenceRule(frozenset(), frozenset(), 60)]
    ),
)
_RULES = st.builds(
    Rule,
    rule_id=st.sampled_from(["a", "b"]).map(RuleId),
    effect=st.sampled_from([Effect.PERMIT, Effect.PERMIT, Effect.PERMIT, Effect.FORBID]),
    permissions=st.sampled_from(
        [frozenset({Permission.TEXT_REDACTED}), frozenset({Permission.ENV_NAMES, Permission.ENV_REVEAL})]
    ),
    processes=st.sampled_from([(), (ProcessSelector(uids=(0,)),)]),
    names=st.sampled_from([(), ("DB_*",)]),
    paths=st.sampled_from([(), ("/app/**",), ("/app/**", "/etc/**")]),
    redaction=st.sampled_from([None, Profile.BALANCED, Profile.STRICT]),
)
_GRANT_RULES = st.one_of(
    st.none(),
    st.builds(
        GrantRule,
        approvals=st.integers(1, 2),
        approvers=st.sampled_from([(), ("r0",), ("r1",), ("r0", "r1")]),
        max_minutes=st.sampled_from([5, 60]),
    ),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    roles = tuple(
        Role(
            f"r{at}",
            tuple(draw(st.lists(_RULES, min_size=1, max_size=2))),
            LIMITS,
            draw(st.one_of(st.just(Conditions()), _CONDITIONS)),
            draw(_GRANT_RULES),
        )
        for at in range(2)
    )
    people = st.lists(st.sampled_from([ALICE, BOB, CAROL]), min_size=1, max_size=3).map(tuple)
    return Policy(
        "p",
        "sha256:0",
        roles,
        tuple(Binding(role.name, draw(people)) for role in roles),
        LIMITS,
        redaction=draw(st.sampled_from([None, None, Profile.STRICT])),
        evidence=draw(st.sampled_from([SOURCE, SOURCE, None, replace(SOURCE, algorithms=frozenset({"ES256"}))])),
        break_glass=draw(st.sampled_from([None, glass(1), glass(2)])),
    )


def glass(approvals: int) -> BreakGlass:
    return BreakGlass(("DB_*",), approvals, ("r0",), 5, 1, review_owed=True)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Draws a policy and another, which has some parts of a third: unrelated policies are nearly always tighter."""
    old, third = draw(policies()), draw(policies())
    new = old
    for field in draw(st.sets(st.sampled_from(["bindings", "redaction", "evidence", "break_glass"]), max_size=2)):
        new = replace(new, **{field: getattr(third, field)})
    roles = []
    for mine, theirs in zip(old.roles, third.roles, strict=True):
        role = mine
        for field in draw(st.sets(st.sampled_from(["conditions", "grant"]), max_size=1)):
            role = replace(role, **{field: getattr(theirs, field)})
        if draw(st.booleans()):
            role = replace(role, rules=(*role.rules, *theirs.rules))
        roles.append(role)
    return old, replace(new, roles=tuple(roles))


_STANDINGS = [
    replace(
        STANDING,
        unix_ns=at * 1_000_000_000,
        tier=tier,
        certificate_since_unix=at - age,
        evidence=evidence,
        grants=grants,
    )
    for at in (NOON, NOON + 8 * 3600)
    for tier in Tier
    for age in (60, 7200)
    for evidence in (None, Evidence("a", frozenset({"mfa"}), "high", at - 60))
    for grants in (
        (),
        (GrantedScope("g", frozenset(Permission), (BOB,), 5),),
        (GrantedScope("g", frozenset(Permission), (BOB, CAROL), 5, names=("DB_A",)),),
    )
]
_FACTS = [ProcessFacts(pid=uid + 1, uid=uid, name="api", executable=None) for uid in (0, 1)]


@settings(max_examples=400)
@given(pairs())
def test_whoever_loses_nothing_by_the_answer_loses_nothing_by_any_decision(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    if tightens(old, new, ALICE):
        return
    for standing in _STANDINGS:
        for permission in (Permission.TEXT_REDACTED, Permission.ENV_NAMES, Permission.ENV_REVEAL):
            before, after = (decide(policy, ALICE, permission, standing) for policy in (old, new))
            if not isinstance(before, Allow):
                continue
            assert isinstance(after, Allow)
            for facts in _FACTS:
                less, more = before.scope.narrow(facts), after.scope.narrow(facts)
                assert less.is_empty() >= more.is_empty()
                assert all(less.admits_name(name) <= more.admits_name(name) for name in ("DB_A", "DB_B", "LANG"))
                for path in ("/app/a", "/etc/a", "/srv"):
                    assert less.admits_path(path) <= more.admits_path(path)
                    if less.admits_path(path) and more.redaction(path) is Profile.STRICT:
                        assert less.redaction(path) is Profile.STRICT


@given(policies())
def test_a_policy_is_not_tighter_than_itself(policy: Policy) -> None:
    assert not tightens(policy, policy, ALICE)
