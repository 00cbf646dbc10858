"""Decides what a caller may do: no rule is a no, a forbid overrides every permit, and order does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.model import Effect, Permission, SessionLimits
from leadglass_agent.policy.scope import Scope, ScopeRule

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy, Profile, Role, Rule, RuleId, SpiffeId


class DenyReason(StrEnum):
    """Why the answer is no."""

    NO_BINDING = "NO_BINDING"
    NO_RULE = "NO_RULE"
    FORBIDDEN = "FORBIDDEN"


@dataclass(frozen=True, slots=True)
class Allow:
    """A yes within `scope`; `rules` are the permits behind it and `roles` those that hold them, both sorted."""

    scope: Scope
    rules: tuple[RuleId, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """A no, with its reason."""

    why: DenyReason


Decision: TypeAlias = Allow | Deny


def decide(policy: Policy, caller: SpiffeId, permission: Permission) -> Decision:
    """Decides whether the caller has the permission, and for which processes, names and paths."""
    roles = _roles_of(policy, caller)
    if not roles:
        return Deny(DenyReason.NO_BINDING)
    forbids = _rules(roles, permission, Effect.FORBID, None)
    if any(not (rule.processes or rule.names or rule.paths) for rule in forbids):
        return Deny(DenyReason.FORBIDDEN)
    permits = _rules(roles, permission, Effect.PERMIT, policy.redaction)
    if not permits:
        return Deny(DenyReason.NO_RULE)
    ids = tuple(rule.rule_id for rule in permits)
    holders = {role.name for role in roles if any(rule.rule_id in ids for rule in role.rules)}
    return Allow(Scope(permits, forbids), ids, tuple(sorted(holders)))


def permissions_of(policy: Policy, caller: SpiffeId) -> tuple[Permission, ...]:
    """Lists the permissions that the caller has for at least something, in the order of Permission."""
    return tuple(permission for permission in Permission if isinstance(decide(policy, caller, permission), Allow))


def session_limits(policy: Policy, caller: SpiffeId) -> SessionLimits:
    """Gives the strictest of each limit over the policy's own and those of the caller's roles."""
    limits = (policy.session, *(role.session for role in _roles_of(policy, caller)))
    patterns = {pattern for limit in limits for pattern in limit.ticket_patterns}
    return SessionLimits(
        max_minutes=min(limit.max_minutes for limit in limits),
        idle_minutes=min(limit.idle_minutes for limit in limits),
        max_open=min(limit.max_open for limit in limits),
        calls_per_minute=min(limit.calls_per_minute for limit in limits),
        min_reason_characters=max(limit.min_reason_characters for limit in limits),
        ticket_patterns=tuple(sorted(patterns, key=lambda pattern: pattern.text)),
    )


def _roles_of(policy: Policy, caller: SpiffeId) -> tuple[Role, ...]:
    bound = {
        binding.role for binding in policy.bindings if any(matches_path(pattern, caller) for pattern in binding.callers)
    }
    return tuple(role for role in policy.roles if role.name in bound)


def _rules(
    roles: tuple[Role, ...], permission: Permission, effect: Effect, redaction: Profile | None
) -> tuple[ScopeRule, ...]:
    chosen = [rule for role in roles for rule in role.rules if rule.effect is effect and permission in rule.permissions]
    return tuple(_scoped(rule, redaction) for rule in sorted(chosen, key=lambda rule: rule.rule_id))


def _scoped(rule: Rule, redaction: Profile | None) -> ScopeRule:
    return ScopeRule(
        rule_id=rule.rule_id,
        processes=rule.processes,
        names=rule.names,
        paths=rule.paths,
        redaction=redaction or rule.redaction,
    )
