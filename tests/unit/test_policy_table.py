"""The tests of the shipped policies hold, and a table says at which line a policy answers otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leadglass_agent.policy.callers import population_of
from leadglass_agent.policy.granted import GRANTLESS
from leadglass_agent.policy.model import Effect, Permission, Policy, Profile
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.table import parse_table, run_table
from leadglass_agent.strict_yaml import DocumentError
from policies import ALICE, BOB, CAROL, policy_of

_POLICIES = Path(__file__).parents[2] / "policies"
_SHIPPED = ("open", "production", "regulated")
_STRINGS = set(Permission) - GRANTLESS - {Permission.ENV_PRESENCE}


def shipped(name: str) -> Policy:
    file = _POLICIES / f"{name}.yaml"
    return parse_policy(file.read_bytes(), str(file))


def table(*cases: str) -> bytes:
    head = "apiVersion: leadglass.dev/v1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n  cases:\n"
    return (head + "".join(f"    - {{{case}}}\n" for case in cases)).encode()


def faults(policy: Policy, *cases: str) -> list[str]:
    return [outcome.fault for outcome in run_table(policy, parse_table(table(*cases), "t.yaml"))]


def test_every_shipped_policy_has_a_table_and_every_table_a_policy() -> None:
    assert {file.stem for file in _POLICIES.glob("*.yaml")} == set(_SHIPPED)
    assert {file.stem for file in (_POLICIES / "tests").glob("*.yaml")} == set(_SHIPPED)


@pytest.mark.parametrize("name", _SHIPPED)
def test_the_shipped_policies_answer_as_their_tables_expect(name: str) -> None:
    text = (_POLICIES / "tests" / f"{name}.yaml").read_bytes()
    ran = run_table(shipped(name), parse_table(text, f"{name}.yaml"))
    assert [(outcome.case.line, outcome.fault) for outcome in ran if outcome.fault] == []
    assert {outcome.case.is_allowed for outcome in ran} == {True, False}


@pytest.mark.parametrize("name", _SHIPPED)
def test_every_rule_of_a_shipped_policy_is_needed_by_its_table(name: str) -> None:
    cases = parse_table((_POLICIES / "tests" / f"{name}.yaml").read_bytes(), name)
    policy = shipped(name)
    held = {binding.role for binding in policy.bindings}
    for role in policy.roles:
        assert role.name in held
        for rule in role.rules:
            rest = replace(role, rules=tuple(one for one in role.rules if one is not rule))
            without = replace(policy, roles=tuple(rest if one is role else one for one in policy.roles))
            assert any(outcome.fault for outcome in run_table(without, cases)), rule.rule_id


@pytest.mark.parametrize("name", ["production", "regulated"])
def test_nobody_who_approves_can_ask_for_a_grant(name: str) -> None:
    policy = shipped(name)
    people = population_of(policy, policy)
    with_grants = {role.name: role.grant for role in policy.roles if role.grant is not None}
    approvers = {approver for grant in with_grants.values() for approver in grant.approvers}
    assert approvers
    assert not any(one.after & approvers and one.after & with_grants.keys() for one in people.classes)


def test_production_gives_nothing_of_a_pod_without_a_grant() -> None:
    for role in shipped("production").roles:
        permits = {one for rule in role.rules if rule.effect is Effect.PERMIT for one in rule.permissions}
        assert permits <= GRANTLESS or role.grant is not None


def test_regulated_permits_no_view_that_shows_text_of_the_app() -> None:
    policy = shipped("regulated")
    permits = {
        one for role in policy.roles for rule in role.rules if rule.effect == "permit" for one in rule.permissions
    }
    assert not permits & _STRINGS
    assert (policy.redaction, policy.break_glass) == (Profile.STRICT, None)


@pytest.mark.parametrize("name", _SHIPPED)
def test_the_shipped_roles_are_the_six_of_the_product(name: str) -> None:
    names = {role.name for role in shipped(name).roles}
    assert names - {"sre-granted"} == {"viewer", "sre", "dashboard", "approver", "auditor", "admin"}


_TREE = policy_of(
    """\
    - {id: tree, effect: permit, permissions: [processes.list], processes: [{names: [shop]}]}
    - {id: no-keys, effect: forbid, permissions: [files.list], paths: ["/**/*.key"]}
    - {id: files, effect: permit, permissions: [files.list], paths: [/app/**]}
    """
)


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("permission: processes.list, expect: allow", ""),
        ("permission: processes.list, expect: allow, rule: tree", ""),
        ("permission: processes.list, expect: allow, rule: files", "it is allowed by tree, and not by files"),
        ("permission: processes.list, expect: deny", "it is allowed, by tree"),
        ("permission: processes.list, process: {name: sh, uid: 0}, expect: allow", "it is denied: NO_RULE"),
        ("permission: processes.list, process: {name: shop, uid: 0}, expect: allow", ""),
        ("permission: files.list, path: /app/tls.key, expect: deny, why: FORBIDDEN, rule: no-keys", ""),
        (
            "permission: files.list, path: /app/tls.key, expect: deny, why: NO_RULE",
            "it is denied for another reason: FORBIDDEN, no-keys",
        ),
        ("permission: files.list, path: /etc, expect: deny, why: NO_RULE", ""),
        ("permission: files.list, expect: deny", "it is allowed, by files"),
    ],
)
def test_a_case_fails_where_the_policy_answers_otherwise(case: str, fault: str) -> None:
    assert faults(_TREE, f"caller: '{ALICE}', {case}") == [fault]


def test_a_case_brings_grants_evidence_hours_and_the_age_of_a_certificate() -> None:
    policy = policy_of(
        "- {id: tree, effect: permit, permissions: [processes.list]}",
        role="""\
        grant: {approvals: 2, approvers: [lead], maxMinutes: 30}
        conditions:
          tiers: [non-prod]
          windows: [{days: [sun], from: "01:00", until: "02:00"}]
          maxCertificateHours: 1
          evidence: {amr: [mfa], maxMinutes: 5}
        """,
        spec="evidence: {issuer: 'https://td', jwks: /jwks.json, audience: td, algorithms: [ES256]}",
        others="lead",
    )
    grants = f"grants: [{{approvers: ['{BOB}', '{CAROL}'], minutes: 30}}]"
    full = {
        "tier": "tier: non-prod",
        "at": 'at: "2026-01-04T01:30:00Z"',
        "certificate": "certificateMinutes: 60",
        "evidence": "evidence: {amr: [mfa], minutes: 5}",
        "grants": grants,
    }
    head = f"caller: '{ALICE}', permission: processes.list, "
    assert faults(policy, head + ", ".join(full.values()) + ", expect: allow") == [""]
    for left_out, why in (
        ("tier", "OTHER_TIER"),
        ("at", "OUTSIDE_WINDOW"),
        ("evidence", "EVIDENCE_NEEDED"),
        ("grants", "GRANT_NEEDED"),
    ):
        rest = ", ".join(text for key, text in full.items() if key != left_out)
        assert faults(policy, f"{head}{rest}, expect: deny, why: {why}") == [""]
    old = ", ".join({**full, "certificate": "certificateMinutes: 61"}.values())
    assert faults(policy, f"{head}{old}, expect: deny, why: CERTIFICATE_TOO_OLD") == [""]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("caller: ada, permission: processes.list, expect: allow", "6:16: a caller is a SPIFFE id"),
        ("caller: 'spiffe://td/a', permission: processes.lists, expect: allow", "'processes.lists' is not one of"),
        ("caller: 'spiffe://td/a', permission: processes.list, expect: maybe", "'maybe' is not one of"),
        ("caller: 'spiffe://td/a', permission: processes.list, name: X, expect: deny", "is not about a name"),
        ("caller: 'spiffe://td/a', permission: session.open, process: {name: a, uid: 0}, expect: deny", "not about a"),
        ("caller: 'spiffe://td/a', permission: files.list, path: a/b, expect: deny", "a path is absolute"),
        ("caller: 'spiffe://td/a', permission: files.list, why: NO_RULE, expect: allow", "'why' goes with"),
        ("caller: 'spiffe://td/a', permission: files.list, at: tomorrow, expect: deny", "a time says its zone"),
        ("caller: 'spiffe://td/a', permission: files.list, expect: deny, note: x", "unknown key 'note'"),
    ],
)
def test_a_table_that_would_prove_nothing_is_refused_at_its_line(case: str, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_table(table(case), "t.yaml")
    assert said in str(raised.value)
    assert str(raised.value).startswith("t.yaml:6:")
