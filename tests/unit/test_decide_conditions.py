"""Conditions of a role: its permits count only while they hold, its forbids always do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.conditions import unmet
from leadglass_agent.policy.decide import Allow, Deny, DenyReason, decide
from leadglass_agent.policy.model import Conditions, Permission, Tier, TimeWindow
from leadglass_agent.policy.standing import Evidence, Standing
from policies import ALICE, NOON, STANDING, policy_of

TREE = "- {id: tree, effect: permit, permissions: [processes.list]}"
ISSUER = "evidence: {issuer: 'https://login.example.org', jwks: /jwks.json, audience: leadglass, algorithms: [ES256]}"
SIGNED_IN = Evidence(subject="alice", amr=frozenset({"pwd", "mfa"}), acr="high", auth_unix=NOON - 600)


def answer(conditions: str, standing: Standing, rules: str = TREE) -> DenyReason | None:
    policy = policy_of(rules, role=f"conditions: {conditions}", spec=ISSUER)
    decision = decide(policy, ALICE, Permission.PROCESSES_LIST, standing)
    if isinstance(decision, Allow):
        return None
    assert decision.role in {"tester", ""}
    return decision.why


def at(day: str, time: str) -> Standing:
    """Gives a standing in the week of Monday 2024-01-01."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    moment = datetime.fromisoformat(f"2024-01-01T{time}").replace(tzinfo=UTC) + timedelta(days=days.index(day))
    seconds = int(moment.timestamp())
    return replace(STANDING, unix_ns=seconds * 1_000_000_000, certificate_since_unix=seconds)


def test_a_role_for_one_tier_permits_nothing_in_the_other() -> None:
    assert answer("{tiers: [prod]}", STANDING) is None
    assert answer("{tiers: [prod]}", replace(STANDING, tier=Tier.NON_PROD)) is DenyReason.OTHER_TIER
    assert answer("{tiers: [non-prod, prod]}", replace(STANDING, tier=Tier.NON_PROD)) is None


@pytest.mark.parametrize(
    ("window", "day", "time", "within"),
    [
        ('{days: [mon], from: "07:00", until: "19:00"}', "mon", "07:00:00", True),
        ('{days: [mon], from: "07:00", until: "19:00"}', "mon", "06:59:59", False),
        ('{days: [mon], from: "07:00", until: "19:00"}', "mon", "18:59:59", True),
        ('{days: [mon], from: "07:00", until: "19:00"}', "mon", "19:00:00", False),
        ('{days: [mon], from: "07:00", until: "19:00"}', "tue", "12:00:00", False),
        ('{days: [sun], from: "22:00", until: "02:00"}', "sun", "22:00:00", True),
        ('{days: [sun], from: "22:00", until: "02:00"}', "mon", "01:59:59", True),
        ('{days: [sun], from: "22:00", until: "02:00"}', "mon", "02:00:00", False),
        ('{days: [sun], from: "22:00", until: "02:00"}', "sun", "01:00:00", False),
        ('{days: [sun], from: "22:00", until: "02:00"}', "mon", "22:00:00", False),
        ('{days: [sat], from: "00:00", until: "24:00"}', "sat", "00:00:00", True),
        ('{days: [sat], from: "00:00", until: "24:00"}', "sat", "23:59:59", True),
        ('{days: [sat], from: "00:00", until: "24:00"}', "sun", "00:00:00", False),
        ('{days: [sat], from: "23:00", until: "00:00"}', "sat", "23:30:00", True),
        ('{days: [sat], from: "23:00", until: "00:00"}', "sun", "00:00:00", False),
    ],
)
def test_a_window_is_of_its_days_in_utc(window: str, day: str, time: str, within: bool) -> None:  # noqa: FBT001 - a table
    assert answer(f"{{windows: [{window}]}}", at(day, time)) is (None if within else DenyReason.OUTSIDE_WINDOW)


def test_one_of_several_windows_is_enough() -> None:
    windows = '{windows: [{days: [mon], from: "07:00", until: "08:00"}, {days: [tue], from: "09:00", until: "10:00"}]}'
    assert answer(windows, at("mon", "07:30:00")) is None
    assert answer(windows, at("tue", "09:30:00")) is None
    assert answer(windows, at("tue", "07:30:00")) is DenyReason.OUTSIDE_WINDOW


def test_a_certificate_is_of_an_age_up_to_the_limit() -> None:
    edge = replace(STANDING, certificate_since_unix=NOON - 24 * 3600)
    assert answer("{maxCertificateHours: 24}", edge) is None
    older = replace(STANDING, certificate_since_unix=NOON - 24 * 3600 - 1)
    assert answer("{maxCertificateHours: 24}", older) is DenyReason.CERTIFICATE_TOO_OLD


@pytest.mark.parametrize(
    ("evidence", "held"),
    [
        (SIGNED_IN, True),
        (None, False),
        (replace(SIGNED_IN, amr=frozenset({"pwd"})), False),
        (replace(SIGNED_IN, amr=frozenset()), False),
        (replace(SIGNED_IN, acr="low"), False),
        (replace(SIGNED_IN, acr="gold"), True),
        (replace(SIGNED_IN, acr=""), False),
        (replace(SIGNED_IN, auth_unix=NOON - 30 * 60), True),
        (replace(SIGNED_IN, auth_unix=NOON - 30 * 60 - 1), False),
        (replace(SIGNED_IN, auth_unix=NOON + 60), True),
        (replace(SIGNED_IN, auth_unix=NOON + 61), False),
    ],
)
def test_evidence_is_of_every_method_of_one_class_and_fresh(evidence: Evidence | None, held: bool) -> None:  # noqa: FBT001 - a table
    asked = "{evidence: {amr: [mfa, pwd], acr: [high, gold], maxMinutes: 30}}"
    expected = None if held else DenyReason.EVIDENCE_NEEDED
    assert answer(asked, replace(STANDING, evidence=evidence)) is expected


