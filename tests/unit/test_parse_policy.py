"""Policy files: what they become, and the line and column of what is wrong with them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, decide, permissions_of, session_limits
from leadglass_agent.policy.model import Effect, Permission, ProcessSelector, Profile, Rule, RuleId, SpiffeId
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.parse_limits import DEFAULTS
from leadglass_agent.policy.ticket import TicketPatternError, parse_ticket_pattern
from leadglass_agent.strict_yaml import DocumentError
from policies import ALICE, STANDING, policy_of, policy_text

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "policy.yaml"
REFERENCE = Path(__file__).parents[2] / "docs" / "policy.md"
OPEN = "- {id: a, effect: permit, permissions: [session.open]}"
SRE = SpiffeId("spiffe://prod.example.org/team/payments/oncall/ada")


def fault(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_policy(text.encode(), "policy.yaml")
    return str(caught.value)


def fault_of(rules: str, *, session: str = "", role_session: str = "") -> str:
    return fault(policy_text(rules, session=session, role_session=role_session))


def test_the_documented_example_says_what_it_looks_like() -> None:
    text = EXAMPLE.read_bytes()
    policy = parse_policy(text, "policy.yaml")
    assert policy.digest == "sha256:" + hashlib.sha256(text).hexdigest()
    assert policy.name == "shop-api"
    assert permissions_of(policy, SRE, STANDING) == (
        Permission.SESSION_OPEN,
        Permission.AGENT_SELF,
        Permission.PROCESSES_LIST,
        Permission.PROCESSES_EXECUTABLE,
        Permission.PROCESSES_ARGV,
        Permission.ENV_PRESENCE,
        Permission.ENV_NAMES,
        Permission.FILES_METADATA,
        Permission.FILES_LIST,
        Permission.GRANTS_APPROVE,
    )
    assert permissions_of(policy, SpiffeId("spiffe://prod.example.org/ns/monitoring/sa/dashboard"), STANDING) == (
        Permission.SESSION_OPEN,
        Permission.PROCESSES_LIST,
    )
    assert session_limits(policy, SRE).max_minutes == 60
    files = decide(policy, SRE, Permission.FILES_LIST, STANDING)
    assert isinstance(files, Allow)
    assert files.scope.admits_path("/etc/shop/shop.conf")
    assert not files.scope.admits_path("/app/secrets/key")


def test_every_policy_of_the_reference_page_is_one() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    whole = [block for block in blocks if "apiVersion" in block]
    assert whole
    for block in whole:
        parse_policy(block.encode(), "policy.md")


def test_a_rule_is_read_with_all_its_selectors() -> None:
    policy = policy_of(
        """
        - id: names
          effect: forbid
          permissions: [env.names, env.presence]
          processes:
            - {names: [api*], uids: [0, 1000], executables: [/app/**]}
            - {uids: [7]}
          names: [DB_?, LANG]
        """
    )
    assert policy.roles[0].rules == (
        Rule(
            rule_id=RuleId("names"),
            effect=Effect.FORBID,
            permissions=frozenset({Permission.ENV_NAMES, Permission.ENV_PRESENCE}),
            processes=(
                ProcessSelector(names=("api*",), executables=("/app/**",), uids=(0, 1000)),
                ProcessSelector(uids=(7,)),
            ),
            names=("DB_?", "LANG"),
        ),
    )


def test_a_policy_without_roles_is_one_that_permits_nothing() -> None:
    text = "apiVersion: leadglass.dev/v1\nkind: AccessPolicy\nmetadata: {name: shut}\nspec: {roles: [], bindings: []}\n"
    assert permissions_of(parse_policy(text.encode(), "policy.yaml"), ALICE, STANDING) == ()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("- {id: a, effect: permit, permissions: [env.name], names: [A]}", "'env.name'; did you mean 'env.names'?"),
        ("- {id: a, effect: permit, permissions: [processes.ls]}", "did you mean 'processes.list'?"),
        ("- {id: a, effect: permit, permissions: [zzz]}", "unknown permission 'zzz'"),
        ("- {id: a, effect: permit, permissions: []}", "expected `array` of length >= 1"),
        ("- {id: a, effect: allow, permissions: [session.open]}", "'allow' is not one of the values allowed here"),
        ("- {id: a, effect: permit, permissions: [session.open, session.open]}", "'session.open' is there twice"),
        ("- {id: a, effect: permit, permissions: [env.names]}", "must say which 'names'"),
        ("- {id: a, effect: permit, permissions: [files.list]}", "must say which 'paths'"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: []}", "expected `array` of length >= 1"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: }", "expected `array`, got `null`"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: [etc]}", "a path must be absolute"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: [/etc/../x]}", "a path must be absolute"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: [/a**]}", "'**' must be a whole segment"),
        ('- {id: a, effect: permit, permissions: [files.list], paths: ["/[ab]"]}', "'*', '?' and '**' are special"),
        ("- {id: a, effect: permit, permissions: [env.names], names: ['**']}", "'**' is for whole path segments"),
        ("- {id: a, effect: permit, permissions: [env.names, processes.list], names: [A]}", "env permissions alone"),
        ("- {id: a, effect: forbid, permissions: [session.open], names: [A]}", "env permissions alone"),
        ("- {id: a, effect: forbid, permissions: [files.list, env.names], paths: [/a]}", "and text permissions alone"),
        ("- {id: a, effect: permit, permissions: [text.redacted]}", "must say which 'paths'"),
        ("- {id: a, effect: permit, permissions: [text.redacted], paths: [/a], redaction: x}", "'x' is not one"),
        ("- {id: a, effect: permit, permissions: [files.list], paths: [/a], redaction: strict}", "'redaction' goes"),
        ("- {id: a, effect: forbid, permissions: [text.redacted], redaction: strict}", "'redaction' goes with"),
        ("- {id: a, effect: permit, permissions: [agent.self], processes: [{uids: [1]}]}", "not go with agent.self"),
        ("- {id: a, effect: forbid, permissions: [sessions.end], processes: [{uids: [1]}]}", "with sessions.end"),
        ("- {id: a, effect: forbid, permissions: [reviews.list], paths: [/a]}", "and text permissions alone"),
        ("- {id: a, effect: forbid, permissions: [env.reveal], paths: [/a]}", "and text permissions alone"),
        ("- {id: a, effect: permit, permissions: [env.reveal]}", "must say which 'names'"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: []}", "expected `array` of length >= 1"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: [{}]}", "a process selector needs"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: [{uids: []}]}", "length >= 1"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: [{uids: [-1]}]}", "`int` >= 0"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: [{uids: [4294967295]}]}", "<= 4294"),
        ("- {id: a, effect: permit, permissions: [processes.list], processes: [{pids: [1]}]}", "unknown key 'pids'"),
        ("- {id: A b, effect: permit, permissions: [session.open]}", "'A b' is not a name"),
        (f"{OPEN}\n{OPEN}", "'a' is there twice"),
        ("[]", "expected `array` of length >= 1"),
    ],
)  # fmt: skip
def test_a_rule_that_says_less_or_more_than_it_seems_is_refused(rules: str, message: str) -> None:
    said = fault_of(rules)
    assert message in said
    assert re.match(r"policy\.yaml:1[0-9]:[0-9]+: ", said)


def test_a_fault_points_at_the_value_itself() -> None:
    rules = "- id: a\n  effect: permit\n  permissions:\n    - session.open\n    - sesion.open"
    assert fault_of(rules) == "policy.yaml:16:15: unknown permission 'sesion.open'; did you mean 'session.open'?"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("v1", "v2", "policy.yaml:1:13: 'leadglass.dev/v2' is not one of"),
        ("AccessPolicy", "Policy", "policy.yaml:2:7: 'Policy' is not one of"),
        ("role: tester", "role: testers", "policy.yaml:7:13: unknown role 'testers'; did you mean 'tester'?"),
        ("callers: [", "callers: [] #", "policy.yaml:8:16: expected `array` of length >= 1"),
        (ALICE, "spiffe://demo.leadglass", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "spiffe://*/user/alice", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "spiffe://demo.leadglass/user/", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "spiffe://demo.leadglass/../x", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "spiffe://demo.leadglass/a?b=c/*", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "alice", "policy.yaml:8:17: a caller is a SPIFFE id"),
        (ALICE, "spiffe://demo.leadglass/**x", "policy.yaml:8:17: '**' must be a whole segment"),
        ("  bindings", "  binding", "policy.yaml:6:3: unknown key 'binding'"),
    ],
)
def test_the_frame_of_a_policy_is_as_strict(old: str, new: str, message: str) -> None:
    assert fault(policy_text(OPEN).replace(old, new, 1)).startswith(message)


