"""Decides a recorded call anew: what a policy permits of it, or why it refuses it, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadglass_agent.errors import Reason
from leadglass_agent.policy.conditions import Unmet
from leadglass_agent.policy.decide import Allow, Deny, DenyReason, decide
from leadglass_agent.policy.model import Permission, SpiffeId
from leadglass_agent.policy.standing import Standing
from leadglass_agent.recordings.standing_json import standing_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.policy.model import Policy
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.policy.standing import GrantedScope
    from leadglass_client.replay.recording import RecordedCall

_CONDITIONS = frozenset(map(str, Unmet))


@dataclass(frozen=True, slots=True)
class Permitted:
    """A yes: where the call's permission holds, and for each of its field groups where that does, or None."""

    scope: Scope
    widened: Mapping[Permission, Scope | None]
    rules: tuple[str, ...]
    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A no, in the words of the refusal that the caller would get, and of the policy that gives it."""

    reason: Reason
    why: str
    role: str = ""
    rules: tuple[str, ...] = ()


def standing_then(call: RecordedCall) -> Standing | None:
    """Gives how the caller stood at a call; None if it was refused before the policy was asked."""
    return None if call.called.standing is None else standing_of(call.called.standing)


def permitted(policy: Policy, caller: str, call: RecordedCall) -> Permitted | Refused | None:
    """Decides a call with the standing that was recorded; None if there is none.

    Raises ValueError for a permission that this version does not have.
    """
    then = standing_then(call)
    if then is None:
        return None
    who = SpiffeId(caller)
    grants = tuple(grant for grant in then.grants if _is_still_approved(policy, grant, then))
    if then.grants and not grants:
        return Refused(Reason.SESSION_ENDED, "none of its grants holds: the approvers may not approve grants")
    standing = replace(then, grants=grants)
    needs = Permission(call.called.permission)
    match decide(policy, who, needs, standing):
        case Deny() as deny:
            return refused(policy, needs, deny)
        case Allow() as allow:
            wider = {group: decide(policy, who, group, standing) for group in map(Permission, call.called.widens)}
            yes = [allow, *(one for one in wider.values() if isinstance(one, Allow))]
            return Permitted(
                scope=allow.scope,
                widened={group: one.scope if isinstance(one, Allow) else None for group, one in wider.items()},
                rules=tuple(map(str, allow.rules)),
                grants=tuple(sorted({grant for one in yes for grant in one.grants})),
            )


def _is_still_approved(policy: Policy, grant: GrantedScope, then: Standing) -> bool:
    """Asks whether its approvers may approve, as an agent does; how old their certificates were is not recorded."""
    standing = Standing(unix_ns=then.unix_ns, tier=then.tier, certificate_since_unix=then.unix_ns // 1_000_000_000)
    return all(
        isinstance(decide(policy, approver, Permission.GRANTS_APPROVE, standing), Allow) for approver in grant.approvers
    )


def refused(policy: Policy, needs: Permission, deny: Deny) -> Refused:
    """Gives the refusal that an agent makes of a no."""
    reason = Reason.POLICY_DENIED
    if deny.why is DenyReason.GRANT_NEEDED:
        reason = Reason.APPROVAL_NEEDED
    elif deny.why in _CONDITIONS:
        reason = Reason.CONDITION_UNMET
    return Refused(reason, deny.why.value, deny.role, _in_the_way(policy, deny, needs))


def _in_the_way(policy: Policy, deny: Deny, needs: Permission) -> tuple[str, ...]:
    """Names the forbids behind a no, or the permits of the role whose conditions do not hold."""
    return tuple(
        sorted(
            str(rule.rule_id)
            for role in policy.roles
            if role.name == deny.role
            for rule in role.rules
            if needs in rule.permissions
            and (rule.effect == "forbid") is (deny.why is DenyReason.FORBIDDEN)
            and not (deny.why is DenyReason.FORBIDDEN and (rule.processes or rule.names or rule.paths))
        )
    )
