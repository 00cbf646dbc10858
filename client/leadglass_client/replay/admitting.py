"""Asks a scope about processes and items of which a recording may not tell everything: yes, no, or not known (None).

A scope is asked twice: with what is not known taken as unfavourably as it can be, and as favourably. Where both answers
are the same, what is not known does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

from leadglass_agent.policy.model import Profile
from leadglass_agent.policy.scope import Bound, ProcessFacts, Scope, ScopeRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.policy.model import ProcessSelector

_ANY: Final = frozenset({"*", "/**"})  # a name, and a path, that fit whatever they are


class Part(StrEnum):
    """What a selector asks of a process; the names are the fields of ProcessSelector."""

    NAMES = "names"
    EXECUTABLES = "executables"
    UIDS = "uids"


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """A process as far as it is known: what `unknown` names of its facts means nothing."""

    facts: ProcessFacts
    unknown: frozenset[Part] = frozenset()


UNKNOWN_PROCESS: Final = KnownProcess(ProcessFacts(pid=1, uid=0, name="", executable=None), frozenset(Part))


@dataclass(frozen=True, slots=True)
class Sight:
    """A scope narrowed to one process: what it admits at least, and at most."""

    least: Scope
    most: Scope

    def process(self) -> bool | None:
        """Says whether anything of the process can be shown."""
        return _agreed(not self.least.is_empty(), not self.most.is_empty())

    def name(self, name: str | None) -> bool | None:
        """Says whether the name of a variable is admitted; None is one that is not known."""
        if name is not None:
            return _agreed(self.least.admits_name(name), self.most.admits_name(name))
        return _agreed(
            _of_certain(self.least, _names).admits_name("x"), _of_possible(self.most, _names).admits_name("x")
        )

    def path(self, path: str | None) -> bool | None:
        """Says whether a canonical path is admitted; None is one that is not known."""
        if path is not None:
            return _agreed(self.least.admits_path(path), self.most.admits_path(path))
        return _agreed(
            _of_certain(self.least, _paths).admits_path("/x"), _of_possible(self.most, _paths).admits_path("/x")
        )

    def profiles(self, path: str | None = None) -> frozenset[Profile | None]:
        """Gives the profiles that the permits may ask for, of the path if one is given; one, if that is known."""
        sure, may = _asked(self.least, path), _asked(self.most, path)
        if Profile.STRICT in sure:
            return frozenset({Profile.STRICT})
        return may | sure if Profile.BALANCED not in sure else (may | sure) - {None}

    def hidden_by(self, asks: Callable[[Scope], bool]) -> str:
        """Says what hides something that is not admitted: the forbids in the way, or that no rule permits it."""
        if not asks(Scope(self.most.permits)):
            return "no rule permits it"
        stops = (rule.rule_id for rule in self.most.forbids if not asks(Scope(self.most.permits, (rule,))))
        return f"forbidden by {', '.join(sorted(stops))}"


NOTHING: Final = Sight(Scope(), Scope())


@lru_cache(maxsize=4096)
def sight(scope: Scope | None, process: KnownProcess) -> Sight:
    """Narrows a scope to a process; without a scope nothing is admitted."""
    if scope is None:
        return NOTHING

    def certain(selectors: tuple[ProcessSelector, ...]) -> tuple[ProcessSelector, ...] | None:
        told = tuple(one for one in selectors if not any(getattr(one, part) for part in process.unknown))
        return None if selectors and not told else told

    def possible(selectors: tuple[ProcessSelector, ...]) -> tuple[ProcessSelector, ...]:
        return tuple(replace(one, **dict.fromkeys(process.unknown, ())) for one in selectors)

    least = Scope(_processes(scope.permits, certain), _processes(scope.forbids, possible))
    most = Scope(_processes(scope.permits, possible), _processes(scope.forbids, certain))
    return Sight(least.narrow(process.facts), most.narrow(process.facts))


def _asked(scope: Scope, path: str | None) -> frozenset[Profile | None]:
    """Gives what each permit asks for that shows the process, or the path if one is given."""
    alone = ((rule, Scope((rule,))) for rule in scope.permits)
    return frozenset(
        rule.redaction for rule, one in alone if (one.admits_path(path) if path is not None else not one.is_empty())
    )


def _agreed(least: bool, most: bool) -> bool | None:  # noqa: FBT001 - two answers to one question
    return least if least == most else None


_Rules: TypeAlias = tuple[ScopeRule, ...]
_Texts: TypeAlias = tuple[str, ...]


def _of_certain(scope: Scope, change: Callable[[_Rules, Callable[[_Texts], _Texts | None]], _Rules]) -> Scope:
    return Scope(change(scope.permits, _open), change(scope.forbids, _opened))


def _of_possible(scope: Scope, change: Callable[[_Rules, Callable[[_Texts], _Texts | None]], _Rules]) -> Scope:
    return Scope(change(scope.permits, _opened), change(scope.forbids, _open))


def _open(globs: _Texts) -> _Texts | None:
    """Gives no glob where every text fits; None where it matters which text it is."""
    return () if not globs or not _ANY.isdisjoint(globs) else None


def _opened(_globs: _Texts) -> _Texts:
    return ()


def _processes(
    rules: _Rules, change: Callable[[tuple[ProcessSelector, ...]], tuple[ProcessSelector, ...] | None]
) -> _Rules:
    return tuple(
        replace(
            rule,
            processes=changed,
            bounds=None
            if rule.bounds is None
            else tuple(
                replace(bound, processes=bounded)
                for bound in rule.bounds
                if (bounded := change(bound.processes)) is not None
            ),
        )
        for rule in rules
        if (changed := change(rule.processes)) is not None
    )


def _names(rules: _Rules, change: Callable[[_Texts], _Texts | None]) -> _Rules:
    return tuple(
        replace(rule, names=changed, bounds=_bounds(rule, lambda bound: bound.names, "names", change))
        for rule in rules
        if (changed := change(rule.names)) is not None
    )


def _paths(rules: _Rules, change: Callable[[_Texts], _Texts | None]) -> _Rules:
    return tuple(
        replace(rule, paths=changed, bounds=_bounds(rule, lambda bound: bound.paths, "paths", change))
        for rule in rules
        if (changed := change(rule.paths)) is not None
    )


def _bounds(
    rule: ScopeRule, read: Callable[[Bound], _Texts], field: str, change: Callable[[_Texts], _Texts | None]
) -> tuple[Bound, ...] | None:
    if rule.bounds is None:
        return None
    return tuple(
        replace(bound, **{field: changed}) for bound in rule.bounds if (changed := change(read(bound))) is not None
    )
