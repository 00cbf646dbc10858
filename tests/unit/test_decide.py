"""Decisions: default deny, forbid over permit, and no dependence on order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, Deny, DenyReason, decide, permissions_of, session_limits
from leadglass_agent.policy.model import (
    Binding,
    Effect,
    Permission,
    Policy,
    Profile,
    Role,
    Rule,
    RuleId,
    SessionLimits,
    SpiffeId,
)
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.scope import ProcessFacts, Scope, ScopeRule
from leadglass_agent.policy.ticket import parse_ticket_pattern
from policies import ALICE, LIMITS, MALLORY, STANDING, policy_of, policy_text

if TYPE_CHECKING:
    from random import Random

T = TypeVar("T")
# A reveal needs more than a rule: test_decide_grants.py has its tests.
BY_RULE_ALONE = [permission for permission in Permission if permission is not Permission.ENV_REVEAL]
TREE = "- {id: tree, effect: permit, permissions: [processes.list]}"


def test_a_caller_without_a_binding_is_denied_everything() -> None:
    policy = policy_of(TREE)
    assert {decide(policy, MALLORY, permission, STANDING) for permission in Permission} == {Deny(DenyReason.NO_BINDING)}


def test_a_permission_without_a_rule_is_denied() -> None:
    assert decide(policy_of(TREE), ALICE, Permission.ENV_NAMES, STANDING) == Deny(DenyReason.NO_RULE)


def test_an_allow_names_its_rules_and_roles() -> None:
    assert decide(policy_of(TREE), ALICE, Permission.PROCESSES_LIST, STANDING) == Allow(
        scope=Scope(permits=(ScopeRule(rule_id=RuleId("tree")),)), rules=(RuleId("tree"),), roles=("tester",)
    )


def test_a_forbid_without_selectors_overrides_every_permit() -> None:
    rules = f"{TREE}\n- {{id: shut, effect: forbid, permissions: [processes.list]}}"
    assert decide(policy_of(rules), ALICE, Permission.PROCESSES_LIST, STANDING) == Deny(DenyReason.FORBIDDEN, "tester")


def test_a_forbid_with_selectors_stays_in_the_scope() -> None:
    rules = f"{TREE}\n- {{id: no-root, effect: forbid, permissions: [processes.list], processes: [{{uids: [0]}}]}}"
    decision = decide(policy_of(rules), ALICE, Permission.PROCESSES_LIST, STANDING)
    assert isinstance(decision, Allow)
    assert decision.scope.rule_ids == ("tree", "no-root")
    assert decision.rules == ("tree",)


def test_a_rule_of_a_role_that_the_caller_does_not_hold_has_no_say() -> None:
    policy = policy_of(TREE)
    other = Role("other", (rule_of("f", Effect.FORBID, Permission.PROCESSES_LIST),), LIMITS)
    wider = replace(policy, roles=(*policy.roles, other), bindings=(*policy.bindings, Binding("other", (MALLORY,))))
    assert isinstance(decide(wider, ALICE, Permission.PROCESSES_LIST, STANDING), Allow)


@pytest.mark.parametrize(
    ("pattern", "caller", "held"),
    [
        ("spiffe://td/ns/*/sa/sre", "spiffe://td/ns/prod/sa/sre", True),
        ("spiffe://td/ns/*/sa/sre", "spiffe://td/ns/a/b/sa/sre", False),
        ("spiffe://td/ns/*/sa/sre", "spiffe://td/ns//sa/sre", False),
        ("spiffe://td/user/*", "spiffe://td.evil/user/a", False),
        ("spiffe://td/user/*", "spiffe://TD/user/a", False),
        ("spiffe://td/user/*", "xspiffe://td/user/a", False),
        ("spiffe://td/**", "spiffe://td/a/b", True),
        ("spiffe://td/**", "spiffe://other/td/a", False),
        ("spiffe://td/user/a", "spiffe://td/user/a", True),
        ("spiffe://td/user/a", "spiffe://td/user/ab", False),
        ("spiffe://td/user/a", "spiffe://td/user/a/b", False),
        ("spiffe://td/user/a", "", False),
    ],
)
def test_a_binding_fits_the_whole_identity(pattern: str, caller: str, held: bool) -> None:  # noqa: FBT001 - a table
    role = Role("r", (rule_of("p", Effect.PERMIT, Permission.AGENT_SELF),), LIMITS)
    policy = Policy("p", "sha256:0", (role,), (Binding("r", (pattern,)),), LIMITS)
    assert isinstance(decide(policy, SpiffeId(caller), Permission.AGENT_SELF, STANDING), Allow) is held


def test_session_limits_are_the_strictest_of_all_roles_of_the_caller() -> None:
    ops, inc = parse_ticket_pattern("OPS-[0-9]{1,8}"), parse_ticket_pattern("INC[0-9]{7}")
    first = SessionLimits(30, 15, 3, 100, 20, (ops,))
    second = SessionLimits(60, 5, 1, 120, 50, (inc,))
    unheld = SessionLimits(1, 1, 1, 1, 200)
    policy = Policy(
        "p",
        "sha256:0",
        (Role("a", (), first), Role("b", (), second), Role("c", (), unheld)),
        (Binding("a", (ALICE,)), Binding("b", (ALICE,)), Binding("c", (MALLORY,))),
        LIMITS,
    )
    assert session_limits(policy, ALICE) == SessionLimits(30, 5, 1, 100, 50, (inc, ops))
    assert session_limits(policy, SpiffeId("spiffe://demo.leadglass/user/nobody")) == LIMITS


def rule_of(rule_id: str, effect: Effect, *permissions: Permission) -> Rule:
    return Rule(RuleId(rule_id), effect, frozenset(permissions))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    kinds = st.tuples(st.sampled_from(Effect), st.frozensets(st.sampled_from(BY_RULE_ALONE), min_size=1, max_size=3))
    roles = tuple(
        Role(
            f"role-{at}",
            tuple(
                rule_of(f"rule-{at}-{index}", effect, *sorted(permissions))
                for index, (effect, permissions) in enumerate(draw(st.lists(kinds, max_size=4)))
            ),
            LIMITS,
        )
        for at in range(draw(st.integers(0, 3)))
    )
    bindings = tuple(
        Binding(role.name, draw(st.sampled_from([(ALICE,), (MALLORY,), ("spiffe://demo.leadglass/**",)])))
        for role in roles
    )
    return Policy("p", "sha256:0", roles, bindings, LIMITS)


@given(policies(), st.randoms(use_true_random=False), st.sampled_from(Permission))
def test_the_order_of_roles_rules_and_bindings_does_not_matter(
    policy: Policy, random: Random, permission: Permission
) -> None:
    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(items, len(items)))

    roles = shuffled(tuple(replace(role, rules=shuffled(role.rules)) for role in policy.roles))
    other = replace(policy, roles=roles, bindings=shuffled(policy.bindings))
    assert decide(policy, ALICE, permission, STANDING) == decide(other, ALICE, permission, STANDING)


@given(policies(), st.sampled_from(BY_RULE_ALONE))
def test_every_allow_stands_on_a_permit_of_a_role_that_the_caller_holds(policy: Policy, permission: Permission) -> None:
    decision = decide(policy, ALICE, permission, STANDING)
    held = {binding.role for binding in policy.bindings if binding.callers != (MALLORY,)}
    permits = {
        rule.rule_id
        for role in policy.roles
        for rule in role.rules
        if role.name in held and rule.effect is Effect.PERMIT and permission in rule.permissions
    }
    forbidden = any(
        role.name in held and rule.effect is Effect.FORBID and permission in rule.permissions
        for role in policy.roles
        for rule in role.rules
    )
    assert isinstance(decision, Allow) is (bool(permits) and not forbidden)
    if isinstance(decision, Allow):
        assert set(decision.rules) == permits
        assert set(decision.roles) <= held


@given(policies())
def test_the_listed_permissions_are_those_that_would_be_allowed(policy: Policy) -> None:
    listed = permissions_of(policy, ALICE, STANDING)
    assert all(
        isinstance(decide(policy, ALICE, permission, STANDING), Allow) is (permission in listed)
        for permission in Permission
    )


_TEXTS = """
    - {id: plain, effect: permit, permissions: [text.redacted], paths: [/srv/**]}
    - {id: loose, effect: permit, permissions: [text.redacted], paths: [/srv/a/**], redaction: balanced}
    - {id: tight, effect: permit, permissions: [text.redacted], paths: [/srv/a/b/**], redaction: strict}
    - {id: argv, effect: permit, permissions: [processes.argv], processes: [{names: [web]}], redaction: balanced}
"""


def test_the_stricter_of_the_profiles_that_rules_ask_for_holds() -> None:
    decision = decide(policy_of(_TEXTS), ALICE, Permission.TEXT_REDACTED, STANDING)
    assert isinstance(decision, Allow)

    asked = [decision.scope.redaction(path) for path in ("/srv/x", "/srv/a/x", "/srv/a/b/x", "/other")]
    assert asked == [None, Profile.BALANCED, Profile.STRICT, None]


def test_a_rule_s_profile_is_for_the_processes_that_it_selects() -> None:
    decision = decide(policy_of(_TEXTS), ALICE, Permission.PROCESSES_ARGV, STANDING)
    assert isinstance(decision, Allow)

    web, other = (ProcessFacts(pid=1, uid=0, name=name, executable=None) for name in ("web", "other"))
    assert decision.scope.narrow(web).redaction() is Profile.BALANCED
    assert decision.scope.narrow(other).redaction() is None


def test_the_policy_s_own_profile_is_that_of_every_rule() -> None:
    text = policy_text(_TEXTS.replace(", redaction: balanced", "")).replace("spec:\n", "spec:\n  redaction: strict\n")
    decision = decide(parse_policy(text.encode(), "policy.yaml"), ALICE, Permission.TEXT_REDACTED, STANDING)
    assert isinstance(decision, Allow)

    assert decision.scope.redaction("/srv/a/x") is Profile.STRICT
