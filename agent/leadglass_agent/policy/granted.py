"""Says which of a caller's grants count for a role, and to what they bound its permits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.scope import Bound

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy, Role, SpiffeId
    from leadglass_agent.policy.standing import GrantedScope

# A role with a grant rule gives these without one: a session to bring the grant to, and what shows nothing of a pod.
GRANTLESS: Final = frozenset(
    {
        Permission.SESSION_OPEN,
        Permission.AGENT_SELF,
        Permission.GRANTS_APPROVE,
        Permission.SESSIONS_LIST,
        Permission.SESSIONS_END,
        Permission.REVIEWS_LIST,
        Permission.REVIEWS_CLOSE,
        Permission.AUDIT_CHECKPOINT,
        Permission.AUDIT_READ,
        Permission.RECORDINGS_LIST,
        Permission.RECORDINGS_READ,
        Permission.RECORDINGS_HOLD,
        Permission.RECORDINGS_SHRED,
    }
)


def needs_grant(role: Role, permission: Permission) -> bool:
    """Says whether the role's permits of the permission count only within a grant."""
    return permission is Permission.ENV_REVEAL or (role.grant is not None and permission not in GRANTLESS)


def is_grantable(policy: Policy, role: Role, permission: Permission) -> bool:
    """Says whether any grant could be enough; a rule without approvers, and no rule at all, mean that none is."""
    if role.grant is None or not role.grant.approvers:
        return False
    if permission is not Permission.ENV_REVEAL:
        return True
    return policy.break_glass is not None and bool(policy.break_glass.approvers)


def bounds_for(
    policy: Policy, caller: SpiffeId, role: Role, permission: Permission, grants: tuple[GrantedScope, ...]
) -> tuple[Bound, ...]:
    """Gives a bound for each grant that counts for the role and the permission."""
    return tuple(
        Bound(grant_id=grant.grant_id, processes=grant.processes, names=grant.names, paths=grant.paths)
        for grant in sorted(grants, key=lambda grant: grant.grant_id)
        if permission in grant.permissions and _counts(policy, caller, role, permission, grant)
    )


def _counts(policy: Policy, caller: SpiffeId, role: Role, permission: Permission, grant: GrantedScope) -> bool:
    if not is_grantable(policy, role, permission):
        return False
    rules = [role.grant] if role.grant is not None else []
    # A reveal has to satisfy break-glass as well: the stricter of the two holds, whichever it is.
    demands = [(rule.approvals, rule.approvers, rule.max_minutes) for rule in rules]
    if permission is Permission.ENV_REVEAL and policy.break_glass is not None:
        glass = policy.break_glass
        demands.append((glass.approvals, glass.approvers, glass.max_minutes))
    return all(
        grant.minutes <= minutes and approvals_of(policy, caller, approvers, grant) >= approvals
        for approvals, approvers, minutes in demands
    )


def approvals_of(policy: Policy, caller: SpiffeId, approvers: tuple[str, ...], grant: GrantedScope) -> int:
    """Counts who may approve: each person once, never the caller, and only by what the policy says now."""
    patterns = [pattern for binding in policy.bindings if binding.role in approvers for pattern in binding.callers]
    people = set(grant.approvers) - {caller}
    return sum(any(matches_path(pattern, person) for pattern in patterns) for person in people)
