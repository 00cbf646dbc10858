"""Finds in a log who looked at a variable, a path or a process, or tried to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from leadglass_agent.audit.call_merge import OF_CALL, LoggedCall, call_of, merged
from leadglass_agent.audit.reading import text_of
from leadglass_agent.policy.glob import matches_name, matches_path, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.canonical import Json

MAX_LOOKS: Final = 100_000
_MASK: Final = re.compile(r"\[redacted:[^\]]*\]")
_WILDCARDS: Final = frozenset("*?")
_INSPECT: Final = "/leadglass.v1.InspectService/"
_REVEAL: Final = "/leadglass.v1.AccessService/Reveal"


class How(StrEnum):
    """What a call had to do with the thing looked for."""

    NAMED = "named it"
    LISTED_ALL = "listed all variables"
    REVEALED = "revealed it"
    STATED = "looked at its metadata"
    LISTED = "listed it"
    LISTED_DIRECTORY = "listed its directory"
    READ = "read its text"
    EXPLAINED = "asked who may use it"
    LOOKED_INTO = "looked into it"
    LISTED_PROCESSES = "listed processes"
    PERHAPS = "perhaps: the record had no room for all that was asked"
    MASKED = "perhaps: the log masks what was asked for"


@dataclass(frozen=True, slots=True)
class VariableNamed:
    """A variable by its name, or several by a glob."""

    glob: str


@dataclass(frozen=True, slots=True)
class PathNamed:
    """A path, or several by a glob."""

    glob: str


@dataclass(frozen=True, slots=True)
class ProcessNumbered:
    """A process by its number, and by its start in clock ticks if that is known."""

    pid: int
    start_ticks: int = 0


Subject: TypeAlias = VariableNamed | PathNamed | ProcessNumbered


@dataclass(frozen=True, slots=True)
class Look:
    """One call that had to do with it; `what` is the name, path or process that it asked for."""

    call: LoggedCall
    how: How
    what: str


@dataclass(frozen=True, slots=True)
class Looks:
    """All looks in the order of the log; `left_out` counts those beyond the bound."""

    looks: tuple[Look, ...]
    left_out: int


def looks_at(records: Iterable[Mapping[str, Json]], subject: Subject) -> Looks:
    """Reads a log once; a call that was refused is a look that was tried."""
    found: list[Look] = []
    places: dict[str, int] = {}
    left_out = 0
    for record in records:
        if text_of(record, "kind") not in OF_CALL:
            continue
        call = call_of(record)
        place = places.get(call.call_id) if call.call_id else None
        if place is not None:
            found[place] = Look(merged(found[place].call, call), found[place].how, found[place].what)
            continue
        had = _had_to_do(call, subject)
        if had is None:
            continue
        if len(found) >= MAX_LOOKS:
            left_out += 1
            continue
        if call.call_id:
            places[call.call_id] = len(found)
        found.append(Look(call, *had))
    return Looks(tuple(found), left_out)


def _had_to_do(call: LoggedCall, subject: Subject) -> tuple[How, str] | None:
    match subject:
        case VariableNamed():
            return _with_variable(call, subject.glob)
        case PathNamed():
            return _with_path(call, plain(subject.glob))
        case ProcessNumbered():
            return _with_process(call, subject)
        case _:
            assert_never(subject)


def _with_variable(call: LoggedCall, glob: str) -> tuple[How, str] | None:
    if call.method not in {f"{_INSPECT}ListEnvironment", _REVEAL}:
        return None
    names = [value for name, value in call.arguments if name in {"name", "names"}]
    named = next((name for name in names if matches_name(glob, name)), None)
    if named is not None:
        return (How.REVEALED if call.method == _REVEAL else How.NAMED), named
    unclear = _unclear(call, names, glob)
    if unclear is not None:
        return unclear
    return (How.LISTED_ALL, "*") if not names and call.method != _REVEAL else None


_PATH_VIEWS: Final = {
    f"{_INSPECT}StatFiles": How.STATED,
    f"{_INSPECT}ListDirectory": How.LISTED,
    f"{_INSPECT}ReadText": How.READ,
    f"{_INSPECT}ExplainAccess": How.EXPLAINED,
}


def _with_path(call: LoggedCall, glob: str) -> tuple[How, str] | None:
    how = _PATH_VIEWS.get(call.method)
    if how is None:
        return None
    # Logs of earlier agents hold paths as they were typed.
    paths = [plain(value) for name, value in call.arguments if name in {"path", "paths"}]
    named = next((path for path in paths if matches_path(glob, path)), None)
    if named is not None:
        return how, named
    if how is How.LISTED:
        parent = glob.rpartition("/")[0] or "/"
        holding = next((path for path in paths if matches_path(parent, path)), None)
        if holding is not None:
            return How.LISTED_DIRECTORY, holding
    return _unclear(call, paths, glob)


def _unclear(call: LoggedCall, asked: list[str], glob: str) -> tuple[How, str] | None:
    """Says why a call that names it nowhere may still have asked for it; None if it did not."""
    hidden = next((text for text in asked if _may_hide(text, glob)), None)
    if hidden is not None:
        return How.MASKED, hidden
    return (How.PERHAPS, "") if call.arguments_are_cut else None


def _may_hide(text: str, glob: str) -> bool:
    """Says whether what the redactor left of a text could be of the name; of several names nobody can tell."""
    pieces = _MASK.split(text)
    if len(pieces) == 1:
        return False
    return not _WILDCARDS.isdisjoint(glob) or (glob.startswith(pieces[0]) and glob.endswith(pieces[-1]))


def _with_process(call: LoggedCall, subject: ProcessNumbered) -> tuple[How, str] | None:
    pid, _, ticks = call.target.partition("@")
    if pid == str(subject.pid):
        # Without ticks on one side nobody can tell it from a later process of this number.
        same = not ticks or not subject.start_ticks or ticks == str(subject.start_ticks)
        return (How.LOOKED_INTO, call.target) if same else None
    if call.method != f"{_INSPECT}ListProcesses":
        return None
    asked = [value for name, value in call.arguments if name == "pids"]
    if str(subject.pid) in asked:
        return How.NAMED, str(subject.pid)
    if call.arguments_are_cut:
        return How.PERHAPS, ""
    return (How.LISTED_PROCESSES, "*") if not asked else None
