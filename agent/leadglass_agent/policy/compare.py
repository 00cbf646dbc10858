"""Finds everything that one policy permits and another does not, over all callers, standings, processes and items.

What a policy answers to depends on texts through its globs alone, on times through the edges of its windows and bounds,
and on approvers through the roles that they hold. So all questions fall into finitely many kinds, and one question of
each kind is put to both policies through `decide` and `Scope`, as agents do:

- callers: one for each set of roles that either policy gives (`callers`);
- standings: those that are just enough for the role that permits (`standings`), because more of anything can only make
  the policy before permit more;
- processes, names and paths: one for each way in which the selectors of both scopes fit (`members`), one that fits none
  included. Scopes do not depend on the standing beyond what it was decided with.

A yes of the new policy where the old one says no is a widening. Nothing is sampled: two policies with more kinds of
questions than can be asked raise TooManyMembersError, which counts as wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.policy.callers import population_of
from leadglass_agent.policy.compare_terms import TermWidening, term_widenings
from leadglass_agent.policy.decide import Allow, decide, roles_of
from leadglass_agent.policy.model import Effect, Permission
from leadglass_agent.policy.question import No, Question, answer, permits_that_admit
from leadglass_agent.policy.scope import Scope
from leadglass_agent.policy.standings import standings_for
from leadglass_agent.policy.targets import Target, admits, targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.callers import CallerClass, Population
    from leadglass_agent.policy.decide import Decision
    from leadglass_agent.policy.model import Policy, Role, RuleId, SpiffeId
    from leadglass_agent.policy.standing import Standing


@dataclass(frozen=True, slots=True)
class AccessWidening:
    """A permit that gives more than before, with one question that was answered no, why, and by which forbids."""

    permission: Permission
    role: str
    rule: RuleId
    callers: tuple[str, ...]
    before: No
    caller: SpiffeId
    standing: Standing
    target: Target


Widening: TypeAlias = AccessWidening | TermWidening


def widenings(before: Policy, after: Policy) -> tuple[Widening, ...]:
    """Gives each permit and each term of `after` that gives somebody more than `before` does, sorted.

    For each permit and each reason that the policy before had to refuse there is one entry. Raises TooManyMembersError.
    """
    people = population_of(before, after)
    found: dict[tuple[str, str, str, tuple[str, ...]], AccessWidening] = {}
    for caller in people.classes:
        for role in roles_of(people.after, caller.caller):
            for permission in Permission:
                for widening in _access(people, caller, role, permission, _globs(after, role)):
                    no = widening.before
                    found.setdefault((permission, widening.rule, no.why, tuple(map(str, no.rules))), widening)
    access = tuple(found[key] for key in sorted(found))
    return (*access, *term_widenings(people, before, after))


def _access(
    people: Population, caller: CallerClass, role: Role, permission: Permission, callers: tuple[str, ...]
) -> Iterator[AccessWidening]:
    permits = {rule.rule_id for rule in role.rules if rule.effect is Effect.PERMIT and permission in rule.permissions}
    if not permits:
        return
    asked: set[tuple[Decision, Decision]] = set()
    for standing in standings_for(people, caller, role, permission):
        old, new = (decide(one, caller.caller, permission, standing) for one in (people.before, people.after))
        if (old, new) in asked:
            continue
        asked.add((old, new))
        for rule, target in _gained(_scope(old), _scope(new), permission):
            if rule in permits:
                no = answer(people.before, Question(caller.caller, permission, standing, target))
                if isinstance(no, No):
                    yield AccessWidening(permission, role.name, rule, callers, no, caller.example, standing, target)


def _scope(decision: Decision) -> Scope:
    return decision.scope if isinstance(decision, Allow) else Scope()


@lru_cache(maxsize=1024)
def _gained(old: Scope, new: Scope, permission: Permission) -> tuple[tuple[RuleId, Target], ...]:
    """Gives each target that `new` admits and `old` does not, with each permit that admits it."""
    if old == new:
        return ()
    return tuple(
        (rule.rule_id, target)
        for target in targets_of([old, new], permission, Target())
        if admits(new, permission, target) and not admits(old, permission, target)
        for rule in permits_that_admit(new, permission, target)
    )


def _globs(policy: Policy, role: Role) -> tuple[str, ...]:
    return tuple(glob for binding in policy.bindings if binding.role == role.name for glob in binding.callers)
