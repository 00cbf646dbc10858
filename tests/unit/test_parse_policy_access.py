"""What access depends on, as policy files say it: conditions, grants, budgets, evidence, the guard, break-glass."""

from __future__ import annotations

import re

import pytest

from leadglass_agent.policy.model import (
    BreakGlass,
    Budget,
    Conditions,
    EvidenceRule,
    EvidenceSource,
    GrantRule,
    GuardLimits,
    Policy,
    Tier,
    TimeWindow,
)
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.strict_yaml import DocumentError
from policies import policy_of, policy_text

OPEN = "- {id: a, effect: permit, permissions: [session.open]}"
REVEAL = "- {id: a, effect: permit, permissions: [env.reveal], names: [A]}"
EVIDENCE = "evidence: {issuer: 'https://login.example.org', jwks: /jwks.json, audience: leadglass, algorithms: [ES256]}"
GRANT = "grant: {approvals: 1, approvers: [lead], maxMinutes: 60}"
GLASS = "breakGlass: {names: [A], approvals: 2, approvers: [lead], maxMinutes: 5, perMonth: 1, reviewOwed: false}"


def read(*, rules: str = OPEN, role: str = "", spec: str = "") -> Policy:
    return policy_of(rules, role=role, spec=spec, others="lead second")


def fault(*, rules: str = OPEN, role: str = "", spec: str = "") -> str:
    with pytest.raises(DocumentError) as caught:
        read(rules=rules, role=role, spec=spec)
    said = str(caught.value)
    assert re.match(r"policy\.yaml:[1-9][0-9]*:[1-9][0-9]*: .", said)
    return said


def test_what_a_policy_leaves_out_asks_for_nothing_bounds_nothing_and_reveals_nothing() -> None:
    policy = read()
    role = policy.roles[-1]
    assert (role.conditions, role.grant, role.budget) == (Conditions(), None, Budget())
    assert (policy.evidence, policy.guard, policy.break_glass) == (None, GuardLimits(), None)


def test_conditions_are_read() -> None:
    role = """
        conditions:
          tiers: [prod]
          windows:
            - {days: [mon, sun], from: "07:00", until: "19:30"}
            - {days: [fri], from: "22:00", until: "02:00"}
            - {days: [sat], from: "00:00", until: "24:00"}
          maxCertificateHours: 24
          evidence: {amr: [mfa, hwk], acr: [high], maxMinutes: 30}
    """
    assert read(role=role, spec=EVIDENCE).roles[-1].conditions == Conditions(
        tiers=frozenset({Tier.PROD}),
        windows=(
            TimeWindow(frozenset({0, 6}), 7 * 60, 19 * 60 + 30),
            TimeWindow(frozenset({4}), 22 * 60, 2 * 60),
            TimeWindow(frozenset({5}), 0, 24 * 60),
        ),
        max_certificate_hours=24,
        evidence=EvidenceRule(frozenset({"mfa", "hwk"}), frozenset({"high"}), 30),
    )


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ("{}", "conditions need 'tiers', 'windows', 'maxCertificateHours' or 'evidence'"),
        ("{tiers: []}", "expected `array` of length >= 1"),
        ("{tiers: [production]}", "'production' is not one of"),
        ("{tiers: [prod, prod]}", "'prod' is there twice"),
        ("{tiers: prod}", "expected `array`, got `str`"),
        ("{windows: []}", "expected `array` of length >= 1"),
        ('{windows: [{days: [], from: "07:00", until: "08:00"}]}', "expected `array` of length >= 1"),
        ('{windows: [{days: [monday], from: "07:00", until: "08:00"}]}', "'monday' is not one of"),
        ('{windows: [{days: [mon, mon], from: "07:00", until: "08:00"}]}', "'mon' is there twice"),
        ('{windows: [{days: [mon], from: "7:00", until: "08:00"}]}', 'a time is "HH:MM" in UTC'),
        ('{windows: [{days: [mon], from: "24:00", until: "08:00"}]}', 'a time is "HH:MM" in UTC'),
        ('{windows: [{days: [mon], from: "07:00", until: "25:00"}]}', 'a time is "HH:MM" in UTC'),
        ('{windows: [{days: [mon], from: "07:00", until: "08:60"}]}', 'a time is "HH:MM" in UTC'),
        ('{windows: [{days: [mon], from: "07:00", until: "08:00\\n"}]}', 'a time is "HH:MM" in UTC'),
        ("{windows: [{days: [mon], from: 07:00, until: 19:00}]}", "'19:00' means different things"),
        ('{windows: [{days: [mon], from: "07:00", until: "07:00"}]}', "a window ends when it starts"),
        ('{windows: [{days: [mon], from: "07:00"}]}', "the key 'until' is missing"),
        ('{windows: [{days: [mon], from: "07:00", until: "08:00", zone: CET}]}', "unknown key 'zone'"),
        ("{maxCertificateHours: 0}", "expected `int` >= 1"),
        ("{maxCertificateHours: 8761}", "expected `int` <= 8760"),
        ("{evidence: {}}", "the key 'maxMinutes' is missing"),
        ("{evidence: {amr: [], maxMinutes: 5}}", "expected `array` of length >= 1"),
        ("{evidence: {amr: [mfa, mfa], maxMinutes: 5}}", "'mfa' is there twice"),
        ("{evidence: {acr: [a, a], maxMinutes: 5}}", "'a' is there twice"),
        ("{evidence: {acr: [''], maxMinutes: 5}}", "expected `str` of length >= 1"),
        ("{evidence: {maxMinutes: 0}}", "expected `int` >= 1"),
        ("{ticket: OPS}", "unknown key 'ticket'"),
    ],
)
def test_a_condition_that_says_less_or_more_than_it_seems_is_refused(conditions: str, message: str) -> None:
    assert message in fault(role=f"conditions: {conditions}", spec=EVIDENCE)


