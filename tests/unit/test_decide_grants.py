"""Grants: what a role gives only within them, who has to have approved, and how far they reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, Deny, DenyReason, budget_of, decide, permissions_of
from leadglass_agent.policy.granted import GRANTLESS
from leadglass_agent.policy.model import Binding, Budget, Permission, Policy, ProcessSelector, SpiffeId
from leadglass_agent.policy.scope import ProcessFacts, Scope
from leadglass_agent.policy.standing import GrantedScope, Standing
from policies import ALICE, BOB, CAROL, MALLORY, STANDING, policy_of

RULES = """
    - {id: own, effect: permit, permissions: [session.open, agent.self, grants.approve, sessions.list, sessions.end]}
    - {id: reviews, effect: permit, permissions: [reviews.list, reviews.close]}
    - {id: tree, effect: permit, permissions: [processes.list, processes.executable, processes.argv]}
    - {id: env, effect: permit, permissions: [env.presence, env.names], names: [DB_*, LANG]}
    - {id: files, effect: permit, permissions: [files.metadata, files.list, text.redacted], paths: [/app/**]}
    - {id: access, effect: permit, permissions: [files.access], paths: [/app/**]}
    - {id: log, effect: permit, permissions: [audit.checkpoint, audit.read]}
    - {id: tapes, effect: permit, permissions: [recordings.list, recordings.read, recordings.hold, recordings.shred]}
"""
REVEAL = "- {id: reveal, effect: permit, permissions: [env.reveal], names: [DB_*]}"
GLASS = "breakGlass: {names: [DB_*], approvals: 2, approvers: [lead], maxMinutes: 5, perMonth: 1, reviewOwed: false}"
API = ProcessFacts(pid=7, uid=1000, name="api", executable="/app/api")
WORKER = ProcessFacts(pid=8, uid=1000, name="worker", executable="/app/worker")


def granted(*permissions: Permission, approvers: tuple[SpiffeId, ...] = (BOB,), minutes: int = 60) -> GrantedScope:
    return GrantedScope("g", frozenset(permissions), approvers, minutes)


def policy(approvals: int = 1, approvers: str = "lead", minutes: int = 60, rules: str = RULES) -> Policy:
    role = f"grant: {{approvals: {approvals}, approvers: [{approvers}], maxMinutes: {minutes}}}"
    return policy_of(rules, role=role, others="lead second")


def answer(written: Policy, permission: Permission, *grants: GrantedScope, caller: SpiffeId = ALICE) -> Allow | Deny:
    return decide(written, caller, permission, replace(STANDING, grants=grants))


def scope_of(written: Policy, permission: Permission, *grants: GrantedScope) -> Scope:
    decision = answer(written, permission, *grants)
    assert isinstance(decision, Allow)
    return decision.scope


def test_without_a_grant_such_a_role_gives_a_session_and_what_shows_nothing_of_the_pod() -> None:
    assert set(permissions_of(policy(), ALICE, STANDING)) == GRANTLESS
    for permission in set(Permission) - GRANTLESS - {Permission.ENV_REVEAL}:
        assert answer(policy(), permission) == Deny(DenyReason.GRANT_NEEDED, "tester")


def test_a_grant_gives_the_permissions_that_it_names_and_no_other() -> None:
    grant = granted(Permission.ENV_NAMES, Permission.PROCESSES_LIST)
    given_now = permissions_of(policy(), ALICE, replace(STANDING, grants=(grant,)))
    assert set(given_now) == GRANTLESS | grant.permissions
    decision = answer(policy(), Permission.ENV_NAMES, grant)
    assert isinstance(decision, Allow)
    assert (decision.rules, decision.roles, decision.grants) == (("env",), ("tester",), ("g",))


def test_a_grant_gives_nothing_that_no_rule_permits() -> None:
    assert answer(
        policy(rules="- {id: own, effect: permit, permissions: [session.open]}"), Permission.PROCESSES_LIST
    ) == (Deny(DenyReason.NO_RULE))
    everything = granted(*Permission)
    assert answer(policy(), Permission.PROCESSES_LIST, everything, caller=MALLORY) == Deny(DenyReason.NO_BINDING)
    assert not scope_of(policy(), Permission.ENV_NAMES, everything).narrow(API).admits_name("HOME")


def test_a_grant_gives_nothing_that_a_rule_forbids() -> None:
    rules = f"{RULES.rstrip()}\n    - {{id: shut, effect: forbid, permissions: [processes.list]}}\n"
    denied = answer(policy(rules=rules), Permission.PROCESSES_LIST, granted(*Permission))
    assert denied == Deny(DenyReason.FORBIDDEN, "tester")


@pytest.mark.parametrize(
    ("approvals", "signers", "enough"),
    [
        (1, (BOB,), True),
        (1, (), False),
        (1, (ALICE,), False),
        (1, (MALLORY,), False),
        (2, (BOB,), False),
        (2, (BOB, BOB), False),
        (2, (BOB, ALICE), False),
        (2, (BOB, MALLORY), False),
        (2, (BOB, CAROL), True),
        (2, (CAROL, MALLORY, ALICE, BOB), True),
        (3, (BOB, CAROL, ALICE, MALLORY), False),
    ],
)
def test_approvals_are_counted_by_people_who_may_approve_and_are_not_the_caller(
    approvals: int,
    signers: tuple[SpiffeId, ...],
    enough: bool,  # noqa: FBT001 - a table
) -> None:
    decision = answer(policy(approvals), Permission.PROCESSES_LIST, granted(*Permission, approvers=signers))
    assert isinstance(decision, Allow) is enough


def test_a_caller_who_holds_the_approver_s_role_does_not_approve_their_own_grant() -> None:
    written = policy()
    both = replace(written, bindings=(*written.bindings, Binding("lead", (ALICE,))))
    mine = granted(*Permission, approvers=(ALICE,))
    assert answer(both, Permission.PROCESSES_LIST, mine) == Deny(DenyReason.GRANT_NEEDED, "tester")
    assert isinstance(answer(both, Permission.PROCESSES_LIST, granted(*Permission)), Allow)


def test_an_approver_of_one_of_the_named_roles_is_enough() -> None:
    written = policy(2, "lead, second")
    split = tuple(
        replace(binding, callers=(BOB,) if binding.role == "lead" else (CAROL,))
        if binding.role in {"lead", "second"}
        else binding
        for binding in written.bindings
    )
    pair = granted(*Permission, approvers=(BOB, CAROL))
    assert isinstance(answer(replace(written, bindings=split), Permission.PROCESSES_LIST, pair), Allow)
    only = replace(written, bindings=split[:-1])
    assert answer(only, Permission.PROCESSES_LIST, pair) == Deny(DenyReason.GRANT_NEEDED, "tester")


def test_an_approver_who_lost_the_role_does_not_count_any_more() -> None:
    written = policy()
    bereft = replace(written, bindings=tuple(held for held in written.bindings if held.role == "tester"))
    assert isinstance(answer(written, Permission.PROCESSES_LIST, granted(*Permission)), Allow)
    assert answer(bereft, Permission.PROCESSES_LIST, granted(*Permission)) == Deny(DenyReason.GRANT_NEEDED, "tester")


def test_whoever_holds_another_role_alone_does_not_count() -> None:
    written = policy(approvers="second")
    others = tuple(replace(held, callers=(MALLORY,)) if held.role == "second" else held for held in written.bindings)
    elsewhere = replace(written, bindings=others)
    assert isinstance(decide(elsewhere, BOB, Permission.GRANTS_APPROVE, STANDING), Allow)
    assert answer(elsewhere, Permission.PROCESSES_LIST, granted(*Permission)) == Deny(DenyReason.GRANT_NEEDED, "tester")
    theirs = granted(*Permission, approvers=(MALLORY,))
    assert isinstance(answer(elsewhere, Permission.PROCESSES_LIST, theirs), Allow)


def test_where_nobody_approves_no_grant_is_enough_and_none_is_asked_for() -> None:
    nobody = policy(approvers="")
    everybody = granted(*Permission, approvers=(BOB, CAROL, MALLORY))
    assert answer(nobody, Permission.PROCESSES_LIST) == Deny(DenyReason.NO_RULE)
    assert answer(nobody, Permission.PROCESSES_LIST, everybody) == Deny(DenyReason.NO_RULE)


def test_a_grant_that_was_made_out_for_longer_than_the_role_allows_does_not_count() -> None:
    assert isinstance(answer(policy(), Permission.PROCESSES_LIST, granted(*Permission, minutes=60)), Allow)
    longer = answer(policy(), Permission.PROCESSES_LIST, granted(*Permission, minutes=61))
    assert longer == Deny(DenyReason.GRANT_NEEDED, "tester")


def test_a_permit_reaches_as_far_as_rule_and_grant_both_do() -> None:
    grant = replace(
        granted(*Permission),
        processes=(ProcessSelector(names=("api",)),),
        names=("DB_HOST", "HOME"),
        paths=("/app/logs/**", "/etc/**"),
    )
    names = scope_of(policy(), Permission.ENV_NAMES, grant)
    assert names.narrow(API).admits_name("DB_HOST")
    assert not names.narrow(API).admits_name("DB_PORT")
    assert not names.narrow(API).admits_name("HOME")
    assert not names.narrow(WORKER).admits_name("DB_HOST")
    assert not names.admits_name("DB_HOST")
    assert not names.admits_process(WORKER)
    paths = scope_of(policy(), Permission.TEXT_REDACTED, grant).narrow(API)
    assert paths.admits_path("/app/logs/a")
    assert not paths.admits_path("/app/a")
    assert not paths.admits_path("/etc/passwd")


def test_two_grants_do_not_lend_each_other_their_selectors() -> None:
    api = replace(granted(*Permission), grant_id="a", processes=(ProcessSelector(names=("api",)),), names=("LANG",))
    worker = replace(
        granted(*Permission), grant_id="w", processes=(ProcessSelector(names=("worker",)),), names=("DB_A",)
    )
    decision = answer(policy(), Permission.ENV_NAMES, worker, api)
    assert isinstance(decision, Allow)
    assert decision.grants == ("a", "w")
    for facts, own, foreign in ((API, "LANG", "DB_A"), (WORKER, "DB_A", "LANG")):
        assert decision.scope.narrow(facts).admits_name(own)
        assert not decision.scope.narrow(facts).admits_name(foreign)


def test_a_role_that_needs_no_grant_gives_what_it_gave_without_one() -> None:
    written = policy()
    free = replace(written.roles[-1], name="free", grant=None, rules=written.roles[-1].rules[2:3])
    both = replace(written, roles=(*written.roles, free), bindings=(*written.bindings, Binding("free", (ALICE,))))
    decision = answer(both, Permission.PROCESSES_LIST)
    assert isinstance(decision, Allow)
    assert (decision.roles, decision.grants) == (("free",), ())
    assert decision.scope.narrow(WORKER).permits[0].bounds is None


def test_a_grant_is_the_nearest_way_to_a_yes() -> None:
    written = policy()
    shut = replace(
        written.roles[-1],
        name="shut",
        conditions=policy_of(RULES, role="conditions: {tiers: [non-prod]}").roles[0].conditions,
        grant=None,
    )
    both = replace(written, roles=(shut, *written.roles), bindings=(*written.bindings, Binding("shut", (ALICE,))))
    assert answer(both, Permission.PROCESSES_LIST) == Deny(DenyReason.GRANT_NEEDED, "tester")


def reveal_policy(grant: str = "{approvals: 1, approvers: [lead], maxMinutes: 60}", glass: str = GLASS) -> Policy:
    return policy_of(REVEAL, role=f"grant: {grant}", spec=glass, others="lead second")


@pytest.mark.parametrize(
    ("signers", "minutes", "enough"),
    [
        ((BOB, CAROL), 5, True),
        ((BOB, CAROL), 6, False),
        ((BOB,), 5, False),
        ((BOB, BOB, ALICE), 5, False),
        ((), 1, False),
    ],
)
def test_a_reveal_needs_what_the_role_and_what_break_glass_asks_for(
    signers: tuple[SpiffeId, ...],
    minutes: int,
    enough: bool,  # noqa: FBT001 - a table
) -> None:
    grant = granted(Permission.ENV_REVEAL, approvers=signers, minutes=minutes)
    expected = Deny(DenyReason.GRANT_NEEDED, "tester")
    decision = answer(reveal_policy(), Permission.ENV_REVEAL, grant)
    assert isinstance(decision, Allow) if enough else decision == expected


def test_nothing_is_revealed_without_a_grant_rule_or_without_break_glass() -> None:
    grant = granted(Permission.ENV_REVEAL, approvers=(BOB, CAROL), minutes=5)
    written = reveal_policy()
    assert isinstance(answer(written, Permission.ENV_REVEAL, grant), Allow)
    no_glass = replace(written, break_glass=None)
    assert answer(no_glass, Permission.ENV_REVEAL, grant) == Deny(DenyReason.NO_RULE)
    no_rule = replace(written, roles=tuple(replace(role, grant=None) for role in written.roles))
    assert answer(no_rule, Permission.ENV_REVEAL, grant) == Deny(DenyReason.NO_RULE)
    nobody = reveal_policy(glass=GLASS.replace("[lead]", "[]"))
    assert answer(nobody, Permission.ENV_REVEAL, grant) == Deny(DenyReason.NO_RULE)


def test_a_stricter_role_is_not_loosened_by_break_glass() -> None:
    grant = granted(Permission.ENV_REVEAL, approvers=(BOB, CAROL), minutes=5)
    for rule in (
        "{approvals: 3, approvers: [lead], maxMinutes: 60}",
        "{approvals: 1, approvers: [lead], maxMinutes: 4}",
    ):
        decision = answer(reveal_policy(rule), Permission.ENV_REVEAL, grant)
        assert decision == Deny(DenyReason.GRANT_NEEDED, "tester")


_PEOPLE = st.sampled_from([ALICE, BOB, CAROL, MALLORY])
_GRANTS = st.builds(
    GrantedScope,
    grant_id=st.sampled_from(["g1", "g2", "g3"]),
    permissions=st.frozensets(st.sampled_from(Permission)),
    approvers=st.lists(_PEOPLE, max_size=4).map(tuple),
    minutes=st.integers(1, 90),
    processes=st.sampled_from([(), (ProcessSelector(names=("api",)),), (ProcessSelector(executables=("/app/w*",)),)]),
    names=st.sampled_from([(), ("LANG",), ("DB_*",)]),
    paths=st.sampled_from([(), ("/app/logs/**",), ("/**",)]),
)


@given(st.lists(_GRANTS, max_size=3), _GRANTS, st.sampled_from(Permission), st.integers(1, 3))
def test_one_more_grant_never_takes_anything_away(
    grants: list[GrantedScope], extra: GrantedScope, permission: Permission, approvals: int
) -> None:
    written = policy(approvals)
    before, after = answer(written, permission, *grants), answer(written, permission, *grants, extra)
    if not isinstance(before, Allow):
        return
    assert isinstance(after, Allow)
    for facts in (API, WORKER):
        less, more = before.scope.narrow(facts), after.scope.narrow(facts)
        assert less.is_empty() >= more.is_empty()
        assert all(less.admits_name(name) <= more.admits_name(name) for name in ("LANG", "DB_A", "HOME"))
        assert all(less.admits_path(path) <= more.admits_path(path) for path in ("/app/logs/a", "/app", "/etc"))


@given(st.lists(_GRANTS, max_size=3), st.sampled_from(sorted(set(Permission) - GRANTLESS)), st.integers(1, 3))
def test_whatever_is_shown_within_a_grant_was_approved_by_enough_others(
    grants: list[GrantedScope], permission: Permission, approvals: int
) -> None:
    decision = answer(policy(approvals), permission, *grants)
    counting = [
        grant
        for grant in grants
        if permission in grant.permissions
        and grant.minutes <= 60
        and len({BOB, CAROL} & set(grant.approvers)) >= approvals
    ]
    expected = {grant.grant_id for grant in counting} if permission is not Permission.ENV_REVEAL else set()
    assert (set(decision.grants) if isinstance(decision, Allow) else set()) == expected


@given(st.lists(_GRANTS, max_size=3), st.sampled_from(sorted(set(Permission) - GRANTLESS)))
def test_a_role_with_a_grant_rule_never_gives_more_than_the_same_role_without(
    grants: list[GrantedScope], permission: Permission
) -> None:
    written = policy()
    free = replace(written, roles=tuple(replace(role, grant=None) for role in written.roles))
    bound, loose = answer(written, permission, *grants), answer(free, permission)
    if not isinstance(bound, Allow):
        return
    assert isinstance(loose, Allow)
    for facts in (API, WORKER):
        less, more = bound.scope.narrow(facts), loose.scope.narrow(facts)
        assert all(less.admits_name(name) <= more.admits_name(name) for name in ("LANG", "DB_A", "HOME"))
        assert all(less.admits_path(path) <= more.admits_path(path) for path in ("/app/logs/a", "/app", "/etc"))


def test_the_budget_is_the_strictest_of_all_roles_of_the_caller() -> None:
    written = policy()
    roles = tuple(
        replace(role, budget=budget)
        for role, budget in zip(
            written.roles, (Budget(calls=5, rows=0), Budget(calls=9, names=3), Budget(rows=7, answers=2)), strict=True
        )
    )
    bound = (*written.bindings, Binding("lead", (ALICE,)))
    assert budget_of(replace(written, roles=roles, bindings=bound), ALICE) == Budget(calls=5, rows=0, answers=2)
    assert budget_of(replace(written, roles=roles), BOB) == Budget(calls=5, rows=0, names=3)
    assert budget_of(written, MALLORY) == Budget()


def test_a_standing_has_neither_evidence_nor_grants_unless_somebody_says_so() -> None:
    bare = Standing(STANDING.unix_ns, STANDING.tier, STANDING.certificate_since_unix)
    assert (bare.evidence, bare.grants) == (None, ())
