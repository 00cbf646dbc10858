"""A grant has one text, every field of it is bounded, and a refusal names the field that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leadglass_agent.access.grant import Grant, GrantBudget, GrantError, PodSelector, ProcessBound
from leadglass_agent.access.grant_json import MAX_PAYLOAD, MAX_REASON, parse_grant, write_grant
from leadglass_agent.audit.canonical import Json, canonical
from leadglass_agent.policy.model import Budget, Permission, SpiffeId, Tier

_DAY = 86_400
_GRANT = Grant(
    grant_id="0123456789abcdef" * 2,
    requester=SpiffeId("spiffe://test.leadglass/user/alice"),
    requester_key="ab" * 32,
    permissions=("processes.list", "env.presence"),
    pods=(PodSelector(namespace="shop", workload="checkout"), PodSelector(spiffe_id="spiffe://test.leadglass/ns/**")),
    tier="prod",
    not_before_unix=1_800_000_000,
    not_after_unix=1_800_003_600,
    reason="orders fail since the last release",
    processes=(ProcessBound(names=("java", "node-*"), executables=("/usr/**",), uids=(0, 1_000)),),
    names=("DB_*",),
    paths=("/app/*.yaml",),
    budget=GrantBudget(calls=100, rows=10_000, reply_bytes=1 << 20),
    ticket="OPS-7",
    policy_digest="sha256:" + "cd" * 32,
    needs_evidence=True,
)
_VALUE: dict[str, Json] = json.loads(write_grant(_GRANT))

_NAMES = st.text("abcXYZ_*?-", min_size=1, max_size=20).filter(lambda text: "**" not in text)
_PATHS = st.lists(st.text("abc*-", min_size=1, max_size=6), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join("**" if "**" in part else part for part in parts)
)


def _some(of: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(of, max_size=most, unique=True).map(tuple)


_PROCESSES = st.builds(
    ProcessBound,
    names=_some(_NAMES),
    executables=_some(_PATHS),
    uids=st.lists(st.integers(0, 4_294_967_294), max_size=3, unique=True).map(tuple),
).filter(lambda bound: bound != ProcessBound())
_PODS = st.builds(
    PodSelector,
    spiffe_id=st.sampled_from(["", "spiffe://d/ns/*/sa/web", "spiffe://d/**"]),
    namespace=st.sampled_from(["", "shop", "shop-2"]),
    workload=st.sampled_from(["", "web", "web.v2"]),
    uid=st.sampled_from(["", "8e2a2d3c-1111-4222-8333-444455556666"]),
).filter(lambda pod: pod != PodSelector())
_COUNTS = st.none() | st.integers(0, 2**48)
_BUDGETS = st.builds(
    GrantBudget, calls=_COUNTS, rows=_COUNTS, names=_COUNTS, paths=_COUNTS, reply_bytes=_COUNTS, answers=_COUNTS
)
_JSON = st.recursive(
    st.booleans() | st.integers(-3, 2**70) | st.text(max_size=20) | st.sampled_from(["", "**", "/", "prod", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(_VALUE)), inner, max_size=4),
    max_leaves=10,
)


@st.composite
def _grants(draw: st.DrawFn) -> Grant:
    start = draw(st.integers(0, 2**39))
    grant = Grant(
        grant_id=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        requester=SpiffeId(draw(st.sampled_from(["spiffe://d/user/a", "spiffe://test.leadglass/x/y/z"]))),
        requester_key=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        permissions=draw(_some(st.sampled_from([p for p in Permission if p != "env.reveal"]), 8)) or ("env.names",),
        pods=tuple(draw(st.lists(_PODS, min_size=1, max_size=4, unique=True))),
        tier=draw(st.sampled_from(["prod", "non-prod"])),
        not_before_unix=start,
        not_after_unix=start + draw(st.integers(1, _DAY)),
        reason="why " + draw(st.text("abcäöü漢 \"'\\/<>", max_size=50)),
        processes=tuple(draw(st.lists(_PROCESSES, max_size=3, unique=True))),
        names=draw(_some(_NAMES)),
        paths=draw(_some(_PATHS)),
        budget=draw(_BUDGETS),
        ticket=draw(st.sampled_from(["", "OPS-1"])),
        policy_digest=draw(st.sampled_from(["", "sha256:" + "0" * 64])),
        needs_evidence=draw(st.booleans()),
    )
    reveals = draw(st.booleans())
    return replace(grant, permissions=("env.reveal",), names=("DB_URL",), reveals=True) if reveals else grant


@given(_grants())
def test_what_is_written_reads_back_the_same(grant: Grant) -> None:
    assert parse_grant(write_grant(grant)) == grant


@given(_grants(), _grants())
def test_different_grants_have_different_texts(first: Grant, second: Grant) -> None:
    assume(first != second)
    assert write_grant(first) != write_grant(second)


def test_the_texts_of_tiers_permissions_and_budgets_are_those_of_the_policy() -> None:
    for tier in Tier:
        assert parse_grant(write_grant(replace(_GRANT, tier=tier))).tier == tier
    for permission in set(Permission) - {Permission.ENV_REVEAL}:
        assert parse_grant(write_grant(replace(_GRANT, permissions=(permission,)))).permissions == (permission,)
    assert GrantBudget.__slots__ == Budget.__slots__


def test_minutes_are_rounded_up() -> None:
    times = {1: 1, 59: 1, 60: 1, 61: 2, 3_600: 60, _DAY: 1_440}
    for seconds, minutes in times.items():
        assert replace(_GRANT, not_after_unix=_GRANT.not_before_unix + seconds).minutes == minutes


@pytest.mark.parametrize("key", sorted(_VALUE))
def test_a_member_too_few_or_too_many_is_refused(key: str) -> None:
    without = {name: value for name, value in _VALUE.items() if name != key}
    for value in (without, _VALUE | {key + "x": _VALUE[key]}, without | {key.upper() + "_": _VALUE[key]}):
        with pytest.raises(GrantError, match="exactly the known members") as caught:
            parse_grant(canonical(value))
        assert key + "x" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("grantId", {"grantId": "0" * 31}),
        ("grantId", {"grantId": "0" * 33}),
        ("grantId", {"grantId": "A" * 32}),
        ("grantId", {"grantId": "0" * 32 + "\n"}),
        ("grantId", {"grantId": ["0" * 32]}),
        ("requester", {"requester": ""}),
        ("requester", {"requester": "alice"}),
        ("requester", {"requester": "spiffe://test.leadglass"}),
        ("requester", {"requester": "spiffe://test.leadglass/user/../alice"}),
        ("requester", {"requester": "spiffe://test.leadglass/user/alice\n"}),
        ("requester", {"requester": "spiffe://test.leadglass/" + "a/" * 1_100 + "a"}),
        ("requesterKey", {"requesterKey": ""}),
        ("requesterKey", {"requesterKey": "AB" * 32}),
        ("permissions", {"permissions": []}),
        ("permissions", {"permissions": "env.names"}),
        ("permissions", {"permissions": ["env.names", "env.names"]}),
        ("permissions[1]", {"permissions": ["env.names", "*"]}),
        ("permissions[0]", {"permissions": ["ENV.NAMES"]}),
        ("permissions[0]", {"permissions": [7]}),
        ("permissions", {"permissions": [f"a.{'b' * count}" for count in range(1, 34)]}),
        ("pods", {"pods": []}),
        ("pods[0]", {"pods": [{"namespace": "", "spiffeId": "", "uid": "", "workload": ""}]}),
        ("pods[0]", {"pods": [{"namespace": "shop"}]}),
        ("pods[0].namespace", {"pods": [{"namespace": "*", "spiffeId": "", "uid": "", "workload": ""}]}),
        ("pods[0].namespace", {"pods": [{"namespace": "-a", "spiffeId": "", "uid": "", "workload": ""}]}),
        ("pods[0].workload", {"pods": [{"namespace": "", "spiffeId": "", "uid": "", "workload": "a/b"}]}),
        ("pods[0].uid", {"pods": [{"namespace": "", "spiffeId": "", "uid": "A B", "workload": ""}]}),
        ("pods[0].spiffeId", {"pods": [{"namespace": "", "spiffeId": "**", "uid": "", "workload": ""}]}),
        ("pods[0].spiffeId", {"pods": [{"namespace": "", "spiffeId": "spiffe://a**", "uid": "", "workload": ""}]}),
        ("pods", {"pods": [_VALUE["pods"][0]] * 2}),  # type: ignore[index] # it is a list
        ("tier", {"tier": ""}),
        ("tier", {"tier": "Prod"}),
        ("tier", {"tier": "*"}),
        ("notBeforeUnix", {"notBeforeUnix": -1}),
        ("notBeforeUnix", {"notBeforeUnix": True}),
        ("notBeforeUnix", {"notBeforeUnix": "1800000000"}),
        ("notAfterUnix", {"notAfterUnix": 2**41}),
        ("notAfterUnix", {"notAfterUnix": 1_800_000_000}),
        ("notAfterUnix", {"notAfterUnix": 1_799_999_999}),
        ("notAfterUnix", {"notAfterUnix": 1_800_000_000 + _DAY + 1}),
        ("reason", {"reason": ""}),
        ("reason", {"reason": " . "}),
        ("reason", {"reason": "why" * MAX_REASON}),
        ("reason", {"reason": "why\nApproved by: everybody"}),
        ("reason", {"reason": "why\x1b[2J"}),
        ("reason", {"reason": "why \u202egnp.exe"}),
        ("reason", {"reason": "why\u200b"}),
        ("reason", {"reason": "why\u3164"}),
        ("ticket", {"ticket": "x" * 101}),
        ("ticket", {"ticket": "OPS-1\r"}),
        ("ticket", {"ticket": 7}),
        ("policyDigest", {"policyDigest": "sha256:" + "0" * 63}),
        ("policyDigest", {"policyDigest": "0" * 64}),
        ("names[0]", {"names": [""]}),
        ("names[0]", {"names": ["**"]}),
        ("names[0]", {"names": ["[a-z]"]}),
        ("names[0]", {"names": ["x" * 257]}),
        ("names[1]", {"names": ["A", "A\u200b"]}),
        ("names", {"names": ["A", "A"]}),
        ("names", {"names": [f"A{number}" for number in range(101)]}),
        ("paths[0]", {"paths": ["app"]}),
        ("paths[0]", {"paths": ["/app/../etc"]}),
        ("paths[0]", {"paths": ["/a**"]}),
        ("processes[0]", {"processes": [{"executables": [], "names": [], "uids": []}]}),
        ("processes[0]", {"processes": [{"names": ["java"]}]}),
        ("processes[0]", {"processes": ["java"]}),
        ("processes[0].uids[0]", {"processes": [{"executables": [], "names": [], "uids": [-1]}]}),
        ("processes[0].uids[0]", {"processes": [{"executables": [], "names": [], "uids": [True]}]}),
        ("processes[0].uids[0]", {"processes": [{"executables": [], "names": [], "uids": [2**32 - 1]}]}),
        ("processes[0].names[0]", {"processes": [{"executables": [], "names": ["{a,b}"], "uids": []}]}),
        ("processes[0].executables[0]", {"processes": [{"executables": ["java"], "names": [], "uids": []}]}),
        ("processes", {"processes": [{"executables": [], "names": [f"p{at}"], "uids": []} for at in range(21)]}),
        ("budget", {"budget": []}),
        ("budget", {"budget": {"bytes": 1}}),
        ("budget.calls", {"budget": {"calls": -1}}),
        ("budget.rows", {"budget": {"rows": False}}),
        ("budget.replyBytes", {"budget": {"replyBytes": 2**49}}),
        ("needsEvidence", {"needsEvidence": 0}),
        ("needsEvidence", {"needsEvidence": "false"}),
        ("reveals", {"reveals": 1}),
        ("reveals", {"reveals": True}),
        ("reveals", {"permissions": ["env.reveal"], "names": ["DB_URL"]}),
        ("names", {"permissions": ["env.reveal"], "reveals": True, "names": []}),
        ("names", {"permissions": ["env.reveal"], "reveals": True, "names": ["DB_*"]}),
        ("names", {"permissions": ["env.reveal"], "reveals": True, "names": ["DB_UR?"]}),
        ("names", {"permissions": ["env.reveal"], "reveals": True, "names": ["DB_URL", "DB_USER"]}),
    ],
    ids=str,
)
def test_a_field_out_of_its_bounds_is_refused_by_name(field: str, changes: dict[str, Json]) -> None:
    with pytest.raises(GrantError) as caught:
        parse_grant(canonical(_VALUE | changes))
    assert caught.value.field == field


def test_a_grant_that_reveals_names_one_variable() -> None:
    grant = replace(_GRANT, permissions=("env.reveal",), names=("DB_URL",), reveals=True)
    assert parse_grant(write_grant(grant)) == grant


def test_a_grant_that_would_not_be_read_is_not_written() -> None:
    for wrong in (
        replace(_GRANT, reason=""),
        replace(_GRANT, pods=()),
        replace(_GRANT, not_after_unix=_GRANT.not_before_unix),
        replace(_GRANT, names=("a/**",)),
    ):
        with pytest.raises(GrantError):
            write_grant(wrong)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        write_grant(_GRANT) + b"\n",
        b" " + write_grant(_GRANT),
        write_grant(_GRANT).replace(b'":', b'": ', 1),
        write_grant(_GRANT).replace(b'"reveals":false', b'"reveals":false,"reveals":false'),
        write_grant(_GRANT).replace(b"1800000000", b"18e8"),
        write_grant(_GRANT).replace(b"1800000000", b"1800000000.0"),
        write_grant(_GRANT).replace(b"orders", b"\\u006frders"),
        b"\xff" + write_grant(_GRANT),
        write_grant(_GRANT)[:-1],
        b"[" * 30_000,
        b" " * (MAX_PAYLOAD + 1),
        json.dumps(_VALUE, sort_keys=False, separators=(",", ":")).encode().replace(b'{"budget"', b'{"x":1,"budget"'),
    ],
    ids=lambda text: f"{len(text)} bytes",
)
def test_another_text_than_the_canonical_one_is_refused(text: bytes) -> None:
    with pytest.raises(GrantError):
        parse_grant(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_no_grant(payload: bytes) -> None:
    with pytest.raises(GrantError):
        parse_grant(payload)


@given(st.dictionaries(st.sampled_from(sorted(_VALUE)), _JSON, min_size=1, max_size=5))
def test_any_values_make_a_grant_of_exactly_that_text_or_none(changes: dict[str, Json]) -> None:
    payload = canonical(_VALUE | changes)
    try:
        grant = parse_grant(payload)
    except GrantError:
        return
    assert write_grant(grant) == payload
