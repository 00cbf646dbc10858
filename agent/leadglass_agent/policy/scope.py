"""Says which processes, names and paths a decision covers; it travels with the request to the process that reads."""

from __future__ import annotations

import msgspec

from leadglass_agent.policy.glob import is_canonical, matches_name, matches_path
from leadglass_agent.policy.model import ProcessSelector, Profile, RuleId

# The kernel adds this to the link of an executable that was replaced or removed after the start.
_DELETED = " (deleted)"


class ProcessFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What selectors ask about a process; `executable` is None if the kernel does not show it."""

    pid: int
    uid: int
    name: str
    executable: str | None


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The selectors of one grant; an empty tuple leaves its dimension open."""

    grant_id: str
    processes: tuple[ProcessSelector, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class ScopeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The selectors of one rule, an empty tuple leaves its dimension open, and the profile that it asks for.

    Where `bounds` is not None the rule permits only what one and the same of them admits too.
    """

    rule_id: RuleId
    processes: tuple[ProcessSelector, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    redaction: Profile | None = None
    bounds: tuple[Bound, ...] | None = None


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The permits and forbids of one caller for one permission.

    Names and paths are asked of a scope that has been narrowed to one process: until then a permit that selects
    processes admits nothing, and a forbid that selects processes counts as if it fitted.
    """

    permits: tuple[ScopeRule, ...] = ()
    forbids: tuple[ScopeRule, ...] = ()

    @property
    def rule_ids(self) -> tuple[RuleId, ...]:
        """Ids of the rules, permits first."""
        return tuple(rule.rule_id for rule in self.permits + self.forbids)

    def narrow(self, facts: ProcessFacts) -> Scope:
        """Keeps the rules that select the process, with their question about the process answered."""
        permits = (_answered(rule, facts) for rule in self.permits if _permits(rule.processes, facts))
        return Scope(
            permits=tuple(rule for rule in permits if rule.bounds != ()),
            forbids=tuple(_answered(rule, facts) for rule in self.forbids if _forbids(rule, facts)),
        )

    def is_empty(self) -> bool:
        """Says whether nothing can be admitted: no permit, or a forbid without any selector."""
        return all(rule.bounds == () for rule in self.permits) or any(
            not (rule.processes or rule.names or rule.paths) for rule in self.forbids
        )

    def admits_process(self, facts: ProcessFacts) -> bool:
        """Says whether anything of the process can be shown."""
        return not self.narrow(facts).is_empty()

    def admits_name(self, name: str) -> bool:
        """Says whether a rule permits the name and none forbids it."""
        permitted = any(_permits_name(rule, name) for rule in self.permits)
        return permitted and not any(_fits_name(rule.names, name) for rule in self.forbids)

    def admits_path(self, path: str) -> bool:
        """Says whether a rule permits the path and none forbids it; a path that is not canonical is never admitted."""
        permitted = is_canonical(path) and any(_permits_path(rule, path) for rule in self.permits)
        return permitted and not any(_fits_path(rule.paths, path) for rule in self.forbids)

    def redaction(self, path: str | None = None) -> Profile | None:
        """Gives the profile that the permits ask for, of the path if one is given; the stricter one if they differ."""
        asked = {
            rule.redaction
            for rule in self.permits
            if rule.redaction is not None and (_is_open(rule) if path is None else _permits_path(rule, path))
        }
        if Profile.STRICT in asked:
            return Profile.STRICT
        return Profile.BALANCED if asked else None


def _answered(rule: ScopeRule, facts: ProcessFacts) -> ScopeRule:
    bounds = rule.bounds
    if bounds is not None:
        bounds = tuple(
            Bound(grant_id=bound.grant_id, names=bound.names, paths=bound.paths)
            for bound in bounds
            if _permits(bound.processes, facts)
        )
    return ScopeRule(rule_id=rule.rule_id, names=rule.names, paths=rule.paths, redaction=rule.redaction, bounds=bounds)


def _permits(selectors: tuple[ProcessSelector, ...], facts: ProcessFacts) -> bool:
    return not selectors or any(
        _selects(selector, facts) and (not selector.executables or _runs_known(selector, facts.executable))
        for selector in selectors
    )


def _forbids(rule: ScopeRule, facts: ProcessFacts) -> bool:
    return not rule.processes or any(
        _selects(selector, facts) and (not selector.executables or _may_run(selector, facts.executable))
        for selector in rule.processes
    )


def _selects(selector: ProcessSelector, facts: ProcessFacts) -> bool:
    if selector.uids and facts.uid not in selector.uids:
        return False
    return not selector.names or any(matches_name(pattern, facts.name) for pattern in selector.names)


def _runs_known(selector: ProcessSelector, executable: str | None) -> bool:
    if executable is None or not is_canonical(executable):
        return False
    return any(matches_path(pattern, executable) for pattern in selector.executables)


def _may_run(selector: ProcessSelector, executable: str | None) -> bool:
    """Answers yes for an executable that is unknown: what cannot be told apart from the forbidden is forbidden."""
    if executable is None or not is_canonical(executable):
        return True
    return _runs_known(selector, executable) or _runs_known(selector, executable.removesuffix(_DELETED))


def _is_open(rule: ScopeRule) -> bool:
    """Says whether the rule permits something without a question about the process being left."""
    return not rule.processes and (rule.bounds is None or any(not bound.processes for bound in rule.bounds))


def _permits_name(rule: ScopeRule, name: str) -> bool:
    if rule.processes or not _fits_name(rule.names, name):
        return False
    return rule.bounds is None or any(not bound.processes and _fits_name(bound.names, name) for bound in rule.bounds)


def _permits_path(rule: ScopeRule, path: str) -> bool:
    if rule.processes or not _fits_path(rule.paths, path):
        return False
    return rule.bounds is None or any(not bound.processes and _fits_path(bound.paths, path) for bound in rule.bounds)


def _fits_name(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(matches_name(pattern, name) for pattern in patterns)


def _fits_path(patterns: tuple[str, ...], path: str) -> bool:
    return not patterns or any(matches_path(pattern, path) for pattern in patterns)
