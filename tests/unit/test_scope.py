"""Scopes: which processes, names and paths a set of permits and forbids admits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.model import ProcessSelector, Profile, RuleId
from leadglass_agent.policy.scope import Bound, ProcessFacts, Scope, ScopeRule

API = ProcessFacts(pid=7, uid=1000, name="api", executable="/app/api")
UNKNOWN = ProcessFacts(pid=8, uid=1000, name="api", executable=None)


def rule(*selectors: ProcessSelector, names: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> ScopeRule:
    return ScopeRule(rule_id=RuleId("r"), processes=selectors, names=names, paths=paths)


def test_a_scope_without_permits_is_empty() -> None:
    assert Scope().is_empty()
    assert not Scope().admits_process(API)
    assert not Scope().admits_name("LANG")
    assert not Scope().admits_path("/etc")


def test_the_lists_of_one_selector_must_all_fit_and_one_selector_is_enough() -> None:
    both = ProcessSelector(names=("api",), uids=(1000,))
    assert Scope(permits=(rule(both),)).admits_process(API)
    assert not Scope(permits=(rule(ProcessSelector(names=("api",), uids=(0,))),)).admits_process(API)
    assert Scope(permits=(rule(ProcessSelector(uids=(0,)), both),)).admits_process(API)


def test_an_executable_that_is_unknown_is_never_permitted_and_always_forbidden() -> None:
    everything = rule()
    by_path = rule(ProcessSelector(executables=("/app/**",)))
    elsewhere = rule(ProcessSelector(executables=("/usr/bin/vault",)))
    assert Scope(permits=(by_path,)).admits_process(API)
    assert not Scope(permits=(by_path,)).admits_process(UNKNOWN)
    assert Scope(permits=(everything,), forbids=(elsewhere,)).admits_process(API)
    assert not Scope(permits=(everything,), forbids=(elsewhere,)).admits_process(UNKNOWN)


def test_an_unknown_executable_does_not_widen_a_forbid_whose_user_differs() -> None:
    forbid = rule(ProcessSelector(executables=("/usr/bin/vault",), uids=(0,)))
    assert Scope(permits=(rule(),), forbids=(forbid,)).admits_process(UNKNOWN)


@pytest.mark.parametrize("executable", ["", "app/api", "/app//api", "/app/../api", "(unreachable)/app/api"])
def test_an_executable_that_is_no_plain_path_counts_as_unknown(executable: str) -> None:
    facts = ProcessFacts(pid=1, uid=1000, name="api", executable=executable)
    selector = ProcessSelector(executables=("/app/**",))
    assert not Scope(permits=(rule(selector),)).admits_process(facts)
    assert not Scope(permits=(rule(),), forbids=(rule(selector),)).admits_process(facts)


def test_replacing_a_program_on_disk_does_not_shake_off_a_forbid() -> None:
    facts = ProcessFacts(pid=1, uid=1000, name="api", executable="/app/api (deleted)")
    selector = ProcessSelector(executables=("/app/api",))
    assert not Scope(permits=(rule(),), forbids=(rule(selector),)).admits_process(facts)
    assert not Scope(permits=(rule(selector),)).admits_process(facts)


def test_narrowing_answers_the_question_about_the_process() -> None:
    scope = Scope(
        permits=(rule(ProcessSelector(uids=(1000,)), names=("*",)), rule(ProcessSelector(uids=(0,)), names=("ROOT",))),
        forbids=(rule(ProcessSelector(uids=(1000,)), names=("DB_*",)), rule(ProcessSelector(uids=(0,)))),
    )
    narrowed = scope.narrow(API)
    assert narrowed == Scope(permits=(rule(names=("*",)),), forbids=(rule(names=("DB_*",)),))
    assert narrowed.admits_name("LANG")
    assert not narrowed.admits_name("DB_HOST")
    assert scope.narrow(ProcessFacts(pid=1, uid=0, name="init", executable="/init")).is_empty()


def test_a_scope_that_was_not_narrowed_admits_nothing_by_a_permit_that_selects_processes() -> None:
    selective = rule(ProcessSelector(uids=(1000,)), names=("*",), paths=("/**",))
    assert not Scope(permits=(selective,)).admits_name("LANG")
    assert not Scope(permits=(selective,)).admits_path("/etc")
    everything = rule(names=("*",), paths=("/**",))
    assert not Scope(permits=(everything,), forbids=(selective,)).admits_name("LANG")
    assert not Scope(permits=(everything,), forbids=(selective,)).admits_path("/etc")


@pytest.mark.parametrize("path", ["", "etc", "/etc/", "/etc//a", "/etc/../a", "/etc/./a", "/a\0b", "/" + "a" * 4096])
def test_a_path_that_is_not_canonical_is_admitted_by_nothing(path: str) -> None:
    assert not Scope(permits=(rule(),)).admits_path(path)
    assert not Scope(permits=(rule(paths=("/**",)),)).admits_path(path)


def test_a_scope_names_its_rules_with_permits_first() -> None:
    permit, forbid = ScopeRule(rule_id=RuleId("z")), ScopeRule(rule_id=RuleId("a"))
    assert Scope(permits=(permit,), forbids=(forbid,)).rule_ids == ("z", "a")


def bounded(*bounds: Bound, names: tuple[str, ...] = ("*",), paths: tuple[str, ...] = ("/**",)) -> Scope:
    return Scope(permits=(ScopeRule(rule_id=RuleId("r"), names=names, paths=paths, bounds=bounds),))


def test_a_permit_whose_bounds_are_all_gone_permits_nothing() -> None:
    assert bounded().is_empty()
    assert not bounded().admits_name("LANG")
    assert not bounded().admits_path("/etc")
    elsewhere = bounded(Bound(grant_id="g", processes=(ProcessSelector(names=("other",)),)))
    assert elsewhere.narrow(API) == Scope()


def test_a_bound_without_selectors_admits_what_the_permit_does() -> None:
    scope = bounded(Bound(grant_id="g"), names=("DB_*",), paths=("/app/**",))
    assert scope.admits_process(UNKNOWN)
    assert scope.admits_name("DB_HOST")
    assert not scope.admits_name("LANG")
    assert scope.admits_path("/app/a")
    assert not scope.admits_path("/etc")


def test_a_bound_narrows_what_its_permit_admits() -> None:
    scope = bounded(Bound(grant_id="g", names=("LANG",), paths=("/app/**",)))
    assert scope.admits_name("LANG")
    assert not scope.admits_name("DB_HOST")
    assert scope.admits_path("/app/a")
    assert not scope.admits_path("/etc")
    assert not scope.admits_path("/app/../etc")


def test_narrowing_answers_a_bound_s_question_about_the_process_and_drops_it_if_the_answer_is_no() -> None:
    api = Bound(grant_id="a", processes=(ProcessSelector(executables=("/app/**",)),), names=("LANG",))
    root = Bound(grant_id="r", processes=(ProcessSelector(uids=(0,)),), names=("HOME",))
    anything = Bound(grant_id="x", names=("TZ",))
    narrowed = bounded(api, root, anything).narrow(API)
    assert narrowed == bounded(Bound(grant_id="a", names=("LANG",)), Bound(grant_id="x", names=("TZ",)))
    assert [name for name in ("LANG", "HOME", "TZ") if narrowed.admits_name(name)] == ["LANG", "TZ"]
    assert bounded(api, root).narrow(UNKNOWN) == Scope()


def test_a_bound_that_selects_processes_admits_nothing_before_the_scope_is_narrowed() -> None:
    scope = bounded(Bound(grant_id="g", processes=(ProcessSelector(uids=(1000,)),)))
    assert not scope.admits_name("LANG")
    assert not scope.admits_path("/etc")
    assert scope.admits_process(API)
    assert scope.narrow(API).admits_name("LANG")


def test_a_profile_is_asked_for_only_where_a_bound_admits_the_text() -> None:
    within = Bound(grant_id="g", paths=("/app/**",))
    strict = ScopeRule(rule_id=RuleId("s"), redaction=Profile.STRICT, bounds=(within,))
    scope = Scope(permits=(ScopeRule(rule_id=RuleId("b"), redaction=Profile.BALANCED), strict))
    assert scope.redaction("/app/a") is Profile.STRICT
    assert scope.redaction("/etc") is Profile.BALANCED
    assert scope.redaction() is Profile.STRICT
    selective = Bound(grant_id="g", processes=(ProcessSelector(uids=(0,)),))
    other = Scope(permits=(ScopeRule(rule_id=RuleId("s"), redaction=Profile.STRICT, bounds=(selective,)),))
    assert other.redaction() is None


_NAMES = st.lists(st.sampled_from(["*", "a*", "?b", "ab", "LANG"]), max_size=2).map(tuple)
_PATHS = st.lists(st.sampled_from(["/**", "/a/*", "/a", "/*/b", "/b/**"]), max_size=2).map(tuple)
_SELECTORS = st.builds(
    ProcessSelector,
    names=_NAMES,
    executables=_PATHS,
    uids=st.lists(st.integers(0, 2), max_size=2).map(tuple),
)
_BOUNDS = st.builds(
    Bound,
    grant_id=st.sampled_from(["g1", "g2"]),
    processes=st.lists(_SELECTORS, max_size=2).map(tuple),
    names=_NAMES,
    paths=_PATHS,
)
_RULES = st.builds(
    ScopeRule,
    rule_id=st.sampled_from(["r1", "r2"]).map(RuleId),
    processes=st.lists(_SELECTORS, max_size=2).map(tuple),
    names=_NAMES,
    paths=_PATHS,
    bounds=st.one_of(st.none(), st.lists(_BOUNDS, max_size=2).map(tuple)),
)
_SCOPES = st.builds(
    Scope, permits=st.lists(_RULES, max_size=3).map(tuple), forbids=st.lists(_RULES, max_size=3).map(tuple)
)
_FACTS = st.builds(
    ProcessFacts,
    pid=st.integers(1, 9),
    uid=st.integers(0, 3),
    name=st.sampled_from(["a", "ab", "bb", ""]),
    executable=st.one_of(st.none(), st.sampled_from(["/a", "/a/b", "/b/c/d", "/b (deleted)", "x"])),
)


@given(_SCOPES, _FACTS)
def test_narrowing_twice_is_narrowing_once(scope: Scope, facts: ProcessFacts) -> None:
    assert scope.narrow(facts).narrow(facts) == scope.narrow(facts)


@given(_SCOPES, _RULES, _FACTS, st.sampled_from(["a", "ab", "LANG"]), st.sampled_from(["/", "/a", "/a/b", "/b/c"]))
def test_one_more_forbid_never_admits_more(
    scope: Scope, extra: ScopeRule, facts: ProcessFacts, name: str, path: str
) -> None:
    tighter = Scope(permits=scope.permits, forbids=(*scope.forbids, extra))
    assert scope.admits_process(facts) >= tighter.admits_process(facts)
    assert scope.narrow(facts).admits_name(name) >= tighter.narrow(facts).admits_name(name)
    assert scope.narrow(facts).admits_path(path) >= tighter.narrow(facts).admits_path(path)


@given(_SCOPES, _FACTS, st.sampled_from(["a", "ab", "LANG"]), st.sampled_from(["/", "/a", "/a/b", "/b/c"]))
def test_what_no_process_is_admitted_for_admits_no_name_and_no_path(
    scope: Scope, facts: ProcessFacts, name: str, path: str
) -> None:
    narrowed = scope.narrow(facts)
    if narrowed.is_empty():
        assert not narrowed.admits_name(name)
        assert not narrowed.admits_path(path)


@given(_SCOPES, _BOUNDS, _FACTS, st.sampled_from(["a", "ab", "LANG"]), st.sampled_from(["/", "/a", "/a/b", "/b/c"]))
def test_bounding_a_permit_never_admits_more(
    scope: Scope, bound: Bound, facts: ProcessFacts, name: str, path: str
) -> None:
    free = Scope(
        permits=tuple(msgspec.structs.replace(permit, bounds=None) for permit in scope.permits), forbids=scope.forbids
    )
    one = Scope(
        permits=tuple(msgspec.structs.replace(permit, bounds=(bound,)) for permit in scope.permits),
        forbids=scope.forbids,
    )
    for tighter in (scope, one):
        assert free.admits_process(facts) >= tighter.admits_process(facts)
        assert free.narrow(facts).admits_name(name) >= tighter.narrow(facts).admits_name(name)
        assert free.narrow(facts).admits_path(path) >= tighter.narrow(facts).admits_path(path)


@given(_SCOPES, _BOUNDS, _BOUNDS, _FACTS, st.sampled_from(["a", "ab", "LANG"]))
def test_two_bounds_admit_what_one_or_the_other_does(
    scope: Scope, left: Bound, right: Bound, facts: ProcessFacts, name: str
) -> None:
    def within(*bounds: Bound) -> bool:
        permits = tuple(msgspec.structs.replace(permit, bounds=bounds) for permit in scope.permits)
        return Scope(permits=permits, forbids=scope.forbids).narrow(facts).admits_name(name)

    assert within(left, right) is (within(left) or within(right))


@given(_SCOPES)
def test_a_scope_survives_the_channel(scope: Scope) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(scope), type=Scope) == scope
    assert msgspec.json.decode(msgspec.json.encode(scope), type=Scope) == scope


def test_an_unknown_field_in_a_scope_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"permits": [], "forbids": [], "unless": []}', type=Scope)