def test_a_policy_has_a_bounded_number_of_rules() -> None:
    def role(number: int) -> str:
        rules = [f"{{id: r{number}-{at}, effect: permit, permissions: [agent.self]}}" for at in range(200)]
        return f"    - name: role{number}\n      rules: [{', '.join(rules)}]\n"

    full = policy_text(OPEN).replace("id: a", "id: last") + "".join(map(role, range(4)))
    assert len(parse_policy(full.encode(), "policy.yaml").roles) == 5
    assert fault(full + role(4)).endswith("a policy has at most 1000 rules")


def test_role_names_are_unique() -> None:
    text = policy_text(OPEN) + "    - name: tester\n      rules: [{id: b, effect: permit, permissions: [agent.self]}]\n"
    assert fault(text) == "policy.yaml:13:13: 'tester' is there twice"


@pytest.mark.parametrize(
    ("session", "message"),
    [
        ("ttl: 0", "unknown key 'ttl'"),
        ("maxMinutes: 0", "expected `int` >= 1"),
        ("maxMinutes: 481", "expected `int` <= 480"),
        ("maxMinutes: .inf", "means different things"),
        ("maxMinutes: '60'", "expected `int`, got `str`"),
        ("maxMinutes:", "expected `int`, got `null`"),
        ("idleMinutes: 0", "expected `int` >= 1"),
        ("idleMinutes: 121", "expected `int` <= 120"),
        ("maxOpen: 0", "expected `int` >= 1"),
        ("maxOpen: 21", "expected `int` <= 20"),
        ("callsPerMinute: 0", "expected `int` >= 1"),
        ("callsPerMinute: 6001", "expected `int` <= 6000"),
        ("minReasonCharacters: 19", "expected `int` >= 20"),
        ("minReasonCharacters: 201", "expected `int` <= 200"),
        ("ticketPattern: ''", "expected `str` of length >= 1"),
        ("ticketPattern: '.*'", "a ticket pattern is made of"),
        ("ticketPattern: 'a|'", "must not fit an empty ticket"),
    ],
)
def test_every_limit_of_a_session_is_bounded(session: str, message: str) -> None:
    assert message in fault_of(OPEN, session=session)
    assert message in fault_of(OPEN, role_session=session)