def test_a_session_can_be_opened_to_bring_evidence_to() -> None:
    rules = "- {id: all, effect: permit, permissions: [session.open, agent.self, processes.list]}"
    asked = "conditions: {evidence: {maxMinutes: 30}, tiers: [prod]}"
    policy = policy_of(rules, role=asked, spec=ISSUER)
    assert isinstance(decide(policy, ALICE, Permission.SESSION_OPEN, STANDING), Allow)
    for permission in (Permission.AGENT_SELF, Permission.PROCESSES_LIST):
        assert decide(policy, ALICE, permission, STANDING) == Deny(DenyReason.EVIDENCE_NEEDED, "tester")
    elsewhere = replace(STANDING, tier=Tier.NON_PROD)
    assert decide(policy, ALICE, Permission.SESSION_OPEN, elsewhere) == Deny(DenyReason.OTHER_TIER, "tester")


def test_evidence_without_a_source_of_evidence_counts_for_nothing() -> None:
    policy = policy_of(TREE, role="conditions: {evidence: {maxMinutes: 30}}", spec=ISSUER)
    standing = replace(STANDING, evidence=SIGNED_IN)
    assert isinstance(decide(policy, ALICE, Permission.PROCESSES_LIST, standing), Allow)
    without = replace(policy, evidence=None)
    assert decide(without, ALICE, Permission.PROCESSES_LIST, standing) == Deny(DenyReason.EVIDENCE_NEEDED, "tester")


def test_a_sign_in_alone_can_be_asked_for() -> None:
    assert answer("{evidence: {maxMinutes: 10}}", replace(STANDING, evidence=SIGNED_IN)) is None
    assert answer("{evidence: {maxMinutes: 9}}", replace(STANDING, evidence=SIGNED_IN)) is DenyReason.EVIDENCE_NEEDED


def test_the_condition_that_a_caller_can_do_least_about_is_the_one_that_is_named() -> None:
    every = (
        '{tiers: [non-prod], windows: [{days: [tue], from: "07:00", until: "08:00"}], maxCertificateHours: 1, '
        "evidence: {maxMinutes: 1}}"
    )
    poor = replace(STANDING, certificate_since_unix=0)
    assert answer(every, poor) is DenyReason.OTHER_TIER
    poor = replace(poor, tier=Tier.NON_PROD)
    assert answer(every, poor) is DenyReason.OUTSIDE_WINDOW
    poor = replace(at("tue", "07:30:00"), tier=Tier.NON_PROD, certificate_since_unix=0)
    assert answer(every, poor) is DenyReason.CERTIFICATE_TOO_OLD
    poor = replace(at("tue", "07:30:00"), tier=Tier.NON_PROD)
    assert answer(every, poor) is DenyReason.EVIDENCE_NEEDED


def test_a_forbid_counts_although_the_conditions_of_its_role_do_not_hold() -> None:
    rules = f"{TREE}\n- {{id: shut, effect: forbid, permissions: [processes.list]}}"
    assert answer("{tiers: [non-prod]}", STANDING, rules) is DenyReason.FORBIDDEN


def test_conditions_of_a_role_say_nothing_about_another_role() -> None:
    policy = policy_of(TREE, role="conditions: {tiers: [non-prod]}")
    other = replace(policy.roles[0], name="other", conditions=Conditions())
    both = replace(
        policy,
        roles=(*policy.roles, other),
        bindings=(*policy.bindings, replace(policy.bindings[0], role="other")),
    )
    decision = decide(both, ALICE, Permission.PROCESSES_LIST, STANDING)
    assert isinstance(decision, Allow)
    assert decision.roles == ("other",)


def test_of_the_denials_of_several_roles_the_nearest_to_a_yes_is_named() -> None:
    policy = policy_of(TREE, role="conditions: {tiers: [non-prod]}")
    nearer = replace(policy.roles[0], name="nearer", conditions=Conditions(max_certificate_hours=0))
    both = replace(
        policy,
        roles=(*policy.roles, nearer),
        bindings=(*policy.bindings, replace(policy.bindings[0], role="nearer")),
    )
    denied = decide(both, ALICE, Permission.PROCESSES_LIST, STANDING)
    assert denied == Deny(DenyReason.CERTIFICATE_TOO_OLD, "nearer")


@given(
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(0, 4_000_000_000),
)
def test_a_window_holds_the_moments_that_a_calendar_says_it_does(
    days: frozenset[int], start: int, end: int, now: int
) -> None:
    window = TimeWindow(days, start, end)
    moment = datetime.fromtimestamp(now, UTC)
    midnights = [moment.replace(hour=0, minute=0, second=0) - timedelta(days=back) for back in (0, 1)]
    length = end - start if end > start else end + 1440 - start
    within = any(
        midnight.weekday() in days and timedelta(minutes=start) <= moment - midnight < timedelta(minutes=start + length)
        for midnight in midnights
    )
    standing = Standing(now * 1_000_000_000 + 999_999_999, Tier.PROD, now)
    assert (unmet(Conditions(windows=(window,)), standing) is None) is within
