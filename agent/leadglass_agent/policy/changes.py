"""Changes that turn one answer of a policy into the other, as values that can be applied and asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.conditions import unmet
from leadglass_agent.policy.model import (
    Binding,
    Conditions,
    Effect,
    Permission,
    ProcessSelector,
    Rule,
    RuleId,
    SpiffeId,
    Tier,
)
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.policy.model import Policy, Role
    from leadglass_agent.policy.question import Question

NEW_RULE: Final = RuleId("new-rule")
_NANOSECONDS: Final = 1_000_000_000
_MINUTE: Final = 60 * _NANOSECONDS
_WEEK_MINUTES: Final = 7 * 24 * 60


class ChangeKind(StrEnum):
    """What changes: first what the caller can bring or do, then what the policy would have to say."""

    BRING_GRANT = "BRING_GRANT"
    SHOW_EVIDENCE = "SHOW_EVIDENCE"
    RENEW_CERTIFICATE = "RENEW_CERTIFICATE"
    WAIT_FOR_WINDOW = "WAIT_FOR_WINDOW"
    ASK_IN_TIER = "ASK_IN_TIER"
    WIDEN_PERMIT = "WIDEN_PERMIT"
    ADD_PERMIT = "ADD_PERMIT"
    BIND_ROLE = "BIND_ROLE"
    DROP_FORBID = "DROP_FORBID"
    DROP_PERMIT = "DROP_PERMIT"
    ADD_FORBID = "ADD_FORBID"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: to the caller's standing, or to a role or a rule of the policy; `rule` is "" where none is meant."""

    kind: ChangeKind
    role: str
    rule: str = ""

    @property
    def is_to_policy(self) -> bool:
        """Whether somebody has to edit the policy."""
        return list(ChangeKind).index(self.kind) >= list(ChangeKind).index(ChangeKind.WIDEN_PERMIT)


def applied(policy: Policy, question: Question, change: Change) -> tuple[Policy, Question]:
    """Gives policy and question as they are after the change, which covers exactly what the question is about."""
    if not change.is_to_policy:
        role = next(role for role in policy.roles if role.name == change.role)
        return policy, replace(question, standing=_stood(policy, role, question, change.kind))
    if change.kind is ChangeKind.BIND_ROLE:
        bindings = (*policy.bindings, Binding(change.role, (question.caller,)))
        return replace(policy, bindings=bindings), question
    edits: dict[ChangeKind, Callable[[Role], Role]] = {
        ChangeKind.WIDEN_PERMIT: lambda role: _each_rule(role, change.rule, lambda rule: _widened(rule, question)),
        ChangeKind.DROP_FORBID: lambda role: _each_rule(role, change.rule, lambda rule: _without(rule, question)),
        ChangeKind.DROP_PERMIT: lambda role: _each_rule(role, change.rule, lambda rule: _without(rule, question)),
        ChangeKind.ADD_PERMIT: lambda role: replace(role, rules=(*role.rules, _exact(question, Effect.PERMIT))),
        ChangeKind.ADD_FORBID: lambda role: replace(role, rules=(*role.rules, _exact(question, Effect.FORBID))),
    }
    edit = edits[change.kind]
    roles = tuple(edit(role) if role.name == change.role else role for role in policy.roles)
    return replace(policy, roles=roles), question


def next_opening(role: Role, unix_ns: int) -> int:
    """Gives the first moment from `unix_ns` on, to the minute, at which one of the role's windows is open."""
    only = Conditions(windows=role.conditions.windows)
    start = unix_ns // _MINUTE * _MINUTE
    for minute in range(_WEEK_MINUTES + 1):
        moment = max(unix_ns, start + minute * _MINUTE)
        if unmet(only, Standing(moment, Tier.PROD, 0)) is None:
            return moment
    return unix_ns


def grant_terms(policy: Policy, role: Role, permission: Permission) -> tuple[int, tuple[str, ...], int]:
    """Gives how many approvals a grant needs, by holders of which roles, and for how many minutes it may be."""
    rule = role.grant
    if rule is None:
        return 0, (), 0
    glass = policy.break_glass if permission is Permission.ENV_REVEAL else None
    if glass is None:
        return rule.approvals, rule.approvers, rule.max_minutes
    approvers = (*rule.approvers, *(name for name in glass.approvers if name not in rule.approvers))
    return max(rule.approvals, glass.approvals), approvers, min(rule.max_minutes, glass.max_minutes)


def _stood(policy: Policy, role: Role, question: Question, kind: ChangeKind) -> Standing:
    standing = question.standing
    now = standing.unix_ns // _NANOSECONDS
    match kind:
        case ChangeKind.ASK_IN_TIER:
            return replace(standing, tier=min(role.conditions.tiers))
        case ChangeKind.RENEW_CERTIFICATE:
            return replace(standing, certificate_since_unix=now)
        case ChangeKind.SHOW_EVIDENCE if role.conditions.evidence is not None:
            rule = role.conditions.evidence
            acr = min(rule.acr, default="")
            return replace(standing, evidence=Evidence("somebody", rule.amr, acr, now))
        case ChangeKind.WAIT_FOR_WINDOW:
            return replace(standing, unix_ns=next_opening(role, standing.unix_ns))
        case ChangeKind.BRING_GRANT:
            return replace(standing, grants=(*standing.grants, _grant(policy, role, question)))
        case _:
            return standing


def _grant(policy: Policy, role: Role, question: Question) -> GrantedScope:
    """Makes a grant that everybody who is bound to one of the approvers' roles has signed."""
    _, approvers, minutes = grant_terms(policy, role, question.permission)
    return GrantedScope("new-grant", frozenset({question.permission}), _signers(policy, approvers), minutes)


def _signers(policy: Policy, roles: tuple[str, ...]) -> tuple[SpiffeId, ...]:
    globs = [glob for binding in policy.bindings if binding.role in roles for glob in binding.callers]
    return tuple(
        SpiffeId(glob.replace("**", f"signer-{at}").replace("*", f"signer-{at}").replace("?", "s"))
        for glob in dict.fromkeys(globs)
        for at in range(10)
    )


def _each_rule(role: Role, rule_id: str, edit: Callable[[Rule], Rule]) -> Role:
    return replace(role, rules=tuple(edit(rule) if rule.rule_id == rule_id else rule for rule in role.rules))


def _without(rule: Rule, question: Question) -> Rule:
    return replace(rule, permissions=rule.permissions - {question.permission})


def _widened(rule: Rule, question: Question) -> Rule:
    exact = _exact(question, Effect.PERMIT)
    return replace(
        rule,
        processes=(*rule.processes, *exact.processes) if rule.processes else (),
        names=(*rule.names, *exact.names) if rule.names else (),
        paths=(*rule.paths, *exact.paths) if rule.paths else (),
    )


def _exact(question: Question, effect: Effect) -> Rule:
    """Makes a rule for what the question is about; a name or path that is spelled like a glob is taken as one."""
    target = question.target
    facts = target.process
    selector = () if facts is None else (_selector(facts.name, facts.executable, facts.uid),)
    return Rule(
        rule_id=NEW_RULE,
        effect=effect,
        permissions=frozenset({question.permission}),
        processes=selector,
        names=() if target.name is None else (target.name,),
        paths=() if target.path is None else (target.path,),
    )


def _selector(name: str, executable: str | None, uid: int) -> ProcessSelector:
    return ProcessSelector(names=(name,), executables=() if executable is None else (executable,), uids=(uid,))
