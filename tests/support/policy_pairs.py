"""Generated pairs of policies, the second a changed first, with questions that may fall between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from generated_policies import FAMILIES, Case, Grant, Request, case_of, policy_file
from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.model import Permission, Policy, ProcessSelector, SpiffeId, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.question import Question
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing
from leadglass_agent.policy.targets import Target

_MONDAY = 1_704_067_200  # 2024-01-01
_TREE, _ENVIRONMENT, _FILES, _PLAIN = FAMILIES


@dataclass(frozen=True, slots=True)
class Pair:
    """Two policies, and questions with everything named."""

    before: Policy
    after: Policy
    questions: tuple[Question, ...]


def pair_of(seed: int) -> Pair:
    """Makes the pair of a seed: a policy and the same one after one to three edits of its file."""
    random = Random(seed)  # noqa: S311 - the same pair for the same seed, and no secret
    one, other = case_of(seed), case_of(seed + 1)
    edited: Case = json.loads(json.dumps(one))
    for _ in range(random.randint(1, 3)):
        _edit(random, edited, other)
    grants = [*one["grants"], *other["grants"]]
    asked = tuple(
        question_of(request, grants if random.random() < 0.7 else []) for request in one["requests"] + other["requests"]
    )
    return Pair(parse_policy(policy_file(one), "before"), parse_policy(policy_file(edited), "after"), asked)


def question_of(request: Request, grants: list[Grant]) -> Question:
    """Makes the question of a request that brings all the grants."""
    now = _MONDAY + request["day"] * 86_400 + request["minute"] * 60
    evidence = None
    if "acr" in request:
        evidence = Evidence("ada", frozenset(request["amr"]), request["acr"], now - request["evidenceAge"] * 60)
    standing = Standing(
        unix_ns=now * 1_000_000_000,
        tier=Tier(request["tier"]),
        certificate_since_unix=now - request["certificateAge"] * 60,
        evidence=evidence,
        grants=tuple(_granted(at, grant) for at, grant in enumerate(grants)),
    )
    permission = request["action"]
    facts = ProcessFacts(pid=1, uid=request["uid"], name=request["name"], executable=request.get("exe"))
    target = Target(
        process=None if permission in _PLAIN else facts,
        name=request["item"] if permission in _ENVIRONMENT else None,
        path=request["item"] if permission in _FILES else None,
    )
    return Question(SpiffeId(request["caller"]), permission, standing, target)


def is_allowed(policy: Policy, question: Question) -> bool:
    """Decides as the agent's views do, with everything named."""
    decision = decide(policy, question.caller, question.permission, question.standing)
    if not isinstance(decision, Allow) or question.target.process is None:
        return isinstance(decision, Allow)
    scope = decision.scope.narrow(question.target.process)
    if question.target.name is not None:
        return scope.admits_name(question.target.name)
    if question.target.path is not None:
        return scope.admits_path(question.target.path)
    return not scope.is_empty()


def _edit(random: Random, case: Case, other: Case) -> None:
    """Changes one thing, in a direction that is not known."""
    role, donor = random.choice(case["roles"]), random.choice(other["roles"])
    match random.randrange(8):
        case 0 if len(role["rules"]) > 1:
            role["rules"].pop(random.randrange(len(role["rules"])))
        case 1:
            rule = json.loads(json.dumps(random.choice(donor["rules"])))
            rule["id"] = f"new-{random.randrange(10**9)}"
            if "env.reveal" not in rule["permissions"] or "grant" in role:
                role["rules"].append(rule)
        case 2:
            role.pop("conditions", None)
        case 3 if "conditions" in donor:
            role["conditions"] = donor["conditions"]
        case 4 if "grant" in role:
            names = [one["name"] for one in case["roles"]]
            role["grant"] = {"approvals": random.randint(1, 2), "approvers": names, "maxMinutes": 60}
        case 5:
            case["bindings"].append((role["name"], random.choice(other["bindings"])[1]))
        case 6 if len(case["bindings"]) > 1:
            case["bindings"].pop(random.randrange(len(case["bindings"])))
        case _:
            rule = random.choice(role["rules"])
            rule.pop("processes", None)


def _granted(number: int, grant: Grant) -> GrantedScope:
    return GrantedScope(
        grant_id=f"g{number}",
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
