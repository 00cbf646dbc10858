"""Answers one question to a policy as far as a person or a table asks it: may this caller, do this, to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.policy.decide import Allow, Deny, DenyReason, decide, roles_of
from leadglass_agent.policy.model import Effect
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.policy.targets import ANYTHING, Target, admits, targets_of

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Permission, Policy, RuleId, SpiffeId
    from leadglass_agent.policy.scope import Bound
    from leadglass_agent.policy.standing import Standing


@dataclass(frozen=True, slots=True)
class Question:
    """One question; what `target` leaves open may be anything: a yes is then about something, a no about everything."""

    caller: SpiffeId
    permission: Permission
    standing: Standing
    target: Target = ANYTHING


@dataclass(frozen=True, slots=True)
class Yes:
    """A yes: the rules that admit the target, the grants that bound it there, and a target, with nothing left open."""

    rules: tuple[RuleId, ...]
    grants: tuple[str, ...]
    target: Target


@dataclass(frozen=True, slots=True)
class No:
    """A no: why, the role that it is about, "" if it is about none, and the forbids that are in the way."""

    why: DenyReason
    role: str = ""
    rules: tuple[RuleId, ...] = ()


Answer: TypeAlias = Yes | No


def answer(policy: Policy, question: Question) -> Answer:
    """Decides as an agent does, and looks into the scope that it would go by."""
    match decide(policy, question.caller, question.permission, question.standing):
        case Deny(why=why, role=role):
            forbids = _forbids(policy, question) if why is DenyReason.FORBIDDEN else ()
            return No(why, role, tuple(sorted(rule.rule_id for rule in forbids if not _selects(rule))))
        case Allow(scope=scope):
            return _looked_up(scope, question)


def _looked_up(scope: Scope, question: Question) -> Answer:
    targets = list(targets_of([scope], question.permission, question.target))
    for target in targets:
        if admits(scope, question.permission, target):
            return _yes(scope, question.permission, target)
    within = [target for target in targets if admits(Scope(scope.permits), question.permission, target)]
    if within:
        return No(DenyReason.FORBIDDEN, "", _in_the_way(scope, question.permission, within))
    unbound = Scope(tuple(_unbound(rule) for rule in scope.permits), scope.forbids)
    if any(admits(unbound, question.permission, target) for target in targets):
        return No(DenyReason.GRANT_NEEDED)
    return No(DenyReason.NO_RULE)


def permits_that_admit(scope: Scope, permission: Permission, target: Target) -> tuple[ScopeRule, ...]:
    """Gives the permits of a scope that admit the target, if no forbid is in the way."""
    return tuple(rule for rule in scope.permits if admits(Scope((rule,), scope.forbids), permission, target))


def _yes(scope: Scope, permission: Permission, target: Target) -> Yes:
    rules = permits_that_admit(scope, permission, target)
    grants = {
        bound.grant_id
        for rule in rules
        for bound in rule.bounds or ()
        if admits(Scope((_bound_by(rule, (bound,)),)), permission, target)
    }
    return Yes(tuple(rule.rule_id for rule in rules), tuple(sorted(grants)), target)


def _in_the_way(scope: Scope, permission: Permission, targets: list[Target]) -> tuple[RuleId, ...]:
    stops = (
        rule.rule_id
        for rule in scope.forbids
        if any(not admits(Scope(scope.permits, (rule,)), permission, target) for target in targets)
    )
    return tuple(sorted(stops))


def _forbids(policy: Policy, question: Question) -> tuple[ScopeRule, ...]:
    return tuple(
        ScopeRule(rule_id=rule.rule_id, processes=rule.processes, names=rule.names, paths=rule.paths)
        for role in roles_of(policy, question.caller)
        for rule in role.rules
        if rule.effect is Effect.FORBID and question.permission in rule.permissions
    )


def _selects(rule: ScopeRule) -> bool:
    return bool(rule.processes or rule.names or rule.paths)


def _unbound(rule: ScopeRule) -> ScopeRule:
    return _bound_by(rule, None)


def _bound_by(rule: ScopeRule, bounds: tuple[Bound, ...] | None) -> ScopeRule:
    return ScopeRule(rule_id=rule.rule_id, processes=rule.processes, names=rule.names, paths=rule.paths, bounds=bounds)
