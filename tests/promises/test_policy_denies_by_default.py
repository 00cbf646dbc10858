"""Promise: what no rule permits is denied, a forbid overrides every permit, and a faulty policy permits nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.decide import Allow, Deny, decide, permissions_of
from leadglass_agent.policy.model import Permission, SpiffeId
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.strict_yaml import DocumentError
from policies import ALICE, MALLORY, STANDING, policy_of, policy_text

ANYBODY = st.one_of(st.sampled_from([ALICE, MALLORY]), st.text(max_size=60).map(SpiffeId))

# Permits of these must say what they cover; everything, here.
_EVERYTHING: dict[Permission, dict[str, list[str]]] = {
    Permission.ENV_PRESENCE: {"names": ["*"]},
    Permission.ENV_NAMES: {"names": ["*"]},
    Permission.FILES_METADATA: {"paths": ["/**"]},
    Permission.FILES_LIST: {"paths": ["/**"]},
    Permission.FILES_ACCESS: {"paths": ["/**"]},
    Permission.TEXT_REDACTED: {"paths": ["/**"]},
}


# A value of a variable is never had by a rule alone; what it takes is in test_decide_grants.py.
_BY_RULE_ALONE = [permission for permission in Permission if permission is not Permission.ENV_REVEAL]


def widest(*permissions: Permission) -> str:
    """Writes a rule for each permission, as wide as the language allows."""
    return "\n".join(
        f"- {json.dumps({'id': f'all-{at}', 'effect': 'permit', 'permissions': [name], **_EVERYTHING.get(name, {})})}"
        for at, name in enumerate(permissions)
    )


def shut() -> bytes:
    spec: dict[str, list[str]] = {"roles": [], "bindings": []}
    whole = {"apiVersion": "leadglass.dev/v1", "kind": "AccessPolicy", "metadata": {"name": "shut"}, "spec": spec}
    return json.dumps(whole).encode()


@given(ANYBODY, st.sampled_from(Permission))
def test_a_policy_without_rules_permits_nobody_anything(caller: SpiffeId, permission: Permission) -> None:
    assert isinstance(decide(parse_policy(shut(), "policy.yaml"), caller, permission, STANDING), Deny)


@given(ANYBODY.filter(lambda caller: caller != ALICE), st.sampled_from(Permission))
def test_whoever_is_not_named_in_a_binding_is_denied(caller: SpiffeId, permission: Permission) -> None:
    policy = policy_of(widest(*_BY_RULE_ALONE))
    assert isinstance(decide(policy, caller, permission, STANDING), Deny)
    assert permissions_of(policy, ALICE, STANDING) == tuple(_BY_RULE_ALONE)


@pytest.mark.parametrize("missing", _BY_RULE_ALONE)
def test_a_permit_for_everything_else_gives_nothing_of_what_is_left_out(missing: Permission) -> None:
    policy = policy_of(widest(*(permission for permission in _BY_RULE_ALONE if permission is not missing)))
    assert set(permissions_of(policy, ALICE, STANDING)) == set(_BY_RULE_ALONE) - {missing}


@pytest.mark.parametrize("forbidden", _BY_RULE_ALONE)
def test_a_forbid_overrides_the_widest_permit(forbidden: Permission) -> None:
    policy = policy_of(f"{widest(*_BY_RULE_ALONE)}\n- {{id: shut, effect: forbid, permissions: [{forbidden.value}]}}")
    assert set(permissions_of(policy, ALICE, STANDING)) == set(_BY_RULE_ALONE) - {forbidden}


def test_what_a_scope_does_not_name_is_not_in_it() -> None:
    policy = policy_of(
        """
        - {id: env, effect: permit, permissions: [env.presence], names: [LANG], processes: [{uids: [1000]}]}
        - {id: files, effect: permit, permissions: [files.list], paths: [/app/**]}
        """
    )
    app = ProcessFacts(pid=1, uid=1000, name="app", executable="/app/run")
    other = ProcessFacts(pid=2, uid=1001, name="app", executable="/app/run")
    environment = decide(policy, ALICE, Permission.ENV_PRESENCE, STANDING)
    files = decide(policy, ALICE, Permission.FILES_LIST, STANDING)
    assert isinstance(environment, Allow)
    assert isinstance(files, Allow)
    assert environment.scope.narrow(app).admits_name("LANG")
    assert not environment.scope.narrow(app).admits_name("LANGUAGE")
    assert not environment.scope.narrow(other).admits_name("LANG")
    assert files.scope.narrow(app).admits_path("/app/run")
    assert not files.scope.narrow(app).admits_path("/etc/passwd")
    assert not files.scope.narrow(app).admits_path("/app/../etc/passwd")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effect: permit", "effect: premit"),
        ("permissions:", "permission:"),
        ("processes.list", "processes.*"),
        ("processes:", "process:"),
        ("uids: [1000]", "uids: []"),
        ("uids: [1000]", "uid: [1000]"),
        ("processes: [{uids: [1000]}]", "processes:"),
        ("id: tree", "id: tree, id: tree"),
        ("id: tree", "id: yes"),
    ],
)
def test_a_slip_of_the_pen_stops_the_policy_rather_than_widening_it(old: str, new: str) -> None:
    text = policy_text("- {id: tree, effect: permit, permissions: [processes.list], processes: [{uids: [1000]}]}")
    parse_policy(text.encode(), "policy.yaml")
    with pytest.raises(DocumentError):
        parse_policy(text.replace(old, new, 1).encode(), "policy.yaml")
