"""Our decisions beside Cedar's, on generated policy files, grants and requests.

The same generated rules are written twice, as a policy file and as Cedar policies; each engine reads its own.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cedar_policies import cedar_answers, cedar_policies
from generated_policies import ENVIRONMENT, FAMILIES, FILES, PLAIN, Grant, Request, case_of, policy_file
from leadglass_agent.policy.decide import Allow, Decision, Deny, DenyReason, decide
from leadglass_agent.policy.model import Permission, Policy, ProcessSelector, SpiffeId, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing

_MONDAY = 1_704_067_200  # 2024-01-01


def granted(grant: Grant) -> GrantedScope:
    return GrantedScope(
        grant_id=grant["id"],
        permissions=frozenset(map(Permission, grant["permissions"])),
        approvers=tuple(map(SpiffeId, grant["approvers"])),
        minutes=grant["minutes"],
        processes=tuple(
            ProcessSelector(
                names=tuple(part.get("names", ())),
                executables=tuple(part.get("executables", ())),
                uids=tuple(part.get("uids", ())),
            )
            for part in grant.get("processes", ())
        ),
        names=tuple(grant.get("names", ())),
        paths=tuple(grant.get("paths", ())),
    )


def standing(request: Request, grants: list[Grant]) -> Standing:
    now = _MONDAY + request["day"] * 86_400 + request["minute"] * 60
    evidence = None
    if "acr" in request:
        evidence = Evidence("ada", frozenset(request["amr"]), request["acr"], now - request["evidenceAge"] * 60)
    return Standing(
        unix_ns=now * 1_000_000_000,
        tier=Tier(request["tier"]),
        certificate_since_unix=now - request["certificateAge"] * 60,
        evidence=evidence,
        grants=tuple(granted(grant) for grant in grants if grant["id"] in request["grants"]),
    )


def decision_of(policy: Policy, request: Request, grants: list[Grant]) -> Decision:
    return decide(policy, SpiffeId(request["caller"]), request["action"], standing(request, grants))


def is_shown(request: Request, decision: Decision) -> bool:
    facts = ProcessFacts(pid=1, uid=request["uid"], name=request["name"], executable=request.get("exe"))
    permission, item = request["action"], request["item"]
    if not isinstance(decision, Allow):
        return False
    if permission in ENVIRONMENT:
        return decision.scope.narrow(facts).admits_name(item)
    if permission in FILES:
        return decision.scope.narrow(facts).admits_path(item)
    return permission in PLAIN or decision.scope.admits_process(facts)


def answers_of(seed: int) -> list[tuple[Request, Decision]]:
    case = case_of(seed)
    policy = parse_policy(policy_file(case), "policy.yaml")
    return [(request, decision_of(policy, request, case["grants"])) for request in case["requests"]]


@settings(max_examples=300)
@given(st.integers(0, 2**63))
def test_we_decide_as_cedar_does(seed: int) -> None:
    case = case_of(seed)
    ours = [is_shown(request, decision) for request, decision in answers_of(seed)]
    assert ours == cedar_answers(cedar_policies(case), case["requests"])


# Which cases the comparison is made of, by the same generator: enough to see that it is not one of denials alone.
_SAMPLE = [answer for seed in range(500) for answer in answers_of(seed)]


@pytest.mark.parametrize("permission", [permission for family in FAMILIES for permission in family])
@pytest.mark.parametrize("answer", [True, False])
def test_each_permission_is_generated_with_both_answers(permission: Permission, *, answer: bool) -> None:
    asked = [is_shown(request, decision) for request, decision in _SAMPLE if request["action"] is permission]
    assert asked.count(answer) >= 5


@pytest.mark.parametrize("permission", [one for family in FAMILIES if family is not PLAIN for one in family])
def test_each_permission_that_needs_a_grant_is_generated_within_one(permission: Permission) -> None:
    within = [
        (request, decision)
        for request, decision in _SAMPLE
        if isinstance(decision, Allow) and decision.grants and request["action"] is permission
    ]
    assert {is_shown(request, decision) for request, decision in within} == {True, False}


@pytest.mark.parametrize("why", list(DenyReason))
def test_each_reason_of_a_denial_is_generated(why: DenyReason) -> None:
    assert sum(isinstance(decision, Deny) and decision.why is why for _, decision in _SAMPLE) >= 5
