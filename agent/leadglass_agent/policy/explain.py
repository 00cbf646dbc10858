"""Explains an answer of a policy: what decided it, and the fewest changes that would have it decide otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.changes import NEW_RULE, Change, ChangeKind, applied, next_opening
from leadglass_agent.policy.conditions import unmet
from leadglass_agent.policy.decide import roles_of
from leadglass_agent.policy.granted import bounds_for, is_grantable, needs_grant
from leadglass_agent.policy.model import Conditions, Effect
from leadglass_agent.policy.question import Answer, No, Question, Yes, answer
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.policy.targets import Target, admits, targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.model import Policy, Role, Rule

_MAX_TARGETS: Final = 2_000
# One more item in a rule reaches least, then a role for one more caller, then a new rule for all callers of a role.
_REACH: Final = {ChangeKind.BIND_ROLE: 1, ChangeKind.ADD_PERMIT: 2}


@dataclass(frozen=True, slots=True)
class Way:
    """Changes that are enough together, none of which can be left out: about `target` the answer is the other one."""

    target: Target
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer, and ways to the other one: the smallest first, and of ways to a yes at most one for each role.

    Without ways no change to a caller and one role is enough: a reveal, say, needs break-glass first.
    """

    answer: Answer
    ways: tuple[Way, ...]


def explain(policy: Policy, question: Question) -> Explanation:
    """Answers, and looks for what would change it; what it names was applied, and the policy asked again."""
    given = answer(policy, question)
    if isinstance(given, Yes):
        return Explanation(given, tuple(_to_no(policy, question, given)))
    candidates = _candidates(policy, question)
    ways: dict[str, Way] = {}
    for target in islice(_targets(policy, question), _MAX_TARGETS):
        about = replace(question, target=target)
        for role in candidates:
            changes = tuple(_to_yes(policy, about, role))
            if changes and _turns(policy, about, changes, Yes):
                way = Way(target, _needed(policy, about, changes))
                if role.name not in ways or _cost(way) < _cost(ways[role.name]):
                    ways[role.name] = way
    different: dict[tuple[Change, ...], Way] = {}
    for way in ways.values():
        different.setdefault(way.changes, way)
    return Explanation(given, tuple(sorted(different.values(), key=_cost)))


