"""Our decisions beside Cedar's, on generated policy files and requests.

The same generated rules are written twice, as a policy file and as Cedar policies; each engine reads its own.
"""

from __future__ import annotations

import json
from typing import Literal, NotRequired, TypeAlias, TypedDict

import cedarpy
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.model import Permission, Policy, SpiffeId
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.scope import ProcessFacts


class Processes(TypedDict):
    """One entry of `processes` as the policy file has it."""

    names: NotRequired[list[str]]
    executables: NotRequired[list[str]]
    uids: NotRequired[list[int]]


class Rule(TypedDict):
    """One rule as the policy file has it."""

    id: str
    effect: Literal["permit", "forbid"]
    permissions: list[str]
    processes: NotRequired[list[Processes]]
    names: NotRequired[list[str]]
    paths: NotRequired[list[str]]


class Request(TypedDict):
    """One request as Cedar's context has it; `exe` is absent if the executable is unknown, `item` a name or a path."""

    caller: str
    action: Permission
    uid: int
    name: str
    item: str
    exe: NotRequired[str]


Roles: TypeAlias = dict[str, list[Rule]]
Bindings: TypeAlias = list[tuple[str, list[str]]]

_TREE = [Permission.PROCESSES_LIST, Permission.PROCESSES_EXECUTABLE, Permission.PROCESSES_ARGV]
_ENVIRONMENT = [Permission.ENV_PRESENCE, Permission.ENV_NAMES]
_FILES = [Permission.FILES_METADATA, Permission.FILES_LIST]
_PLAIN = [Permission.SESSION_OPEN, Permission.AGENT_SELF]
_FAMILIES = [_TREE, _ENVIRONMENT, _FILES, _PLAIN]

_CALLERS = ["spiffe://td/user/ada", "spiffe://td/user/bob", "spiffe://td/team/a/carol", "spiffe://other/user/ada"]
_CALLER_GLOBS = [*_CALLERS[:3], "spiffe://td/**", "spiffe://td/user/*", "spiffe://td/team/**", "spiffe://td/**/ada"]
_NAME_GLOBS = ["*", "api", "ap*", "*i", "a*i", "DB_*", "*_URL", "DB_URL", "LANG"]
_NAMES = ["api", "ap", "appli", "worker", "DB_URL", "DB_HOST", "LANG", "X_URL", "DB_"]
_PATH_GLOBS = ["/**", "/app/**", "/app", "/app/*", "/**/key", "/app/**/key", "/etc/shop/*", "/etc/**", "/app/key"]
_PATHS = [
    "/",
    "/app",
    "/app/key",
    "/app/a/b/key",
    "/app/a",
    "/etc",
    "/etc/shop/x",
    "/etc/shop/x/y",
    "/key",
    "/application",
]


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


@st.composite
def processes(draw: st.DrawFn) -> Processes:
    selector: Processes = {}
    keys = draw(st.sets(st.sampled_from(["names", "executables", "uids"]), min_size=1))
    if "names" in keys:
        selector["names"] = draw(some(_NAME_GLOBS))
    if "executables" in keys:
        selector["executables"] = draw(some(_PATH_GLOBS))
    if "uids" in keys:
        selector["uids"] = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2))
    return selector


@st.composite
def rules(draw: st.DrawFn, family: list[Permission], rule_id: str) -> Rule:
    effect: Literal["permit", "forbid"] = "forbid" if draw(st.integers(0, 2)) == 0 else "permit"
    chosen = draw(st.lists(st.sampled_from(family), min_size=1, max_size=3, unique=True))
    rule: Rule = {"id": rule_id, "effect": effect, "permissions": [permission.value for permission in chosen]}
    if family is not _PLAIN and draw(st.booleans()):
        rule["processes"] = draw(st.lists(processes(), min_size=1, max_size=2))
    if family is _ENVIRONMENT and (effect == "permit" or draw(st.booleans())):
        rule["names"] = draw(some(_NAME_GLOBS))
    if family is _FILES and (effect == "permit" or draw(st.booleans())):
        rule["paths"] = draw(some(_PATH_GLOBS))
    return rule


@st.composite
def requests(draw: st.DrawFn, family: list[Permission]) -> Request:
    request: Request = {
        "caller": draw(st.sampled_from(_CALLERS)),
        "action": draw(st.sampled_from(family)),
        "uid": draw(st.integers(0, 2)),
        "name": draw(st.sampled_from(_NAMES)),
        "item": draw(st.sampled_from(_PATHS if family is _FILES else _NAMES)),
    }
    if draw(st.booleans()):
        request["exe"] = draw(st.sampled_from(_PATHS))
    return request


@st.composite
def cases(draw: st.DrawFn) -> tuple[Roles, Bindings, list[Request]]:
    """Draws a policy and requests; both are mostly about one family of permissions, so that rules meet each other."""
    main = draw(st.sampled_from(_FAMILIES))
    families = st.sampled_from([main, main, main, main, *_FAMILIES])
    roles = {
        f"role-{at}": [draw(rules(draw(families), f"rule-{at}-{index}")) for index in range(draw(st.integers(1, 5)))]
        for at in range(draw(st.integers(1, 3)))
    }
    bindings = draw(st.lists(st.tuples(st.sampled_from(sorted(roles)), some(_CALLER_GLOBS)), min_size=1, max_size=4))
    asked = [draw(requests(draw(families))) for _ in range(draw(st.integers(8, 16)))]
    return roles, bindings, asked


