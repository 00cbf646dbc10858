"""Decides a recorded list of processes anew, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.common_pb2 import (
    REDACTION_PROFILE_BALANCED,
    REDACTION_PROFILE_STRICT,
    UNAVAILABLE_REASON_NOT_PERMITTED,
    UNAVAILABLE_REASON_UNSPECIFIED,
)
from leadglass.v1.inspect_pb2 import ListProcessesRequest, ListProcessesResponse, Process
from leadglass_agent.policy.model import Permission, Profile
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Change, Kind, Tally
from leadglass_client.replay.facts import known_process
from leadglass_client.replay.gains import Asked, gain
from leadglass_client.replay.profiles import EITHER, compared
from leadglass_client.views.policy_words import target_words

if TYPE_CHECKING:
    from leadglass_client.replay.admitting import KnownProcess
    from leadglass_client.replay.facts import Facts
    from leadglass_client.replay.permitted import Permitted

_LIST: Final = Permission.PROCESSES_LIST
_EXECUTABLE: Final = Permission.PROCESSES_EXECUTABLE
_ARGV: Final = Permission.PROCESSES_ARGV
_GENERATIONS: Final = 20_000


def processes_anew(
    number: int,
    request: ListProcessesRequest,
    reply: ListProcessesResponse,
    after: Permitted,
    before: Permitted | None,
    facts: Facts,
) -> Anew:
    """Gives the list without the processes, executables and arguments that are hidden now."""
    tally = Tally()
    anew = ListProcessesResponse()
    anew.CopyFrom(reply)
    del anew.processes[:]
    profiles: set[Profile] = set()
    family = _Family(request.subtree_of_pid, after, facts, number)
    for row in reply.processes:
        shown = family.shows(row)
        if shown is False:
            tally.add(Kind.LOST, _LIST, _named(row), _hidden_by(after, row))
            continue
        if shown is None:
            note = "its executable, or a process above it, is not in the recording"
            tally.add(Kind.MAY_LOSE, _LIST, _named(row), note)
        kept = anew.processes.add()
        kept.CopyFrom(row)
        _hide_parent(kept, after, facts, number, tally)
        known = known_process(row)
        _executable(kept, after, known, tally)
        _arguments(kept, after, known, tally)
        now = _profiles(after, known)
        if kept.arguments and (before is None or before.widened[_ARGV] != after.widened[_ARGV]):
            _mask(row, _profiles_then(reply, before, known), now, tally)
        profiles.update(now if len(now) == 1 else ())
    anew.redaction = REDACTION_PROFILE_BALANCED if Profile.BALANCED in profiles else REDACTION_PROFILE_STRICT
    return Anew((anew,), changes=(*tally.changes(), *_more(request, reply, after, before)))


class _Family:
    """Says of the rows of one answer whether they hang below the process whose subtree was asked for."""

    def __init__(self, root: int, after: Permitted, facts: Facts, number: int) -> None:
        self._after = after
        self._facts = facts
        self._number = number
        self._below: dict[int, bool | None] = {root: True}
        self._is_asked = bool(root)

    def shows(self, row: Process) -> bool | None:
        """Says whether a row is listed: itself admitted, and all that it hangs on up to the root."""
        listed = sight(self._after.scope, known_process(row)).process()
        if listed is False or not self._is_asked:
            return listed
        below = self._is_below(row)
        return below if below is not True else listed

    def _is_below(self, row: Process) -> bool | None:
        chain: list[int] = []
        above: Process | None = row
        answer: bool | None = None
        while above is not None and len(chain) < _GENERATIONS:
            if above.ref.pid in self._below:
                answer = self._below[above.ref.pid]
                break
            chain.append(above.ref.pid)
            parent = sight(self._after.scope, self._facts.parent(above, self._number)).process()
            answer = parent if above.parent_pid else False
            if answer is not True:
                break
            above, answer = self._facts.parent_row(above, self._number), None
        self._below.update(dict.fromkeys(chain, answer))
        return answer


def _hidden_by(after: Permitted, row: Process) -> str:
    shown = sight(after.scope, known_process(row))
    return (
        shown.hidden_by(lambda scope: not scope.is_empty())
        if shown.process() is False
        else "a process above it is hidden"
    )


def _hide_parent(row: Process, after: Permitted, facts: Facts, number: int, tally: Tally) -> None:
    if not row.parent_pid:
        return
    shown = sight(after.scope, facts.parent(row, number)).process()
    if shown is None:
        tally.add(Kind.MAY_LOSE, _LIST, f"the parent of {_named(row)}", "that process is nowhere in the recording")
    elif not shown:
        row.parent_pid = 0  # the parent is a lost row of its own, or stands on another page


def _executable(row: Process, after: Permitted, known: KnownProcess, tally: Tally) -> None:
    admitted = sight(after.widened[_EXECUTABLE], known).process()
    if row.executable_unavailable == UNAVAILABLE_REASON_NOT_PERMITTED:
        _count_gain(_EXECUTABLE, row, tally, admitted=admitted)
    elif admitted is None:
        tally.add(Kind.MAY_LOSE, _EXECUTABLE, _named(row))
    elif not admitted:
        if row.HasField("executable"):
            tally.add(Kind.MASKED, _EXECUTABLE, _named(row))
        row.ClearField("executable")
        row.executable_unavailable = UNAVAILABLE_REASON_NOT_PERMITTED


def _arguments(row: Process, after: Permitted, known: KnownProcess, tally: Tally) -> None:
    admitted = sight(after.widened[_ARGV], known).process()
    if row.arguments_unavailable == UNAVAILABLE_REASON_NOT_PERMITTED:
        _count_gain(_ARGV, row, tally, admitted=admitted)
    elif admitted is None:
        tally.add(Kind.MAY_LOSE, _ARGV, _named(row))
    elif not admitted:
        if row.arguments_unavailable == UNAVAILABLE_REASON_UNSPECIFIED:
            tally.add(Kind.MASKED, _ARGV, _named(row))
        del row.arguments[:]
        row.arguments_truncated = False
        row.arguments_unavailable = UNAVAILABLE_REASON_NOT_PERMITTED


def _count_gain(what: Permission, row: Process, tally: Tally, *, admitted: bool | None) -> None:
    if admitted is not False:
        tally.add(Kind.SHOWN if admitted else Kind.MAY_SHOW, what, _named(row), "as far as the kernel shows it")


def _profiles(permitted: Permitted, known: KnownProcess) -> frozenset[Profile]:
    """Gives the profiles that may mask a command line: strict, unless the rules that show it ask for another."""
    asked = sight(permitted.widened[_ARGV], known).profiles()
    return frozenset(one or Profile.STRICT for one in asked) or frozenset({Profile.STRICT})


def _profiles_then(reply: ListProcessesResponse, before: Permitted | None, known: KnownProcess) -> frozenset[Profile]:
    """Gives those that it may have been masked by; the reply names the weaker one of all its rows."""
    if reply.redaction != REDACTION_PROFILE_BALANCED:
        return frozenset({Profile.STRICT})
    if len(reply.processes) == 1:
        return frozenset({Profile.BALANCED})
    return EITHER if before is None else _profiles(before, known)


def _mask(row: Process, was: frozenset[Profile], now: frozenset[Profile], tally: Tally) -> None:
    change = compared(was, now)
    if change is not None:
        tally.add(change[0], _ARGV, _named(row), change[1])


def _more(
    request: ListProcessesRequest, reply: ListProcessesResponse, after: Permitted, before: Permitted | None
) -> tuple[Change, ...]:
    named = all(row.parent_pid for row in reply.processes)  # a parent that was hidden can be named now
    if named and request.pids and set(request.pids) <= {row.ref.pid for row in reply.processes}:
        return ()
    return gain(Asked(_LIST, None if before is None else (before.scope,), (after.scope,)), target_words)


def _named(row: Process) -> str:
    return f"{row.ref.pid}@{row.ref.start_ticks} {row.name.text}"