def _needed(policy: Policy, question: Question, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Leaves out what is not needed: without a forbid, say, a permit of another role can be enough."""
    for change in changes:
        fewer = tuple(one for one in changes if one is not change)
        if fewer and _turns(policy, question, fewer, Yes):
            return _needed(policy, question, fewer)
    return changes


def _to_no(policy: Policy, question: Question, given: Yes) -> Iterator[Way]:
    """Names the permit, if there is but one, and a forbid, which is enough however many permits there are."""
    about = replace(question, target=given.target)
    role_of = {rule.rule_id: role.name for role in roles_of(policy, question.caller) for rule in role.rules}
    rule = given.rules[0]
    for change in (Change(ChangeKind.DROP_PERMIT, role_of[rule], rule), Change(ChangeKind.ADD_FORBID, role_of[rule])):
        if _turns(policy, about, (change,), No):
            yield Way(given.target, (change,))


def _to_yes(policy: Policy, question: Question, role: Role) -> Iterator[Change]:
    """Yields what it takes for this role to permit the target; nothing if that is more than this role can do."""
    if needs_grant(role, question.permission) and not is_grantable(policy, role, question.permission):
        return
    held = {one.name for one in roles_of(policy, question.caller)}
    if role.name not in held:
        yield Change(ChangeKind.BIND_ROLE, role.name)
    permits = [rule for rule in role.rules if _is(rule, Effect.PERMIT, question)]
    if not permits:
        yield Change(ChangeKind.ADD_PERMIT, role.name)
    elif not any(_admits(rule, question) for rule in permits):
        nearest = min(permits, key=lambda rule: _misfits(rule, question))
        yield Change(ChangeKind.WIDEN_PERMIT, role.name, nearest.rule_id)
    yield from _standing_changes(policy, question, role)
    for other in policy.roles:
        if other.name in held or other.name == role.name:
            for rule in other.rules:
                if _is(rule, Effect.FORBID, question) and not _admits_all_but(rule, question):
                    yield Change(ChangeKind.DROP_FORBID, other.name, rule.rule_id)


def _standing_changes(policy: Policy, question: Question, role: Role) -> Iterator[Change]:
    asked, standing = role.conditions, question.standing
    if policy.evidence is None:
        standing = replace(standing, evidence=None)
    if unmet(Conditions(tiers=asked.tiers), standing):
        yield Change(ChangeKind.ASK_IN_TIER, role.name)
    if unmet(Conditions(windows=asked.windows), standing):
        yield Change(ChangeKind.WAIT_FOR_WINDOW, role.name)
        standing = replace(standing, unix_ns=next_opening(role, standing.unix_ns))
    if unmet(Conditions(max_certificate_hours=asked.max_certificate_hours), standing):
        yield Change(ChangeKind.RENEW_CERTIFICATE, role.name)
    if unmet(Conditions(evidence=asked.evidence), standing):
        yield Change(ChangeKind.SHOW_EVIDENCE, role.name)
    if needs_grant(role, question.permission):
        bounds = bounds_for(policy, question.caller, role, question.permission, standing.grants)
        within = Scope((ScopeRule(rule_id=NEW_RULE, bounds=bounds),))
        if not bounds or not admits(within, question.permission, question.target):
            yield Change(ChangeKind.BRING_GRANT, role.name)


def _cost(way: Way) -> tuple[int, int, int]:
    """Counts edits of the policy, then all changes, then how far-reaching they are: nothing is smaller than no edit."""
    edits = sum(change.is_to_policy for change in way.changes)
    return edits, len(way.changes), sum(_REACH.get(change.kind, 0) for change in way.changes)


def _candidates(policy: Policy, question: Question) -> list[Role]:
    """Gives the roles that the caller holds and those that permit such things; all roles if that is none."""
    held = {role.name for role in roles_of(policy, question.caller)}
    found = [
        role
        for role in policy.roles
        if role.name in held or any(_is(rule, Effect.PERMIT, question) for rule in role.rules)
    ]
    return found or list(policy.roles)


def _turns(policy: Policy, question: Question, changes: tuple[Change, ...], to: type[Yes | No]) -> bool:
    for change in changes:
        policy, question = applied(policy, question, change)
    return isinstance(answer(policy, question), to)


def _targets(policy: Policy, question: Question) -> Iterator[Target]:
    """Yields what a question that leaves something open can be about, as the rules of all roles tell it apart."""
    rules = [_scoped(rule) for role in policy.roles for rule in role.rules if question.permission in rule.permissions]
    yield from targets_of([Scope(tuple(rules))], question.permission, question.target)


def _is(rule: Rule, effect: Effect, question: Question) -> bool:
    return rule.effect is effect and question.permission in rule.permissions


def _admits(rule: Rule, question: Question) -> bool:
    return admits(Scope((_scoped(rule),)), question.permission, question.target)


def _admits_all_but(forbid: Rule, question: Question) -> bool:
    everything = ScopeRule(rule_id=NEW_RULE)
    return admits(Scope((everything,), (_scoped(forbid),)), question.permission, question.target)


def _misfits(rule: Rule, question: Question) -> int:
    """Counts the dimensions in which a permit does not reach the target."""
    parts = (replace(rule, names=(), paths=()), replace(rule, processes=()))
    return sum(not _admits(part, question) for part in parts)


def _scoped(rule: Rule) -> ScopeRule:
    return ScopeRule(rule_id=rule.rule_id, processes=rule.processes, names=rule.names, paths=rule.paths)