def test_evidence_is_asked_for_only_where_the_policy_says_whose_tokens_count() -> None:
    role = "conditions:\n  evidence: {amr: [mfa], maxMinutes: 30}"
    assert read(role=role, spec=EVIDENCE).roles[-1].conditions.evidence is not None
    said = fault(role=role)
    assert said.endswith("'spec.evidence' does not say whose tokens are any")
    line = (
        policy_text(OPEN, role=role, others="lead second")
        .splitlines()
        .index("        evidence: {amr: [mfa], maxMinutes: 30}")
    )
    assert said.startswith(f"policy.yaml:{line + 1}:19: ")


def test_a_grant_rule_is_read_and_nobody_can_be_its_approver() -> None:
    assert read(role=GRANT).roles[-1].grant == GrantRule(1, ("lead",), 60)
    nobody = "grant: {approvals: 2, approvers: [], maxMinutes: 1440}"
    assert read(role=nobody).roles[-1].grant == GrantRule(2, (), 1440)
    own = "grant: {approvals: 2, approvers: [tester, lead], maxMinutes: 1}"
    assert read(role=own).roles[-1].grant == GrantRule(2, ("tester", "lead"), 1)


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        ("{}", "the key 'approvals' is missing"),
        ("{approvals: 1, maxMinutes: 60}", "the key 'approvers' is missing"),
        ("{approvals: 1, approvers: , maxMinutes: 60}", "expected `array`, got `null`"),
        ("{approvals: 0, approvers: [lead], maxMinutes: 60}", "expected `int` >= 1"),
        ("{approvals: 11, approvers: [lead], maxMinutes: 60}", "expected `int` <= 10"),
        ("{approvals: 1, approvers: [leads], maxMinutes: 60}", "unknown role 'leads'; did you mean 'lead'?"),
        ("{approvals: 1, approvers: [lead, lead], maxMinutes: 60}", "'lead' is there twice"),
        ("{approvals: 1, approvers: [lead], maxMinutes: 0}", "expected `int` >= 1"),
        ("{approvals: 1, approvers: [lead], maxMinutes: 1441}", "expected `int` <= 1440"),
        ("{approvals: 1, approvers: [lead], maxMinutes: 60, optional: true}", "unknown key 'optional'"),
    ],
)
def test_a_grant_rule_that_leaves_something_open_is_refused(grant: str, message: str) -> None:
    assert message in fault(role=f"grant: {grant}")


def test_a_budget_is_read_and_what_it_leaves_out_is_not_bounded() -> None:
    whole = "budget: {calls: 1, rows: 2, names: 0, paths: 4, replyBytes: 5, answers: 6}"
    assert read(role=whole).roles[-1].budget == Budget(1, 2, 0, 4, 5, 6)
    assert read(role="budget: {rows: 7}").roles[-1].budget == Budget(rows=7)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("{}", "a budget needs at least one of its numbers"),
        ("{calls: 0}", "expected `int` >= 1"),
        ("{rows: -1}", "expected `int` >= 0"),
        ("{rows: 9007199254740992}", "expected `int` <= 9007199254740991"),
        ("{rows: unlimited}", "expected `int`, got `str`"),
        ("{rows: }", "expected `int`, got `null`"),
        ("{bytes: 5}", "unknown key 'bytes'"),
    ],
)
def test_a_budget_that_bounds_nothing_is_refused(budget: str, message: str) -> None:
    assert message in fault(role=f"budget: {budget}")


