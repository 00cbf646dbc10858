"""Decides what a caller may do: no rule is a no, a forbid overrides every permit, and order does not matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.policy.conditions import Unmet, unmet
from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.granted import bounds_for, is_grantable, needs_grant
from leadglass_agent.policy.model import Budget, Effect, Permission, SessionLimits
from leadglass_agent.policy.scope import Scope, ScopeRule

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy, Profile, Role, Rule, RuleId, SpiffeId
    from leadglass_agent.policy.scope import Bound
    from leadglass_agent.policy.standing import Standing


class DenyReason(StrEnum):
    """Why the answer is no, from what a caller can do most about to what it can do least about."""

    GRANT_NEEDED = "GRANT_NEEDED"
    EVIDENCE_NEEDED = "EVIDENCE_NEEDED"
    CERTIFICATE_TOO_OLD = "CERTIFICATE_TOO_OLD"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    OTHER_TIER = "OTHER_TIER"
    NO_RULE = "NO_RULE"
    FORBIDDEN = "FORBIDDEN"
    NO_BINDING = "NO_BINDING"


@dataclass(frozen=True, slots=True)
class Allow:
    """A yes within `scope`; `rules` are the permits behind it, `roles` those that hold them, `grants` what bounds them.

    All are sorted. Some permit is not bounded by a grant if `scope` holds one whose `bounds` is None.
    """

    scope: Scope
    rules: tuple[RuleId, ...]
    roles: tuple[str, ...]
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deny:
    """A no, with the reason that is nearest to a yes, and the role that it is about; "" if it is about none."""

    why: DenyReason
    role: str = ""


Decision: TypeAlias = Allow | Deny


def decide(policy: Policy, caller: SpiffeId, permission: Permission, standing: Standing) -> Decision:
    """Decides whether the caller has the permission now, and for which processes, names and paths."""
    roles = sorted(roles_of(policy, caller), key=lambda role: role.name)
    if not roles:
        return Deny(DenyReason.NO_BINDING)
    forbids: list[ScopeRule] = []
    permits: list[ScopeRule] = []
    holders: list[str] = []
    denials: list[Deny] = []
    for role in roles:
        refused = [_scoped(rule) for rule in _rules(role, permission, Effect.FORBID)]
        if any(not (rule.processes or rule.names or rule.paths) for rule in refused):
            return Deny(DenyReason.FORBIDDEN, role.name)
        forbids += refused
        if permitted := _rules(role, permission, Effect.PERMIT):
            answer = _counted(policy, caller, role, permission, standing)
            if isinstance(answer, Deny):
                denials.append(answer)
                continue
            permits += [_scoped(rule, policy.redaction, answer.bounds) for rule in permitted]
            holders.append(role.name)
    if not permits:
        return min(denials, key=_distance, default=Deny(DenyReason.NO_RULE))
    return Allow(
        scope=Scope(tuple(sorted(permits, key=_id)), tuple(sorted(forbids, key=_id))),
        rules=tuple(sorted(rule.rule_id for rule in permits)),
        roles=tuple(holders),
        grants=tuple(sorted({bound.grant_id for rule in permits for bound in rule.bounds or ()})),
    )


def permissions_of(policy: Policy, caller: SpiffeId, standing: Standing) -> tuple[Permission, ...]:
    """Lists the permissions that the caller has now for at least something, in the order of Permission."""
    return tuple(
        permission for permission in Permission if isinstance(decide(policy, caller, permission, standing), Allow)
    )


def roles_of(policy: Policy, caller: SpiffeId) -> tuple[Role, ...]:
    """Gives the roles that the policy's bindings give the caller, in the policy's order."""
    bound = {
        binding.role for binding in policy.bindings if any(matches_path(pattern, caller) for pattern in binding.callers)
    }
    return tuple(role for role in policy.roles if role.name in bound)


def session_limits(policy: Policy, caller: SpiffeId) -> SessionLimits:
    """Gives the strictest of each limit over the policy's own and those of the caller's roles."""
    limits = (policy.session, *(role.session for role in roles_of(policy, caller)))
    patterns = {pattern for limit in limits for pattern in limit.ticket_patterns}
    return SessionLimits(
        max_minutes=min(limit.max_minutes for limit in limits),
        idle_minutes=min(limit.idle_minutes for limit in limits),
        max_open=min(limit.max_open for limit in limits),
        calls_per_minute=min(limit.calls_per_minute for limit in limits),
        min_reason_characters=max(limit.min_reason_characters for limit in limits),
        ticket_patterns=tuple(sorted(patterns, key=lambda pattern: pattern.text)),
    )


def budget_of(policy: Policy, caller: SpiffeId) -> Budget:
    """Gives the strictest of each number over the budgets of the caller's roles."""
    budgets = [role.budget for role in roles_of(policy, caller)]
    return Budget(
        calls=_least([budget.calls for budget in budgets]),
        rows=_least([budget.rows for budget in budgets]),
        names=_least([budget.names for budget in budgets]),
        paths=_least([budget.paths for budget in budgets]),
        reply_bytes=_least([budget.reply_bytes for budget in budgets]),
        answers=_least([budget.answers for budget in budgets]),
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """A role whose permits count: within `bounds`, everywhere if that is None."""

    bounds: tuple[Bound, ...] | None


def _counted(
    policy: Policy, caller: SpiffeId, role: Role, permission: Permission, standing: Standing
) -> _Counted | Deny:
    if needs_grant(role, permission) and not is_grantable(policy, role, permission):
        return Deny(DenyReason.NO_RULE)
    # What no source vouches for is no evidence, whoever put it there.
    known = standing if policy.evidence is not None else replace(standing, evidence=None)
    missing = unmet(role.conditions, known)
    # Evidence is brought to the opening of a session, so nobody can have given it before; what it shows is nothing.
    if missing is not None and (missing, permission) != (Unmet.EVIDENCE_NEEDED, Permission.SESSION_OPEN):
        return Deny(DenyReason(missing.value), role.name)
    if not needs_grant(role, permission):
        return _Counted(None)
    bounds = bounds_for(policy, caller, role, permission, standing.grants)
    return _Counted(bounds) if bounds else Deny(DenyReason.GRANT_NEEDED, role.name)


def _distance(denial: Deny) -> tuple[int, str]:
    return list(DenyReason).index(denial.why), denial.role


def _rules(role: Role, permission: Permission, effect: Effect) -> list[Rule]:
    return [rule for rule in role.rules if rule.effect is effect and permission in rule.permissions]


def _id(rule: ScopeRule) -> RuleId:
    return rule.rule_id


def _scoped(rule: Rule, redaction: Profile | None = None, bounds: tuple[Bound, ...] | None = None) -> ScopeRule:
    return ScopeRule(
        rule_id=rule.rule_id,
        processes=rule.processes,
        names=rule.names,
        paths=rule.paths,
        redaction=redaction or rule.redaction,
        bounds=bounds,
    )


def _least(numbers: list[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