def test_limits_that_are_left_out_have_defaults_and_a_role_tightens_them() -> None:
    assert policy_of(OPEN).session == DEFAULTS
    policy = policy_of(
        OPEN,
        session="maxMinutes: 30\nidleMinutes: 5\nticketPattern: 'OPS-[0-9]{1,8}'",
        role_session="maxOpen: 1\nminReasonCharacters: 40\nticketPattern: 'OPS-1[0-9]{3}'",
    )
    limits = session_limits(policy, ALICE)
    assert (limits.max_minutes, limits.idle_minutes, limits.max_open) == (30, 5, 1)
    assert (limits.calls_per_minute, limits.min_reason_characters) == (120, 40)
    assert [pattern.text for pattern in limits.ticket_patterns] == ["OPS-1[0-9]{3}", "OPS-[0-9]{1,8}"]


@pytest.mark.parametrize(
    ("session", "role_session", "own"),
    [
        ("maxMinutes: 30", "maxMinutes: 31", 30),
        ("idleMinutes: 5", "idleMinutes: 6", 5),
        ("maxOpen: 1", "maxOpen: 2", 1),
        ("callsPerMinute: 10", "callsPerMinute: 11", 10),
        ("minReasonCharacters: 30", "minReasonCharacters: 29", 30),
        ("", "maxMinutes: 61", 60),
    ],
)
def test_a_role_that_would_loosen_a_limit_is_refused(session: str, role_session: str, own: int) -> None:
    said = fault_of(OPEN, session=session, role_session=role_session)
    assert said.endswith(f"a role can only tighten a limit: the policy's own is {own}")


