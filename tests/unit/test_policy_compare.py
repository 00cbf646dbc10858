"""Everything in which one policy is wider than another is found, and nothing else."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.compare import AccessWidening, widenings
from leadglass_agent.policy.compare_terms import TermWidening
from leadglass_agent.policy.decide import roles_of
from leadglass_agent.policy.glob import is_canonical, matches_name, matches_path
from leadglass_agent.policy.members import (
    TooManyMembersError,
    caller_members,
    executable_members,
    name_members,
    path_members,
)
from leadglass_agent.policy.model import Effect
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.question import Question, Yes, answer
from leadglass_agent.spiffe import trust_domain_of
from policies import policy_of
from policy_pairs import is_allowed, pair_of

_EXAMPLE = (Path(__file__).parents[2] / "docs" / "examples" / "policy.yaml").read_text(encoding="utf-8")

name_globs = st.text("ab*?", min_size=1, max_size=4).filter(lambda glob: "**" not in glob)
path_globs = st.lists(st.sampled_from(["a", "b", "ab", "**", "*", "a*", "?", "?b"]), min_size=1, max_size=3)


@given(st.lists(st.lists(name_globs, min_size=1, max_size=2), max_size=3))
def test_there_is_a_name_for_each_way_in_which_names_fit(groups: list[list[str]]) -> None:
    def fits(name: str) -> tuple[bool, ...]:
        return tuple(any(matches_name(glob, name) for glob in group) for group in groups)

    every = ("".join(word) for length in range(6) for word in itertools.product("abz", repeat=length))
    assert {fits(name) for name in every} <= {fits(name) for name in name_members(groups)}


@given(st.lists(st.lists(path_globs, min_size=1, max_size=2), max_size=3))
def test_there_is_a_canonical_path_for_each_way_in_which_paths_fit(drawn: list[list[list[str]]]) -> None:
    groups = [["/" + "/".join(segments) for segments in group] for group in drawn]

    def fits(path: str) -> tuple[bool, ...]:
        return tuple(any(matches_path(glob, path) for glob in group) for group in groups)

    segments = ("a", "b", "ab", "z", "zz")
    every = ("/" + "/".join(words) for depth in range(5) for words in itertools.product(segments, repeat=depth))
    found = path_members(groups)
    assert {fits(path) for path in every} <= {fits(path) for path in found}
    assert all(is_canonical(path) for path in found)


@given(st.lists(st.lists(path_globs, min_size=1, max_size=2), max_size=2))
def test_deleted_programs_are_told_apart_by_what_they_were(drawn: list[list[list[str]]]) -> None:
    groups = [["/" + "/".join(segments) for segments in group] for group in drawn]

    def fits(path: str) -> tuple[object, ...]:
        was = path.removesuffix(" (deleted)")
        return tuple(
            (any(matches_path(glob, path) for glob in group), any(matches_path(glob, was) for glob in group))
            for group in groups
        )

    segments = ("a", "b", "ab", "z")
    plain = ["/" + "/".join(words) for depth in range(4) for words in itertools.product(segments, repeat=depth)]
    every = [*plain, *(f"{path} (deleted)" for path in plain)]
    assert {fits(path) for path in every} <= {fits(path) for path in executable_members(groups)}


def test_there_is_a_caller_for_each_set_of_bindings() -> None:
    found = caller_members([["spiffe://td/user/*"], ["spiffe://td/**/ada"], ["spiffe://td/user/bob"]])
    assert all(trust_domain_of(caller) for caller in found)
    assert len({caller.rpartition("/")[0] for caller in found} & {"spiffe://td/user"}) == 1
    assert {"spiffe://td/user/ada", "spiffe://td/user/bob"} <= set(found)


def test_globs_that_tell_too_much_apart_are_not_compared_in_part() -> None:
    hostile = [[f"*{''.join(word)}*"] for word in itertools.product("abc", repeat=3)]
    with pytest.raises(TooManyMembersError):
        name_members(hostile)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**62))
def test_what_the_new_policy_permits_and_the_old_one_does_not_is_in_the_list(seed: int) -> None:
    pair = pair_of(seed)
    found = {
        (one.permission, one.role, one.rule)
        for one in widenings(pair.before, pair.after)
        if isinstance(one, AccessWidening)
    }
    role_of = {rule.rule_id: role.name for role in pair.after.roles for rule in role.rules}
    for question in pair.questions:
        if is_allowed(pair.after, question) and not is_allowed(pair.before, question):
            given_by = answer(pair.after, question)
            assert isinstance(given_by, Yes)
            assert {(question.permission, role_of[rule], rule) for rule in given_by.rules} & found


def test_the_generated_pairs_hold_many_questions_that_fall_between_them() -> None:
    between = [
        question
        for pair in map(pair_of, range(400))
        for question in pair.questions
        if is_allowed(pair.after, question) and not is_allowed(pair.before, question)
    ]
    assert len(between) > 100
    assert len({question.permission for question in between}) > 8
    assert sum(bool(question.standing.grants) for question in between) > 20


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**62))
def test_each_example_is_permitted_by_the_new_policy_and_not_by_the_old_one(seed: int) -> None:
    pair = pair_of(seed)
    for one in widenings(pair.before, pair.after):
        # With a grant the approvers of an example are stand-ins, whom only the comparison knows.
        if isinstance(one, AccessWidening) and not one.standing.grants:
            question = Question(one.caller, one.permission, one.standing, one.target)
            assert is_allowed(pair.after, question)
            assert not is_allowed(pair.before, question)
            assert one.role in {role.name for role in roles_of(pair.after, one.caller)}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**62))
def test_a_policy_is_not_wider_than_itself_nor_with_less_in_it(seed: int) -> None:
    policy = pair_of(seed).before
    assert widenings(policy, policy) == ()
    roles = tuple(
        replace(role, rules=tuple(rule for rule in role.rules if rule.effect is Effect.FORBID or at % 2))
        for at, role in enumerate(policy.roles)
    )
    assert widenings(policy, replace(policy, roles=roles)) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("/usr/bin/vault*", "/usr/bin/vaulted*", {"sre-tree"}),
        ("uids: [10001]", "uids: [10001, 0]", {"sre-environment"}),
        ('names: ["BACKUP_*"]', 'names: ["BACKUP_*_KEY"]', {"sre-environment"}),
        ("/app/secrets/**", "/app/secrets/*", {"sre-files"}),
        ("/etc/shop/**, /tmp]", "/etc/shop/**, /tmp/*]", {"sre-files"}),
        ('until: "20:00"', 'until: "20:01"', {"granted-texts", "granted-reveal"}),
        ("tiers: [prod]", "tiers: [prod, non-prod]", {"granted-texts", "granted-reveal"}),
        ("maxCertificateHours: 24", "maxCertificateHours: 25", {"granted-texts", "granted-reveal"}),
        ("amr: [mfa], maxMinutes: 60", "amr: [mfa], maxMinutes: 61", {"granted-texts", "granted-reveal"}),
        ("amr: [mfa], ", "", {"granted-texts", "granted-reveal"}),
        ("maxMinutes: 240", "maxMinutes: 241", {"granted-texts"}),
        ("approvals: 2", "approvals: 1", {"granted-reveal"}),
        ("team/payments/lead/*", "team/**", {"approver-signs", "granted-texts", "granted-reveal"}),
        ("ns/monitoring/sa/dashboard", "ns/monitoring/sa/*", {"dashboard-session", "dashboard-tree"}),
    ],
)
def test_an_edit_that_widens_is_found_at_the_rules_that_it_reaches(old: str, new: str, expected: set[str]) -> None:
    assert old in _EXAMPLE
    before, after = (parse_policy(text.encode(), "p") for text in (_EXAMPLE, _EXAMPLE.replace(old, new)))
    found = {one.rule for one in widenings(before, after) if isinstance(one, AccessWidening)}
    assert found == expected
    back = {one.rule for one in widenings(after, before) if isinstance(one, AccessWidening)}
    assert back == ({"sre-files"} if new.endswith("/tmp/*]") else set())


@pytest.mark.parametrize(
    ("old", "new", "term"),
    [
        ("maxMinutes: 60\n    idle", "maxMinutes: 61\n    idle", "session.maxMinutes"),
        ("idleMinutes: 10", "idleMinutes: 11", "session.idleMinutes"),
        ("maxOpen: 2", "maxOpen: 3", "session.maxOpen"),
        ("callsPerMinute: 120", "callsPerMinute: 121", "session.callsPerMinute"),
        ("minReasonCharacters: 20", "minReasonCharacters: 30", ""),
        ("|INC[0-9]{7}", "", "session.ticketPattern"),
        ("denials: 20", "denials: 21", "guard.denials"),
        ("haltMinutes: 15", "haltMinutes: 14", "guard.haltMinutes"),
        ('"/**/.ssh/**"', '"/**/.ssh/*"', "guard.sensitivePaths"),
        ("/proc/*/environ", "/proc/**", ""),
        ("rows: 20000, ", "", "budget.rows"),
        ("calls: 2000", "calls: 2001", "budget.calls"),
        ("calls: 2000", "calls: 1999", ""),
        ("perMonth: 2", "perMonth: 3", "breakGlass.perMonth"),
        ("reviewOwed: true", "reviewOwed: false", "breakGlass.reviewOwed"),
        ("names: [FEATURE_*, SHOP_DB_HOST]\n    app", "names: [FEATURE_*, SHOP_*]\n    app", "breakGlass.names"),
        ("maxMinutes: 5\n", "maxMinutes: 4\n", ""),
        ("[ES256, EdDSA]", "[ES256, EdDSA, RS256]", "evidence.algorithms"),
        ("audience: leadglass", "audience: everybody", "evidence.audience"),
    ],
)
def test_a_looser_term_is_found_and_a_stricter_one_is_not(old: str, new: str, term: str) -> None:
    assert old in _EXAMPLE
    before, after = (parse_policy(text.encode(), "p") for text in (_EXAMPLE, _EXAMPLE.replace(old, new)))
    found = [one for one in widenings(before, after) if isinstance(one, TermWidening)]
    assert [one.term for one in found] == ([term] if term else [])


@pytest.mark.parametrize(
    ("old", "new", "is_wider"),
    [
        ("", "redaction: balanced", True),
        ("redaction: strict", "", True),
        ("redaction: balanced", "redaction: strict", False),
        ("redaction: balanced", "", False),
    ],
)
def test_text_that_is_masked_less_is_wider(old: str, new: str, *, is_wider: bool) -> None:
    rule = "- {{id: r, effect: permit, permissions: [text.redacted], paths: [/a], {}}}"
    before, after = (policy_of(rule.format(profile).replace(", }", "}")) for profile in (old, new))
    assert bool(widenings(before, after)) is is_wider


def test_a_policy_that_gives_up_strict_masking_as_a_whole_is_wider() -> None:
    rule = "- {id: r, effect: permit, permissions: [processes.argv]}"
    strict, plain = policy_of(rule, spec="redaction: strict"), policy_of(rule)
    assert [one.term for one in widenings(strict, plain) if isinstance(one, TermWidening)] == ["redaction"]
    assert widenings(plain, strict) == ()
