"""Says whether a new policy takes anything from a caller that the old one gave, so that open sessions must end.

The answer is read off the two policies and errs on the side of yes: what it cannot compare counts as tighter. The
guard's thresholds are left out, because they bind the next call of every session as it is.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.decide import budget_of, roles_of, session_limits
from leadglass_agent.policy.model import Effect, Permission, Profile, RuleId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadglass_agent.policy.model import (
        BreakGlass,
        Conditions,
        EvidenceRule,
        EvidenceSource,
        GrantRule,
        Policy,
        Role,
        Rule,
        SessionLimits,
        SpiffeId,
    )

_NO_ID: Final = RuleId("")


def tightens(old: Policy, new: Policy, caller: SpiffeId) -> bool:
    """Says whether the caller has less under `new`: a permit, a process, a path, a minute, a number, an approver."""
    before, after = roles_of(old, caller), roles_of(new, caller)
    if not _texts(after, Effect.FORBID) <= _texts(before, Effect.FORBID):
        return True
    if not all(_keeps(role, after, old, new) for role in before):
        return True
    return (
        _masks_more(old, new, before, after)
        or _are_tighter(session_limits(old, caller), session_limits(new, caller))
        or any(_is_less(one, other) for one, other in zip(_budget(old, caller), _budget(new, caller), strict=True))
    )


def _texts(roles: Iterable[Role], effect: Effect) -> set[Rule]:
    """Gives the rules without their ids, which change nothing that they permit or forbid."""
    return {replace(rule, rule_id=_NO_ID) for role in roles for rule in role.rules if rule.effect is effect}


def _keeps(role: Role, after: tuple[Role, ...], old: Policy, new: Policy) -> bool:
    """Says whether each permit of the role is still there, in roles that ask for nothing that this one did not."""
    permits = _texts([role], Effect.PERMIT)
    as_easy = [other for other in after if _is_had_as_easily(role, other, old, new)]
    revealing = [other for other in as_easy if _reveals_as_much(role, other, old, new)]
    reveals = {rule for rule in permits if Permission.ENV_REVEAL in rule.permissions}
    return reveals <= _texts(revealing, Effect.PERMIT) and permits <= _texts(as_easy, Effect.PERMIT)


def _is_had_as_easily(role: Role, other: Role, old: Policy, new: Policy) -> bool:
    asks_evidence = role.conditions.evidence is not None and other.conditions.evidence is not None
    return (
        _asks_no_more(role.conditions, other.conditions)
        and (not asks_evidence or _takes_as_much(old.evidence, new.evidence))
        and _is_approved_as_easily(role.grant, other.grant, old, new)
    )


def _asks_no_more(old: Conditions, new: Conditions) -> bool:
    if new.tiers and not (old.tiers and old.tiers <= new.tiers):
        return False
    if new.windows and not (old.windows and set(old.windows) <= set(new.windows)):
        return False
    if _is_less(old.max_certificate_hours, new.max_certificate_hours):
        return False
    return _is_proved_as_easily(old.evidence, new.evidence)


def _is_proved_as_easily(old: EvidenceRule | None, new: EvidenceRule | None) -> bool:
    if new is None or old is None:
        return new is None
    classes = not new.acr or (bool(old.acr) and old.acr <= new.acr)
    return new.amr <= old.amr and classes and new.max_minutes >= old.max_minutes


def _takes_as_much(old: EvidenceSource | None, new: EvidenceSource | None) -> bool:
    if old is None or new is None:
        return old is None
    same = (old.issuer, old.jwks, old.audience) == (new.issuer, new.jwks, new.audience)
    return same and old.algorithms <= new.algorithms


def _is_approved_as_easily(old: GrantRule | None, new: GrantRule | None, before: Policy, after: Policy) -> bool:
    if new is None or old is None:
        return new is None
    return (
        new.approvals <= old.approvals
        and new.max_minutes >= old.max_minutes
        and _approvers(before, old.approvers) <= _approvers(after, new.approvers)
    )


def _approvers(policy: Policy, roles: tuple[str, ...]) -> set[str]:
    return {pattern for binding in policy.bindings if binding.role in roles for pattern in binding.callers}


def _reveals_as_much(role: Role, other: Role, old: Policy, new: Policy) -> bool:
    # Without a grant rule nothing is revealed, so that here its absence is the tighter of the two.
    if role.grant is not None and other.grant is None:
        return False
    return _breaks_as_easily(old.break_glass, new.break_glass, old, new)


def _breaks_as_easily(old: BreakGlass | None, new: BreakGlass | None, before: Policy, after: Policy) -> bool:
    if old is None or new is None:
        return old is None
    return (
        set(old.names) <= set(new.names)
        and new.approvals <= old.approvals
        and new.max_minutes >= old.max_minutes
        and new.per_month >= old.per_month
        and new.review_owed <= old.review_owed
        and _approvers(before, old.approvers) <= _approvers(after, new.approvers)
    )


def _masks_more(old: Policy, new: Policy, before: tuple[Role, ...], after: tuple[Role, ...]) -> bool:
    """Says whether text may be masked more strictly: by the policy, or by a new permit, because the strictest holds."""
    if new.redaction is not old.redaction and new.redaction is Profile.STRICT:
        return True
    if new.redaction is Profile.STRICT:
        return False
    return not _asking_for_strict(new, after) <= _asking_for_strict(old, before)


def _asking_for_strict(policy: Policy, roles: tuple[Role, ...]) -> set[tuple[object, ...]]:
    """Gives the permits that ask for the stricter profile, each with all that decides whether it counts."""
    return {
        (
            rule,
            role.conditions,
            policy.evidence if role.conditions.evidence is not None else None,
            role.grant,
            frozenset(_approvers(policy, role.grant.approvers)) if role.grant is not None else None,
        )
        for role in roles
        for rule in _texts([role], Effect.PERMIT)
        if rule.redaction is Profile.STRICT
    }


def _are_tighter(old: SessionLimits, new: SessionLimits) -> bool:
    return (
        new.max_minutes < old.max_minutes
        or new.idle_minutes < old.idle_minutes
        or new.max_open < old.max_open
        or new.calls_per_minute < old.calls_per_minute
        or new.min_reason_characters > old.min_reason_characters
        or not set(new.ticket_patterns) <= set(old.ticket_patterns)
    )


def _budget(policy: Policy, caller: SpiffeId) -> tuple[int | None, ...]:
    numbers: tuple[int | None, ...] = astuple(budget_of(policy, caller))
    return numbers


def _is_less(old: int | None, new: int | None) -> bool:
    return new is not None and (old is None or new < old)
