"""Tells of environment variables whether they are set, and nothing else about their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import InvalidRequest, PolicyDenied
from leadglass_agent.views.environment_block import parse_entries, parse_name, read_entries
from leadglass_agent.views.page_budget import MAX_PAGE_ROWS
from leadglass_agent.views.rows import EnvironmentPage, Presence, ProcessRef, Unavailable, VariableRow
from leadglass_agent.views.target import find

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.environment_block import Entries
    from leadglass_agent.views.procfs import Block, ProcRoot
    from leadglass_agent.views.remembered import ShownNames
    from leadglass_agent.views.target import Target

MAX_NAMES: Final = 200


@dataclass(frozen=True, slots=True)
class Presences:
    """The names of an environment in the order of their bytes, and what is said of a name that is not among them."""

    variables: dict[bytes, Presence]
    otherwise: Presence


def list_environment(
    proc: ProcRoot,
    shown_names: ShownNames,
    ref: ProcessRef,
    names: tuple[str, ...],
    scope_presence: Scope,
    scope_names: Scope | None,
    after_index: int,
    limit: int,
) -> EnvironmentPage:
    """Reads the presence of the names asked for, or of every name that both scopes admit if none is asked for.

    A name that the scope hides is answered like one that is not there. Raises ProcessNotFound, InvalidRequest on a name
    that no variable can have, PolicyDenied if all names are asked for without a scope, and RedactionError.
    """
    asked = _parse_names(names)
    if not asked and scope_names is None:
        message = "listing names needs env.names"
        raise PolicyDenied(message)
    with find(proc, ref, scope_presence) as target:
        read = _read(proc, target)
        if isinstance(read, Unavailable):
            return EnvironmentPage(target.ref, rows=(), next_index=0, unavailable=read, truncated=False)
        presence = scope_presence.narrow(target.facts)
        if asked:
            rows = tuple(_answer(shown_names, read, presence, name) for name in asked)
            next_index = 0
        else:
            listable = scope_names.narrow(target.facts) if scope_names is not None else None
            admitted = [name for name in read.variables if _admits(presence, name) and _admits(listable, name)]
            # A thousand names of 256 characters are less text than a page may hold.
            end = after_index + min(limit, MAX_PAGE_ROWS)
            rows = tuple(_row(shown_names, name, read.variables[name]) for name in admitted[after_index:end])
            next_index = end if end < len(admitted) else 0
        return EnvironmentPage(
            process=target.ref,
            rows=rows,
            next_index=next_index,
            unavailable=None,
            truncated=read.otherwise is Presence.UNKNOWN,
        )


def parse_environment(block: Block) -> Presences:
    """Gives the presence of each name of a block, as parse_entries reads it."""
    return _presences(parse_entries(block))


def _parse_names(names: tuple[str, ...]) -> tuple[bytes, ...]:
    if len(names) > MAX_NAMES:
        message = "too many names"
        raise InvalidRequest(message)
    return tuple(parse_name(name) for name in names)


def _read(proc: ProcRoot, target: Target) -> Presences | Unavailable:
    read = read_entries(proc, target)
    return read if isinstance(read, Unavailable) else _presences(read)


def _presences(read: Entries) -> Presences:
    variables = {name: Presence.PRESENT if value else Presence.EMPTY for name, value in sorted(read.values.items())}
    return Presences(variables, Presence.UNSET if read.complete else Presence.UNKNOWN)


def _answer(shown_names: ShownNames, read: Presences, scope: Scope, name: bytes) -> VariableRow:
    presence = read.variables.get(name, read.otherwise) if _admits(scope, name) else read.otherwise
    return _row(shown_names, name, presence)


def _row(shown_names: ShownNames, name: bytes, presence: Presence) -> VariableRow:
    return VariableRow(shown_names.of(name).text, presence)


def _admits(scope: Scope | None, name: bytes) -> bool:
    return scope is not None and scope.admits_name(name.decode("utf-8", "surrogateescape"))
