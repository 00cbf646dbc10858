"""Finds for two policies a caller for each way in which they tell callers apart, and enough others to approve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.decide import roles_of
from leadglass_agent.policy.members import caller_members
from leadglass_agent.policy.model import Binding, SpiffeId

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy

# Ids of the class's own trust domain: no policy has bound them to anything.
_STAND_IN: Final = "spiffe://class-{}/{}"


@dataclass(frozen=True, slots=True)
class CallerClass:
    """All callers to whom either policy gives the same roles; `example` is one of them."""

    number: int
    example: SpiffeId
    before: frozenset[str]
    after: frozenset[str]

    @property
    def caller(self) -> SpiffeId:
        """The stand-in that asks."""
        return SpiffeId(_STAND_IN.format(self.number, "caller"))

    def approvers(self, count: int) -> tuple[SpiffeId, ...]:
        """Gives so many other members of the class."""
        return tuple(SpiffeId(_STAND_IN.format(self.number, f"approver-{at}")) for at in range(count))


@dataclass(frozen=True, slots=True)
class Population:
    """The classes of callers, and both policies with their stand-ins bound in place of the callers themselves."""

    classes: tuple[CallerClass, ...]
    before: Policy
    after: Policy


def population_of(before: Policy, after: Policy) -> Population:
    """Divides all callers; whoever has no role under either policy is a class, too."""
    groups = [
        [glob for binding in policy.bindings if binding.role == role.name for glob in binding.callers]
        for policy in (before, after)
        for role in policy.roles
    ]
    divided: dict[tuple[frozenset[str], frozenset[str]], SpiffeId] = {}
    for member in map(SpiffeId, caller_members(groups)):
        divided.setdefault((_names(before, member), _names(after, member)), member)
    classes = tuple(
        CallerClass(number, example, *roles) for number, (roles, example) in enumerate(divided.items(), start=1)
    )
    return Population(
        classes,
        replace(before, bindings=tuple(_bindings({one.number: one.before for one in classes}))),
        replace(after, bindings=tuple(_bindings({one.number: one.after for one in classes}))),
    )


def _names(policy: Policy, caller: SpiffeId) -> frozenset[str]:
    return frozenset(role.name for role in roles_of(policy, caller))


def _bindings(roles: dict[int, frozenset[str]]) -> list[Binding]:
    return [
        Binding(role, (_STAND_IN.format(number, "*"),)) for number, names in roles.items() for role in sorted(names)
    ]
