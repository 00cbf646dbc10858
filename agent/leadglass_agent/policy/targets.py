"""Says what scopes can be about: a process, and a name or a path, one of each kind that the scopes tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, product
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.granted import GRANTLESS
from leadglass_agent.policy.members import TooManyMembersError, executable_members, name_members, path_members
from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.scope import ProcessFacts, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from leadglass_agent.policy.model import ProcessSelector
    from leadglass_agent.policy.scope import Bound, ScopeRule

_MAX_PROCESSES: Final = 100_000
_UIDS: Final = range(1_000, 2_000)  # users of no special meaning, more than selectors of one policy name
_PROCESSES: Final = frozenset({Permission.PROCESSES_LIST, Permission.PROCESSES_EXECUTABLE, Permission.PROCESSES_ARGV})
_NAMES: Final = frozenset({Permission.ENV_PRESENCE, Permission.ENV_NAMES, Permission.ENV_REVEAL})
_PATHS: Final = frozenset(
    {Permission.FILES_METADATA, Permission.FILES_LIST, Permission.FILES_ACCESS, Permission.TEXT_REDACTED}
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about; what a permission does not ask about, or what is left open, is None."""

    process: ProcessFacts | None = None
    name: str | None = None
    path: str | None = None


ANYTHING: Final = Target()


def asks_for(permission: Permission) -> tuple[bool, bool, bool]:
    """Says whether the permission is about a process, about the name of a variable, and about a path."""
    return permission not in GRANTLESS, permission in _NAMES, permission in _PATHS


def admits(scope: Scope, permission: Permission, target: Target) -> bool:
    """Says whether the scope admits the target, of which nothing that the permission asks for is left open."""
    if target.process is None:
        return permission in GRANTLESS and not scope.is_empty()
    narrowed = scope.narrow(target.process)
    if permission in _PROCESSES:
        return not narrowed.is_empty()
    if target.name is not None:
        return narrowed.admits_name(target.name)
    return target.path is not None and narrowed.admits_path(target.path)


def targets_of(scopes: Sequence[Scope], permission: Permission, given: Target) -> Iterator[Target]:
    """Yields a target of each kind that the scopes tell apart, with what is given as it is given."""
    process, named, pathed = asks_for(permission)
    if not process:
        yield Target()
        return
    names: Iterable[str | None] = [None]
    paths: Iterable[str | None] = [None]
    if named:
        names = _names(scopes) if given.name is None else [given.name]
    if pathed:
        paths = _paths(scopes) if given.path is None else [given.path]
    items = list(product(names, paths))
    facts = _processes(scopes) if given.process is None else [given.process]
    yield from (Target(one, name, path) for one in facts for name, path in items)


def _processes(scopes: Sequence[Scope]) -> list[ProcessFacts]:
    """Gives a process for each way in which the scopes answer for processes."""
    selectors = [selector for scope in scopes for selector in _selectors(scope)]
    uids = sorted({uid for selector in selectors for uid in selector.uids})
    names = name_members(selector.names for selector in selectors)
    executables = (*executable_members(selector.executables for selector in selectors), None)
    numbers = (next(uid for uid in chain(_UIDS, range(4_294_967_295)) if uid not in uids), *uids)
    if len(names) * len(executables) * len(numbers) > _MAX_PROCESSES:
        message = f"the selectors tell more than {_MAX_PROCESSES} kinds of processes apart"
        raise TooManyMembersError(message)
    kinds: dict[tuple[Scope, ...], ProcessFacts] = {}
    for uid, name, executable in product(numbers, names, executables):
        facts = ProcessFacts(pid=1, uid=uid, name=name, executable=executable)
        kinds.setdefault(tuple(scope.narrow(facts) for scope in scopes), facts)
    return list(kinds.values())


def _names(scopes: Sequence[Scope]) -> tuple[str, ...]:
    return name_members(part.names for scope in scopes for part in _parts(scope))


def _paths(scopes: Sequence[Scope]) -> tuple[str, ...]:
    return path_members(part.paths for scope in scopes for part in _parts(scope))


def _selectors(scope: Scope) -> Iterator[ProcessSelector]:
    for part in _parts(scope):
        yield from part.processes


def _parts(scope: Scope) -> Iterator[ScopeRule | Bound]:
    for rule in scope.permits + scope.forbids:
        yield rule
        yield from rule.bounds or ()
