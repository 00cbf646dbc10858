"""Tells of environment variables whether they are set, and nothing else about their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import InvalidRequest, PolicyDenied
from leadglass_agent.redaction.escape import visible
from leadglass_agent.views import procfs
from leadglass_agent.views.kernel_refusal import why_refused
from leadglass_agent.views.page_budget import MAX_PAGE_ROWS
from leadglass_agent.views.rows import EnvironmentPage, Presence, ProcessRef, Unavailable, VariableRow
from leadglass_agent.views.target import find

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.views.procfs import Block, ProcRoot
    from leadglass_agent.views.target import Target

MAX_NAMES: Final = 200
_MAX_BYTES: Final = 1024 * 1024
_MAX_NAME_CHARACTERS: Final = 256
_MAX_ARGUMENT_BYTES: Final = 8 * 1024 * 1024  # execve(2) takes at most 6 MiB of arguments and environment


@dataclass(frozen=True, slots=True)
class Presences:
    """The names of an environment in the order of their bytes, and what is said of a name that is not among them."""

    variables: dict[bytes, Presence]
    otherwise: Presence


def list_environment(
    proc: ProcRoot,
    redactor: Redactor,
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
            rows = tuple(_answer(redactor, read, presence, name) for name in asked)
            next_index = 0
        else:
            listable = scope_names.narrow(target.facts) if scope_names is not None else None
            admitted = [name for name in read.variables if _admits(presence, name) and _admits(listable, name)]
            # A thousand names of 256 characters are less text than a page may hold.
            end = after_index + min(limit, MAX_PAGE_ROWS)
            rows = tuple(_row(redactor, name, read.variables[name]) for name in admitted[after_index:end])
            next_index = end if end < len(admitted) else 0
        return EnvironmentPage(
            process=target.ref,
            rows=rows,
            next_index=next_index,
            unavailable=None,
            truncated=read.otherwise is Presence.UNKNOWN,
        )


def parse_environment(block: Block) -> Presences:
    """Parses a block of NUL-ended NAME=value entries; the first of a name counts, as getenv(3) takes it.

    A program may write its title over its arguments and on over its environment. Then the first entry is none, pieces
    of values could pass for names, and so the block tells nothing about any name.
    """
    entries = block.data.split(b"\0")
    # Behind the last NUL there is nothing, or an entry whose end is missing.
    if entries[-1] == b"" or block.cut:
        entries.pop()
    if entries and b"=" not in entries[0]:
        return Presences({}, Presence.UNKNOWN)
    found: dict[bytes, Presence] = {}
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, Presence.PRESENT if value else Presence.EMPTY)
    return Presences(dict(sorted(found.items())), Presence.UNKNOWN if block.cut else Presence.UNSET)


def _parse_names(names: tuple[str, ...]) -> tuple[bytes, ...]:
    if len(names) > MAX_NAMES:
        message = "too many names"
        raise InvalidRequest(message)
    for name in names:
        if not 0 < len(name) <= _MAX_NAME_CHARACTERS or "=" in name or "\0" in name:
            message = "a name that no variable can have"
            raise InvalidRequest(message)
    return tuple(name.encode("utf-8", "surrogateescape") for name in names)


def _read(proc: ProcRoot, target: Target) -> Presences | Unavailable:
    if not target.stat.has_memory:
        return Unavailable.NO_USER_MEMORY
    try:
        block = procfs.read_environment(target.process, _MAX_BYTES)
        return Presences({}, Presence.UNKNOWN) if _is_overwritten(target) else parse_environment(block)
    except PermissionError:
        return why_refused(proc, target.process)


def _is_overwritten(target: Target) -> bool:
    """Says whether a title runs on from the arguments into the environment, so that its pieces would pass for names.

    It is asked after the block was read: a title that is written meanwhile is seen too.
    """
    size = target.stat.argument_bytes
    if size is None:
        return False
    return size >= _MAX_ARGUMENT_BYTES or len(procfs.read_command_line(target.process, size + 1).data) > size


def _answer(redactor: Redactor, read: Presences, scope: Scope, name: bytes) -> VariableRow:
    presence = read.variables.get(name, read.otherwise) if _admits(scope, name) else read.otherwise
    return _row(redactor, name, presence)


def _row(redactor: Redactor, name: bytes, presence: Presence) -> VariableRow:
    return VariableRow(visible(redactor.redact(name).text, _MAX_NAME_CHARACTERS), presence)


def _admits(scope: Scope | None, name: bytes) -> bool:
    return scope is not None and scope.admits_name(name.decode("utf-8", "surrogateescape"))