def test_the_source_of_evidence_is_read() -> None:
    assert read(spec=EVIDENCE).evidence == EvidenceSource(
        "https://login.example.org", "/jwks.json", "leadglass", frozenset({"ES256"})
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ES256", "none", "'none' is not one of"),
        ("ES256", "HS256", "'HS256' is not one of"),
        ("ES256", "ES256, ES256", "'ES256' is there twice"),
        ("[ES256]", "[]", "expected `array` of length >= 1"),
        ("https://", "http://", "an issuer is an https:// address"),
        ("https://login.example.org", "https://", "an issuer is an https:// address"),
        ("https://login.example.org", "https://a@login.example.org", "an issuer is an https:// address"),
        ("https://login.example.org", "https://login.example.org?a=b", "an issuer is an https:// address"),
        ("https://login.example.org", "https://login.example.org#a", "an issuer is an https:// address"),
        ("https://login.example.org", "https://[login", "an issuer is an https:// address"),
        ("https://login.example.org", "https://login.example.org:x", "an issuer is an https:// address"),
        ("/jwks.json", "jwks.json", "'jwks' is the absolute path of a file"),
        ("/jwks.json", "/a/../jwks.json", "'jwks' is the absolute path of a file"),
        ("/jwks.json", "/", "'jwks' is the absolute path of a file"),
        ("leadglass", "''", "expected `str` of length >= 1"),
        ("audience: leadglass,", "", "the key 'audience' is missing"),
        ("jwks:", "jwksUrl:", "unknown key 'jwksUrl'"),
    ],
)
def test_a_source_of_evidence_that_anybody_could_be_is_refused(old: str, new: str, message: str) -> None:
    changed = EVIDENCE.replace(old, new, 1)
    assert changed != EVIDENCE
    assert message in fault(spec=changed)


def test_the_guard_s_thresholds_are_read_and_those_left_out_have_defaults() -> None:
    whole = (
        "guard: {denials: 1, missingPids: 2, missingPaths: 3, distinctPids: 4, distinctPaths: 5, calls: 6, "
        "sensitiveHits: 7, sensitivePaths: [/a/**], newSources: 8, haltMinutes: 9}"
    )
    assert read(spec=whole).guard == GuardLimits(1, 2, 3, 4, 5, 6, 7, ("/a/**",), 8, 9)
    assert read(spec="guard: {denials: 5}").guard == GuardLimits(denials=5)


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        ("{}", "'guard' needs at least one of its thresholds"),
        ("false", "expected `object`, got `bool`"),
        ("{denials: 0}", "expected `int` >= 1"),
        ("{denials: 100001}", "expected `int` <= 100000"),
        ("{haltMinutes: 0}", "expected `int` >= 1"),
        ("{haltMinutes: 1441}", "expected `int` <= 1440"),
        ("{sensitivePaths: []}", "expected `array` of length >= 1"),
        ("{sensitivePaths: [secrets/**]}", "a path must be absolute"),
        ("{enabled: true}", "unknown key 'enabled'"),
    ],
)
def test_the_guard_cannot_be_turned_off(guard: str, message: str) -> None:
    assert message in fault(spec=f"guard: {guard}")


def test_break_glass_is_read() -> None:
    assert read(spec=GLASS).break_glass == BreakGlass(("A",), 2, ("lead",), 5, 1, review_owed=False)
    one = GLASS.replace("approvals: 2", "approvals: 1").replace("false", "true")
    assert read(spec=one).break_glass == BreakGlass(("A",), 1, ("lead",), 5, 1, review_owed=True)
    assert read(spec=GLASS.replace("[lead]", "[]")).break_glass == BreakGlass(("A",), 2, (), 5, 1, review_owed=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("approvals: 2", "approvals: 1", "one approval is enough only where 'reviewOwed' is true"),
        ("approvals: 2", "approvals: 0", "expected `int` >= 1"),
        ("maxMinutes: 5", "maxMinutes: 6", "expected `int` <= 5"),
        ("maxMinutes: 5", "maxMinutes: 0", "expected `int` >= 1"),
        ("perMonth: 1", "perMonth: 0", "expected `int` >= 1"),
        ("perMonth: 1", "perMonth: 101", "expected `int` <= 100"),
        ("[A]", "[]", "expected `array` of length >= 1"),
        ("[A]", "['**']", "'**' is for whole path segments"),
        ("[lead]", "[nobody]", "unknown role 'nobody'"),
        ("[lead]", "[lead, lead]", "'lead' is there twice"),
        (", reviewOwed: false", "", "the key 'reviewOwed' is missing"),
        ("reviewOwed: false", "reviewOwed: no", "'no' means different things"),
    ],
)
def test_break_glass_that_is_wider_than_it_may_be_is_refused(old: str, new: str, message: str) -> None:
    changed = GLASS.replace(old, new, 1)
    assert changed != GLASS
    assert message in fault(spec=changed)


def test_a_permit_of_a_reveal_needs_a_grant_rule_and_break_glass() -> None:
    assert read(rules=REVEAL, role=GRANT, spec=GLASS).roles[-1].rules[0].names == ("A",)
    assert "env.reveal is permitted within grants alone" in fault(rules=REVEAL, spec=GLASS)
    assert "env.reveal is off: 'spec.breakGlass' says" in fault(rules=REVEAL, role=GRANT)
    assert read(rules=REVEAL.replace("permit,", "forbid,")).break_glass is None


def test_a_fault_of_a_reveal_points_at_the_permission() -> None:
    text = policy_text(REVEAL, others="lead second")
    line = next(at for at, line in enumerate(text.splitlines(), start=1) if "env.reveal" in line)
    with pytest.raises(DocumentError) as caught:
        parse_policy(text.encode(), "policy.yaml")
    assert (caught.value.line, caught.value.column) == (line, text.splitlines()[line - 1].index("env.reveal") + 1)