def policy_file(roles: Roles, bindings: Bindings) -> bytes:
    """Writes the policy as JSON, which is YAML."""
    spec = {
        "roles": [{"name": name, "rules": rules} for name, rules in roles.items()],
        "bindings": [{"role": role, "callers": callers} for role, callers in bindings],
    }
    whole = {"apiVersion": "leadglass.dev/v1", "kind": "AccessPolicy", "metadata": {"name": "generated"}, "spec": spec}
    return json.dumps(whole, indent=1).encode()


def cedar_policies(roles: Roles, bindings: Bindings) -> str:
    """Writes the same policy in Cedar's language."""
    written: list[str] = []
    for name, held in roles.items():
        callers = [pattern for role, patterns in bindings if role == name for pattern in patterns]
        for rule in held:
            actions = ", ".join(f'Action::"{permission}"' for permission in rule["permissions"])
            conditions = [one_of([path_like("context.caller", pattern) for pattern in callers])]
            if "processes" in rule:
                conditions.append(one_of([selected(part, rule["effect"]) for part in rule["processes"]]))
            if "names" in rule:
                conditions.append(one_of([f'context.item like "{pattern}"' for pattern in rule["names"]]))
            if "paths" in rule:
                conditions.append(one_of([path_like("context.item", pattern) for pattern in rule["paths"]]))
            head = f'@id("{rule["id"]}") {rule["effect"]}(principal, action in [{actions}], resource)'
            written.append(f"{head} when {{ {' && '.join(conditions)} }};")
    return "\n".join(written)


def one_of(conditions: list[str]) -> str:
    return f"({' || '.join(conditions)})" if conditions else "false"


def selected(part: Processes, effect: str) -> str:
    conditions: list[str] = []
    if "names" in part:
        conditions.append(one_of([f'context.name like "{pattern}"' for pattern in part["names"]]))
    if "executables" in part:
        fits = one_of([path_like("context.exe", pattern) for pattern in part["executables"]])
        # An unknown executable is one that a permit does not know and a forbid does.
        known = f"(context has exe && {fits})"
        conditions.append(known if effect == "permit" else f"(!(context has exe) || {known})")
    if "uids" in part:
        conditions.append(one_of([f"context.uid == {uid}" for uid in part["uids"]]))
    return f"({' && '.join(conditions)})"


def path_like(value: str, pattern: str) -> str:
    """Says one of the generated path globs with Cedar's `like`, whose `*` crosses slashes."""
    if pattern.endswith("/**"):
        start = pattern.removesuffix("/**")
        return f'({value} == "{start}" || {value} like "{start}/*")'
    if "/**/" in pattern:
        start, end = pattern.split("/**/")
        return f'({value} == "{start}/{end}" || {value} like "{start}/*/{end}")'
    if pattern.endswith("/*"):
        return f'({value} like "{pattern}" && !({value} like "{pattern}/*"))'
    return f'{value} == "{pattern}"'


def ours(policy: Policy, request: Request) -> bool:
    permission = request["action"]
    decision = decide(policy, SpiffeId(request["caller"]), permission)
    facts = ProcessFacts(pid=1, uid=request["uid"], name=request["name"], executable=request.get("exe"))
    if not isinstance(decision, Allow):
        return False
    item = request["item"]
    if permission in _ENVIRONMENT:
        return decision.scope.narrow(facts).admits_name(item)
    if permission in _FILES:
        return decision.scope.narrow(facts).admits_path(item)
    return permission in _PLAIN or decision.scope.admits_process(facts)


def cedars(written: str, asked: list[Request]) -> list[bool]:
    calls = [
        {
            "principal": 'Caller::"c"',
            "action": f'Action::"{request["action"].value}"',
            "resource": 'Target::"t"',
            "context": {key: value for key, value in request.items() if key != "action"},
        }
        for request in asked
    ]
    answers = cedarpy.is_authorized_batch(calls, written, [])
    assert not any(answer.diagnostics.errors for answer in answers)
    return [answer.decision is cedarpy.Decision.Allow for answer in answers]


@settings(max_examples=250)
@given(cases())
def test_we_decide_as_cedar_does(case: tuple[Roles, Bindings, list[Request]]) -> None:
    roles, bindings, asked = case
    policy = parse_policy(policy_file(roles, bindings), "policy.yaml")
    assert [ours(policy, request) for request in asked] == cedars(cedar_policies(roles, bindings), asked)


_UNSHRUNK = settings(max_examples=1000, phases=[Phase.generate], database=None, derandomize=True)


@pytest.mark.parametrize("permission", [family[0] for family in _FAMILIES])
@pytest.mark.parametrize("answer", [True, False])
def test_each_family_of_permissions_is_generated_with_both_answers(permission: Permission, *, answer: bool) -> None:
    """Keeps the comparison from being one of denials alone."""

    def occurs(case: tuple[Roles, Bindings, list[Request]]) -> bool:
        roles, bindings, asked = case
        policy = parse_policy(policy_file(roles, bindings), "policy.yaml")
        return any(request["action"] is permission and ours(policy, request) is answer for request in asked)

    find(cases(), occurs, settings=_UNSHRUNK)
