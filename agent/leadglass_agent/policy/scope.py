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


class ScopeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The selectors of one rule, an empty tuple leaves its dimension open, and the profile that it asks for."""

    rule_id: RuleId
    processes: tuple[ProcessSelector, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    redaction: Profile | None = None


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
        return Scope(
            permits=tuple(_answered(rule) for rule in self.permits if _permits(rule, facts)),
            forbids=tuple(_answered(rule) for rule in self.forbids if _forbids(rule, facts)),
        )

    def is_empty(self) -> bool:
        """Says whether nothing can be admitted: no permit, or a forbid without any selector."""
        return not self.permits or any(not (rule.processes or rule.names or rule.paths) for rule in self.forbids)

    def admits_process(self, facts: ProcessFacts) -> bool:
        """Says whether anything of the process can be shown."""
        return not self.narrow(facts).is_empty()

    def admits_name(self, name: str) -> bool:
        """Says whether a rule permits the name and none forbids it."""
        permitted = any(not rule.processes and _name_fits(rule, name) for rule in self.permits)
        return permitted and not any(_name_fits(rule, name) for rule in self.forbids)

    def admits_path(self, path: str) -> bool:
        """Says whether a rule permits the path and none forbids it; a path that is not canonical is never admitted."""
        permitted = is_canonical(path) and any(not rule.processes and _path_fits(rule, path) for rule in self.permits)
        return permitted and not any(_path_fits(rule, path) for rule in self.forbids)

    def redaction(self, path: str | None = None) -> Profile | None:
        """Gives the profile that the permits ask for, of the path if one is given; the stricter one if they differ."""
        asked = {
            rule.redaction
            for rule in self.permits
            if not rule.processes and (path is None or _path_fits(rule, path)) and rule.redaction is not None
        }
        if Profile.STRICT in asked:
            return Profile.STRICT
        return Profile.BALANCED if asked else None


def _answered(rule: ScopeRule) -> ScopeRule:
    return ScopeRule(rule_id=rule.rule_id, names=rule.names, paths=rule.paths, redaction=rule.redaction)


def _permits(rule: ScopeRule, facts: ProcessFacts) -> bool:
    return not rule.processes or any(
        _selects(selector, facts) and (not selector.executables or _runs_known(selector, facts.executable))
        for selector in rule.processes
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


def _name_fits(rule: ScopeRule, name: str) -> bool:
    return not rule.names or any(matches_name(pattern, name) for pattern in rule.names)


def _path_fits(rule: ScopeRule, path: str) -> bool:
    return not rule.paths or any(matches_path(pattern, path) for pattern in rule.paths)
