"""Finds the terms that are looser under one policy than under another: limits, budgets, masking, guard, break-glass."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.decide import budget_of, roles_of, session_limits
from leadglass_agent.policy.glob import matches_name, matches_path
from leadglass_agent.policy.members import name_members, path_members
from leadglass_agent.policy.model import Budget, Effect, GuardLimits, Permission, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.policy.callers import CallerClass, Population
    from leadglass_agent.policy.model import Policy, Role, Rule, SessionLimits, SpiffeId

_TEXT: Final = (Permission.PROCESSES_ARGV, Permission.TEXT_REDACTED)
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class TermWidening:
    """A term by its key in the policy file, what it was and is, and a caller whom it binds; None if it binds all."""

    term: str
    before: str
    after: str
    caller: SpiffeId | None = None


def term_widenings(people: Population, before: Policy, after: Policy) -> tuple[TermWidening, ...]:
    """Gives each term that binds somebody less; those of callers who had no role before are none, they had nothing."""
    found = [*_guard(before.guard, after.guard), *_break_glass(before, after), *_evidence(before, after)]
    for one in people.classes:
        if one.before and one.after:
            found += _of_caller(people, one)
    unique = {(term.term, term.before, term.after): term for term in reversed(found)}
    return tuple(unique[key] for key in sorted(unique))


def _of_caller(people: Population, one: CallerClass) -> Iterator[TermWidening]:
    old, new = people.before, people.after
    for term, was, is_now in (
        *_limits(session_limits(old, one.caller), session_limits(new, one.caller)),
        *_budgets(budget_of(old, one.caller), budget_of(new, one.caller)),
        *(term for permission in _TEXT for term in _masking(old, new, one, permission)),
    ):
        yield TermWidening(term, was, is_now, one.example)


def _limits(old: SessionLimits, new: SessionLimits) -> Iterator[tuple[str, str, str]]:
    for term, was, is_now in (
        ("session.maxMinutes", old.max_minutes, new.max_minutes),
        ("session.idleMinutes", old.idle_minutes, new.idle_minutes),
        ("session.maxOpen", old.max_open, new.max_open),
        ("session.callsPerMinute", old.calls_per_minute, new.calls_per_minute),
    ):
        if is_now > was:
            yield term, str(was), str(is_now)
    if new.min_reason_characters < old.min_reason_characters:
        yield "session.minReasonCharacters", str(old.min_reason_characters), str(new.min_reason_characters)
    was_asked, is_asked = ([pattern.text for pattern in limits.ticket_patterns] for limits in (old, new))
    if not set(was_asked) <= set(is_asked):
        yield "session.ticketPattern", " and ".join(was_asked), " and ".join(is_asked) or "any ticket"


def _budgets(old: Budget, new: Budget) -> Iterator[tuple[str, str, str]]:
    names = ("calls", "rows", "names", "paths", "replyBytes", "answers")
    for name, was, is_now in zip(names, astuple(old), astuple(new), strict=True):
        if was is not None and (is_now is None or is_now > was):
            yield f"budget.{name}", str(was), "no bound" if is_now is None else str(is_now)


def _masking(old: Policy, new: Policy, one: CallerClass, permission: Permission) -> Iterator[tuple[str, str, str]]:
    """Gives whether text may be masked less, judged by the permits that set a profile and not by what they cover.

    Text is masked less where a permit that asked for strict is gone, or one that asks for balanced is new. A permit
    counts as the same if everything that decides when it counts is the same; if in doubt it is not.
    """
    if new.redaction is Profile.STRICT or not _permits(old, one, permission):
        return
    if old.redaction is Profile.STRICT:
        yield "redaction", "strict", "left to the rules"
        return
    asked, asks = (_asking(policy, one, permission, Profile.STRICT) for policy in (old, new))
    if not asked <= asks:
        yield f"redaction of {permission}", "strict", "left to the kind of text, or balanced"
    asked, asks = (_asking(policy, one, permission, Profile.BALANCED) for policy in (old, new))
    if not asks <= asked:
        yield f"redaction of {permission}", "left to the kind of text, or strict", "balanced"


def _asking(policy: Policy, one: CallerClass, permission: Permission, profile: Profile) -> set[tuple[object, ...]]:
    return {
        (rule.processes, rule.names, rule.paths, role.conditions, policy.evidence, role.grant, _approvers(policy, role))
        for role, rule in _permits(policy, one, permission)
        if rule.redaction is profile
    }


def _permits(policy: Policy, one: CallerClass, permission: Permission) -> list[tuple[Role, Rule]]:
    return [
        (role, rule)
        for role in roles_of(policy, one.caller)
        for rule in role.rules
        if rule.effect is Effect.PERMIT and permission in rule.permissions
    ]


def _approvers(policy: Policy, role: Role) -> frozenset[str]:
    wanted = () if role.grant is None else role.grant.approvers
    return frozenset(glob for binding in policy.bindings if binding.role in wanted for glob in binding.callers)


def _guard(old: GuardLimits, new: GuardLimits) -> Iterator[TermWidening]:
    for field in fields(GuardLimits):
        was, is_now = getattr(old, field.name), getattr(new, field.name)
        key = f"guard.{_camel(field.name)}"
        if field.name == "sensitive_paths":
            if _reaches_further(path_members, matches_path, was, is_now):
                yield TermWidening(key, ", ".join(was), ", ".join(is_now) or _NONE)
        elif is_now < was if field.name == "halt_minutes" else is_now > was:
            yield TermWidening(key, str(was), str(is_now))


def _break_glass(old: Policy, new: Policy) -> Iterator[TermWidening]:
    was, is_now = old.break_glass, new.break_glass
    if is_now is None:
        return
    if was is None:
        yield TermWidening("breakGlass", "off", "on")
        return
    if _reaches_further(name_members, matches_name, is_now.names, was.names):
        yield TermWidening("breakGlass.names", ", ".join(was.names), ", ".join(is_now.names))
    for key, before, after, is_wider in (
        ("approvals", was.approvals, is_now.approvals, is_now.approvals < was.approvals),
        ("maxMinutes", was.max_minutes, is_now.max_minutes, is_now.max_minutes > was.max_minutes),
        ("perMonth", was.per_month, is_now.per_month, is_now.per_month > was.per_month),
    ):
        if is_wider:
            yield TermWidening(f"breakGlass.{key}", str(before), str(after))
    if was.review_owed and not is_now.review_owed:
        yield TermWidening("breakGlass.reviewOwed", "true", "false")


def _evidence(old: Policy, new: Policy) -> Iterator[TermWidening]:
    was, is_now = old.evidence, new.evidence
    if was is None or is_now is None:
        return
    for key, before, after in (
        ("issuer", was.issuer, is_now.issuer),
        ("jwks", was.jwks, is_now.jwks),
        ("audience", was.audience, is_now.audience),
    ):
        if before != after:
            yield TermWidening(f"evidence.{key}", before, after)
    if not is_now.algorithms <= was.algorithms:
        before, after = (", ".join(sorted(source.algorithms)) for source in (was, is_now))
        yield TermWidening("evidence.algorithms", before, after)


def _reaches_further(
    members: Callable[[list[tuple[str, ...]]], tuple[str, ...]],
    matches: Callable[[str, str], bool],
    globs: tuple[str, ...],
    others: tuple[str, ...],
) -> bool:
    """Says whether something fits one of the globs and none of the others."""
    return any(
        any(matches(glob, text) for glob in globs) and not any(matches(glob, text) for glob in others)
        for text in members([globs, others])
    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