@pytest.mark.parametrize(
    ("pattern", "fits", "differs"),
    [
        (
            "OPS-[0-9]{1,8}",
            ["OPS-1", "OPS-12345678"],
            ["OPS-", "OPS-123456789", "ops-1", "XOPS-1", "OPS-1 ", "OPS-1\n"],
        ),
        ("INC[0-9]{7}|CHG[0-9]{7}", ["INC0000001", "CHG1234567"], ["INC1", "INC0000001CHG1234567"]),
        ("[A-Z]{2,10}-[0-9]{1,6}", ["AB-1"], ["A-1", "ab-1"]),
        ("[a-z-]{1,20}/[a-z._-]{1,20}#[0-9]{1,6}", ["shop/api#12", "a-b/c.d#1"], ["shop#12"]),
        ("a{0,2}b", ["b", "ab", "aab"], ["aaab", "a"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_a_ticket_pattern_fits_the_whole_ticket(pattern: str, fits: list[str], differs: list[str]) -> None:
    read = parse_ticket_pattern(pattern)
    assert all(map(read.fits, fits))
    assert not any(map(read.fits, differs))


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "a*",
        "a+",
        "(a)",
        "a\\d",
        "^a",
        "a$",
        "[]",
        "[z-a]",
        "[a-Z]",
        "[A-9]",
        "a{3,2}",
        "a{101}",
        "{2}",
        "a" * 201,
        "a|" * 8,
    ],
)
def test_a_ticket_pattern_outside_the_language_is_refused(pattern: str) -> None:
    with pytest.raises(TicketPatternError):
        parse_ticket_pattern(pattern)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "[ab]", "[a-c]", "-"]), st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    st.text(alphabet="abcd-", max_size=8),
)
def test_a_ticket_pattern_means_what_the_same_regular_expression_means(
    pieces: list[tuple[str, int, int]], ticket: str
) -> None:
    pattern = "x" + "".join(f"{piece}{{{low},{low + more}}}" for piece, low, more in pieces)
    assert parse_ticket_pattern(pattern).fits("x" + ticket) is bool(re.fullmatch(pattern, "x" + ticket))


def test_a_hostile_ticket_of_100_characters_is_answered() -> None:
    # A backtracking matcher needs more steps here than any machine takes.
    pattern = parse_ticket_pattern("[ab]{0,100}" * 18 + "c")
    assert not pattern.fits("ab" * 50)
    assert not pattern.fits("a" * 101)


_GOOD = EXAMPLE.read_text(encoding="utf-8")
_ODD = ("0", "-1", "null", "true", "&a", "*a", "[[", "\t", "\0")
_SPLIT = re.findall(r"\w+|\W", _GOOD)
_PIECES = st.sampled_from([*sorted(set(_SPLIT)), *_ODD])


def read(text: bytes) -> None:
    said = ""
    try:
        parse_policy(text, "policy.yaml")
    except DocumentError as error:
        said = str(error)
    assert not said or re.match(r"policy\.yaml:[1-9][0-9]*:[1-9][0-9]*: .", said)


@settings(max_examples=2500)
@given(st.lists(st.tuples(st.integers(0, len(_SPLIT) - 1), _PIECES), min_size=1, max_size=3))
def test_a_policy_with_pieces_replaced_is_a_policy_or_a_document_error(changes: list[tuple[int, str]]) -> None:
    pieces = list(_SPLIT)
    for at, piece in changes:
        pieces[at] = piece
    read("".join(pieces).encode())


@settings(max_examples=1500)
@given(st.integers(0, len(_GOOD)), st.integers(0, 60), st.binary(max_size=4))
def test_a_policy_with_bytes_cut_out_is_a_policy_or_a_document_error(at: int, cut: int, put: bytes) -> None:
    text = _GOOD.encode()
    read(text[:at] + put + text[at + cut :])


def test_a_policy_that_masks_all_text_strictly_takes_no_rule_that_asks_for_less() -> None:
    rules = "- {id: a, effect: permit, permissions: [text.redacted], paths: [/a], redaction: %s}"
    for profile, is_taken in (("strict", True), ("balanced", False)):
        text = policy_text(rules % profile).replace("spec:\n", "spec:\n  redaction: strict\n")
        if is_taken:
            assert parse_policy(text.encode(), "policy.yaml").redaction is Profile.STRICT
        else:
            with pytest.raises(DocumentError, match="would have no effect"):
                parse_policy(text.encode(), "policy.yaml")
    with pytest.raises(DocumentError):
        parse_policy(policy_text(OPEN).replace("spec:\n", "spec:\n  redaction: balanced\n").encode(), "policy.yaml")
