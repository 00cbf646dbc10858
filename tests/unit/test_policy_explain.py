"""An explanation names the rule that decided, and changes that really turn the answer, none of them idle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.changes import Change, ChangeKind, applied
from leadglass_agent.policy.decide import DenyReason
from leadglass_agent.policy.explain import explain
from leadglass_agent.policy.model import Permission, Policy, RuleId, SpiffeId, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.question import No, Question, Yes, answer
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing
from leadglass_agent.policy.targets import Target
from policy_pairs import is_allowed, pair_of

_FILE = Path(__file__).parents[2] / "docs" / "examples" / "policy.yaml"
_EXAMPLE = parse_policy(_FILE.read_bytes(), "policy.yaml")
_OLGA = SpiffeId("spiffe://prod.example.org/team/payments/oncall/olga")
_LEAD = SpiffeId("spiffe://prod.example.org/team/payments/lead/lea")
_STRANGER = SpiffeId("spiffe://prod.example.org/user/sam")
_MONDAY_NOON = 1_767_614_400
_SHOP = ProcessFacts(pid=1, uid=10001, name="shop", executable="/app/shop")


def standing(now: int = _MONDAY_NOON, **more: object) -> Standing:
    plain = Standing(now * 1_000_000_000, Tier.PROD, now - 300)
    return replace(plain, **more)  # type: ignore[arg-type] # each test names fields of a Standing


def after(policy: Policy, question: Question, changes: tuple[Change, ...]) -> bool:
    for change in changes:
        policy, question = applied(policy, question, change)
    return is_allowed(policy, question)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**62))
def test_the_answer_is_the_agents_and_each_way_turns_it_with_nothing_to_spare(seed: int) -> None:
    pair = pair_of(seed)
    for question in pair.questions[:12]:
        explanation = explain(pair.before, question)
        given_yes = isinstance(explanation.answer, Yes)
        assert given_yes is is_allowed(pair.before, question)
        for way in explanation.ways:
            assert after(pair.before, question, way.changes) is not given_yes
            for left_out in way.changes:
                rest = tuple(change for change in way.changes if change is not left_out)
                assert after(pair.before, question, rest) is given_yes


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**62))
def test_no_single_change_is_enough_where_the_smallest_way_has_several(seed: int) -> None:
    pair = pair_of(seed)
    for question in pair.questions[:8]:
        explanation = explain(pair.before, question)
        if isinstance(explanation.answer, Yes) or len(explanation.ways[:1]) != 1:
            continue
        smallest = explanation.ways[0].changes
        edits = sum(change.is_to_policy for change in smallest)
        fewer = [
            Change(kind, role.name, rule.rule_id)
            for role in pair.before.roles
            for rule in role.rules
            for kind in (ChangeKind.WIDEN_PERMIT, ChangeKind.DROP_FORBID)
            if question.permission in rule.permissions and (rule.effect == "permit") is (kind == "WIDEN_PERMIT")
        ]
        fewer += [Change(ChangeKind.BIND_ROLE, role.name) for role in pair.before.roles]
        if edits > 1:
            assert not any(after(pair.before, question, (change,)) for change in fewer)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**62))
def test_what_is_left_open_may_be_anything(seed: int) -> None:
    pair = pair_of(seed)
    for question in pair.questions[:12]:
        opened = answer(pair.before, replace(question, target=Target()))
        if is_allowed(pair.before, question):
            assert isinstance(opened, Yes)
        if isinstance(opened, Yes):
            assert is_allowed(pair.before, replace(question, target=opened.target))


@pytest.mark.parametrize(
    ("caller", "permission", "target", "why", "rules", "smallest"),
    [
        (_OLGA, "env.names", Target(_SHOP, "BACKUP_KEY"), "FORBIDDEN", ("sre-no-backup-names",), ["DROP_FORBID"]),
        (_OLGA, "files.list", Target(_SHOP, path="/root"), "NO_RULE", (), ["WIDEN_PERMIT"]),
        (_OLGA, "sessions.end", Target(), "NO_RULE", (), ["BIND_ROLE"]),
        (_STRANGER, "session.open", Target(), "NO_BINDING", (), ["BIND_ROLE"]),
        (_STRANGER, "env.names", Target(_SHOP, "BACKUP_KEY"), "NO_BINDING", (), ["BIND_ROLE", "DROP_FORBID"]),
        (
            _OLGA,
            "text.redacted",
            Target(_SHOP, path="/etc/shop/a.yaml"),
            "EVIDENCE_NEEDED",
            (),
            ["SHOW_EVIDENCE", "BRING_GRANT"],
        ),
    ],
)
def test_a_no_comes_with_the_smallest_change(
    caller: SpiffeId, permission: str, target: Target, why: str, rules: tuple[str, ...], smallest: list[str]
) -> None:
    explanation = explain(_EXAMPLE, Question(caller, Permission(permission), standing(), target))
    assert isinstance(explanation.answer, No)
    assert (explanation.answer.why, explanation.answer.rules) == (why, rules)
    assert [change.kind for change in explanation.ways[0].changes] == smallest


def test_what_a_caller_can_do_alone_goes_before_any_edit_of_the_policy() -> None:
    sunday_night = standing(_MONDAY_NOON + 6 * 86_400 + 10 * 3600)
    question = Question(_OLGA, Permission.TEXT_REDACTED, sunday_night, Target(_SHOP, path="/etc/shop/a.yaml"))
    first, second, *_ = explain(_EXAMPLE, question).ways
    assert [change.kind for change in first.changes] == ["WAIT_FOR_WINDOW", "SHOW_EVIDENCE", "BRING_GRANT"]
    assert any(change.is_to_policy for change in second.changes)


def test_a_yes_names_the_rule_the_grant_and_what_would_take_it_away() -> None:
    evidence = Evidence("olga", frozenset({"mfa"}), "", _MONDAY_NOON - 60)
    grant = GrantedScope("g1", frozenset({Permission.TEXT_REDACTED}), (_LEAD,), 60, paths=("/etc/shop/**",))
    question = Question(
        _OLGA,
        Permission.TEXT_REDACTED,
        standing(evidence=evidence, grants=(grant,)),
        Target(_SHOP, path="/etc/shop/a.yaml"),
    )
    explanation = explain(_EXAMPLE, question)
    assert explanation.answer == Yes((RuleId("granted-texts"),), ("g1",), question.target)
    assert explanation.ways[0].changes == (Change(ChangeKind.DROP_PERMIT, "sre-granted", "granted-texts"),)
    beyond = replace(question, target=Target(_SHOP, path="/var/log/shop/web.log"))
    assert answer(_EXAMPLE, beyond) == No(DenyReason.GRANT_NEEDED)


def test_a_reveal_without_break_glass_has_no_way() -> None:
    text = _FILE.read_text(encoding="utf-8")
    start, end = text.index("  # The value of one"), text.index("  roles:")
    no_glass = (text[:start] + text[end:]).replace("        - id: granted-reveal", "        - id: gone")
    no_glass = no_glass.replace("permissions: [env.reveal]\n          names: [FEATURE_*, SHOP_DB_HOST]", "")
    no_glass = no_glass.replace("        - id: gone\n          effect: permit\n          \n", "")
    policy = parse_policy(no_glass.encode(), "policy.yaml")
    explanation = explain(policy, Question(_OLGA, Permission.ENV_REVEAL, standing(), Target()))
    assert (explanation.answer, explanation.ways) == (No(DenyReason.NO_RULE), ())
