"""Finds what a policy permits and nobody has used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.policy.decide import roles_of
from leadglass_agent.policy.model import Effect, Permission, SpiffeId

if TYPE_CHECKING:
    from leadglass_agent.audit.usage import Usage
    from leadglass_agent.policy.model import Policy, RuleId


@dataclass(frozen=True, slots=True)
class Unused:
    """A permission of a permit that nobody has used, and how many holders of its role the log knows."""

    role: str
    rule: RuleId
    permission: Permission
    holders_seen: int


def unused(policy: Policy, usage: Usage) -> tuple[Unused, ...]:
    """Gives each permission of each permit without a use, in the order of the file.

    A use counts for the rules that its record names, and, where it names none, for every rule of the caller's roles.
    """
    callers = sorted({use.caller for use in usage.uses})
    held = {caller: {role.name for role in roles_of(policy, SpiffeId(caller))} for caller in callers}
    by_rule = {(rule, use.permission) for use in usage.uses for rule in use.rules}
    by_role = {(role, use.permission) for use in usage.uses if not use.rules for role in held[use.caller]}
    return tuple(
        Unused(role.name, rule.rule_id, permission, sum(role.name in roles for roles in held.values()))
        for role in policy.roles
        for rule in role.rules
        if rule.effect is Effect.PERMIT
        for permission in Permission
        if permission in rule.permissions
        and (rule.rule_id, permission.value) not in by_rule
        and (role.name, permission.value) not in by_role
    )
