"""Finds the standings that are just enough for a role of one policy, in all ways that another policy tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import comb
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.conditions import unmet
from leadglass_agent.policy.decide import Allow, decide, roles_of
from leadglass_agent.policy.granted import needs_grant
from leadglass_agent.policy.members import TooManyMembersError
from leadglass_agent.policy.model import Conditions, Permission, Tier
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from leadglass_agent.policy.callers import CallerClass, Population
    from leadglass_agent.policy.model import Policy, Role, SpiffeId

_MONDAY: Final = 1_767_571_200  # 2026-01-05T00:00:00Z
_WEEK_MINUTES: Final = 7 * 24 * 60
_AGES_AGO_HOURS: Final = 10 * 365 * 24  # older than any condition asks for
_MAX_GROUPS: Final = 5_000
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Demand:
    approvals: int
    approvers: frozenset[str]
    minutes: int


def standings_for(people: Population, caller: CallerClass, role: Role, permission: Permission) -> Iterator[Standing]:
    """Yields the standings with which the role of the policy after, and nothing more than it asks for, permits.

    Whatever else a caller brings can only add to what the policy before permits: an older certificate, a longer ago
    sign-in, fewer methods, fewer and other approvers, and a longer grant never do. So whoever has more after than
    before in some standing has more in one of these. The bounds of the policy before are tried as well, where they are
    stricter: they hide no other reason that it had to refuse.
    """
    others = roles_of(people.before, caller.caller)
    hours = _and_stricter(_hours(role), [_hours(other) for other in others])
    grants = list(_grants(people, caller, role, permission))
    for minute, tier, age in product(_minutes(people.before, people.after), Tier, hours):
        now = _MONDAY + minute * 60
        for evidence, brought in product(_evidence(role, others, now), grants):
            standing = Standing(now * _NANOSECONDS, tier, now - age * 3600, evidence, brought)
            match decide(people.after, caller.caller, permission, standing):
                case Allow(roles=roles) if role.name in roles:
                    yield standing
                case _:
                    pass


def _minutes(*policies: Policy) -> list[int]:
    """Gives a minute of the week for each way in which the windows of all roles are open."""
    windows = {role.conditions.windows for policy in policies for role in policy.roles}
    edges = {0} | {
        day * 1440 + minute
        for some in windows
        for window in some
        for day in range(7)
        for minute in (window.start % 1440, window.end % 1440)
    }
    found: dict[tuple[bool, ...], int] = {}
    for at in sorted(edges):
        standing = Standing((_MONDAY + at * 60) * _NANOSECONDS, Tier.PROD, 0)
        found.setdefault(tuple(unmet(Conditions(windows=some), standing) is None for some in windows), at)
    return sorted(found.values())


def _hours(role: Role) -> int:
    hours = role.conditions.max_certificate_hours
    return _AGES_AGO_HOURS if hours is None else hours


def _and_stricter(bound: int, others: Iterable[int]) -> list[int]:
    return sorted({bound, *(other for other in others if other < bound)}, reverse=True)


def _evidence(role: Role, others: tuple[Role, ...], now: int) -> list[Evidence | None]:
    rule = role.conditions.evidence
    if rule is None:
        return [None]
    rules = [other.conditions.evidence for other in others]
    ages = _and_stricter(rule.max_minutes, [other.max_minutes for other in rules if other is not None])
    return [Evidence("somebody", rule.amr, acr, now - age * 60) for age in ages for acr in (sorted(rule.acr) or [""])]


def _grants(
    people: Population, caller: CallerClass, role: Role, permission: Permission
) -> Iterator[tuple[GrantedScope, ...]]:
    if not needs_grant(role, permission):
        yield ()
        return
    demands = _demands(people.after, role, permission)
    others = [
        demand
        for other in roles_of(people.before, caller.caller)
        for demand in _demands(people.before, other, permission)
    ]
    longest = min((demand.minutes for demand in demands), default=1)
    lengths = _and_stricter(longest, [other.minutes for other in others])
    for approvers, minutes in product(_approvers(people, demands, others), lengths):
        yield (GrantedScope("grant", frozenset({permission}), approvers, minutes),)


def _approvers(people: Population, demands: list[_Demand], others: list[_Demand]) -> Iterator[tuple[SpiffeId, ...]]:
    """Yields each smallest group that could satisfy the demands, by what either policy counts its members for.

    Of each kind there are as many people as are asked for: who is bound by name may be counted twice here, which can
    only find more to report.
    """
    kinds: dict[tuple[bool, ...], CallerClass] = {}
    for one in people.classes:
        counted = tuple(bool(one.after & demand.approvers) for demand in demands)
        if any(counted):
            kinds.setdefault((*counted, *(bool(one.before & demand.approvers) for demand in others)), one)
    asked = [demand.approvals for demand in demands]
    sizes = range(max(asked, default=0), sum(asked) + 1)
    if sum(comb(len(kinds) + size - 1, size) for size in sizes if kinds) > _MAX_GROUPS:
        message = "the policies tell too many kinds of approvers apart"
        raise TooManyMembersError(message)
    for size in sizes:
        for group in combinations_with_replacement(kinds.values(), size):
            counts = {one.number: group.count(one) for one in group}
            yield tuple(person for one in dict.fromkeys(group) for person in one.approvers(counts[one.number]))


def _demands(policy: Policy, role: Role, permission: Permission) -> list[_Demand]:
    """Gives what a grant has to satisfy for the role; see `granted.bounds_for`."""
    rules = [] if role.grant is None else [role.grant]
    demands = [_Demand(rule.approvals, frozenset(rule.approvers), rule.max_minutes) for rule in rules]
    glass = policy.break_glass
    if permission is Permission.ENV_REVEAL and glass is not None:
        demands.append(_Demand(glass.approvals, frozenset(glass.approvers), glass.max_minutes))
    return demands
