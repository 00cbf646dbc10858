"""Lists the processes that a caller's scope shows, as a tree whose hidden parts are not there."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.glob import matches_name
from leadglass_agent.policy.model import Profile
from leadglass_agent.views import command_line, procfs
from leadglass_agent.views.kernel_refusal import why_refused
from leadglass_agent.views.page_budget import MAX_PAGE_ROWS, MAX_PAGE_TEXT_BYTES, text_bytes
from leadglass_agent.views.procfs import ProcessGone
from leadglass_agent.views.rows import ProcessPage, ProcessRow, Unavailable
from leadglass_agent.views.target import Target, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.scope import ProcessFacts, Scope
    from leadglass_agent.redaction.escape import Visible
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.redactors import Redactors
    from leadglass_agent.views.remembered import ShownName


@dataclass(frozen=True, slots=True)
class ProcessQuery:
    """What is asked for: at most `limit` processes behind number `after_pid`; empty and 0 restrict nothing."""

    after_pid: int = 0
    limit: int = MAX_PAGE_ROWS
    pids: tuple[int, ...] = ()
    subtree_of_pid: int = 0
    name_glob: str = ""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Bounds of one page: processes looked at, bytes of text, generations followed upwards, and time in nanoseconds.

    Time, because masking arguments that a hostile process has made costly must not keep other callers waiting.
    """

    looked_at: int = 20_000
    text_bytes: int = MAX_PAGE_TEXT_BYTES
    generations: int = 20_000
    elapsed_ns: int = 400_000_000


DEFAULT_LIMITS: Final = ProcessLimits()


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What the scopes say of a process; `profile` is that of its command line."""

    listed: bool
    executable: bool
    argv: bool
    profile: Profile


class _Scopes:
    """Asks the scopes once about all processes of a page that they cannot tell apart."""

    def __init__(self, listed: Scope, executable: Scope | None, argv: Scope | None) -> None:
        self._listed = listed
        self._executable = executable
        self._argv = argv
        self._judged: dict[tuple[int, str, str | None], _Judgement] = {}

    def judge(self, facts: ProcessFacts) -> _Judgement:
        """Says what may be shown; no selector asks for a process' number."""
        key = (facts.uid, facts.name, facts.executable)
        if key not in self._judged:
            argv = None if self._argv is None else self._argv.narrow(facts)
            self._judged[key] = _Judgement(
                listed=self._listed.admits_process(facts),
                executable=self._executable is not None and self._executable.admits_process(facts),
                argv=argv is not None and not argv.is_empty(),
                # Strict, unless the rules that show it ask for another.
                profile=(None if argv is None else argv.redaction()) or Profile.STRICT,
            )
        return self._judged[key]


@dataclass(frozen=True, slots=True)
class _Row:
    row: ProcessRow
    redaction: Profile
    redactions: tuple[RuleId, ...]


class _Family:
    """Remembers, for the time of one page, the parent and start of each process that the scope shows."""

    def __init__(self, proc: ProcRoot, scopes: _Scopes, generations: int) -> None:
        self._proc = proc
        self._scopes = scopes
        self._generations = generations
        self._seen: dict[int, tuple[int, int] | None] = {}
        self._within: dict[int, bool] = {0: False}

    def remember(self, target: Target) -> bool:
        """Says whether the scope shows a process, and keeps what is needed to place it."""
        shown = self._scopes.judge(target.facts).listed
        self._seen[target.ref.pid] = (target.stat.parent_pid, target.ref.start_ticks) if shown else None
        return shown

    def parent(self, pid: int) -> int:
        """Gives the number of the parent if the scope shows it, else 0."""
        child = self._place(pid)
        parent = self._place(child[0]) if child and child[0] else None
        # A number that was given anew since belongs to a younger process, which is nobody's parent here.
        return child[0] if child and parent and parent[1] <= child[1] else 0

    def descends(self, pid: int, ancestor: int) -> bool:
        """Says whether a chain of shown processes leads from a process up to the ancestor, itself included."""
        # A hidden ancestor is nobody's parent, so no chain of shown processes reaches it.
        self._within[ancestor] = True
        chain: list[int] = []
        while pid not in self._within and len(chain) < self._generations:
            chain.append(pid)
            pid = self.parent(pid)
        answer = self._within.get(pid, False)
        self._within.update(dict.fromkeys(chain, answer))
        return answer

    def _place(self, pid: int) -> tuple[int, int] | None:
        if pid not in self._seen:
            self._seen[pid] = None
            try:
                with procfs.open_process(self._proc, pid) as process:
                    self.remember(look_at(process))
            except (ProcessGone, PermissionError):
                return None
        return self._seen[pid]


def list_processes(
    proc: ProcRoot,
    redactors: Redactors,
    scope_list: Scope,
    scope_executable: Scope | None,
    scope_argv: Scope | None,
    query: ProcessQuery,
    limits: ProcessLimits = DEFAULT_LIMITS,
) -> ProcessPage:
    """Reads one page of the process tree in the order of numbers; a bound ends it early, and next_pid continues it.

    A process that ends meanwhile is left out, and so is one whose /proc entries hidepid closes. A row's parent is 0 if
    it is outside the pod or the scope. Raises RedactionError: then nothing is shown.
    """
    scopes = _Scopes(scope_list, scope_executable, scope_argv)
    family = _Family(proc, scopes, limits.generations)
    candidates = list(_candidates(proc, query))
    rows: list[ProcessRow] = []
    size = last = 0
    profiles: set[Profile] = set()
    redactions: Counter[RuleId] = Counter()
    read_unix_ns = time.time_ns()
    end_ns = time.monotonic_ns() + limits.elapsed_ns
    for pid in candidates[: limits.looked_at]:
        if last and time.monotonic_ns() >= end_ns:
            break
        last = pid
        found = _read_row(proc, redactors, scopes, query, family, pid)
        if found is None:
            continue
        rows.append(found.row)
        profiles.add(found.redaction)
        redactions.update(found.redactions)
        size += _row_bytes(found.row)
        if len(rows) >= min(query.limit, MAX_PAGE_ROWS) or size >= limits.text_bytes:
            break
    return ProcessPage(
        rows=tuple(rows),
        next_pid=last if candidates and last != candidates[-1] else 0,
        read_unix_ns=read_unix_ns,
        incomplete=Unavailable.HIDEPID if proc.hides else None,
        masked=redactions.total(),
        # Rules may ask for another profile for some processes: a page is as good as its weaker one.
        redaction=Profile.BALANCED if Profile.BALANCED in profiles else Profile.STRICT,
        redactions=tuple(sorted(redactions.items())),
    )


def _candidates(proc: ProcRoot, query: ProcessQuery) -> Iterator[int]:
    wanted = frozenset(query.pids)
    # Only numbers that /proc lists: that of a thread opens as well, under a name of its own.
    return (pid for pid in procfs.pids(proc) if pid > query.after_pid and (not wanted or pid in wanted))


def _read_row(
    proc: ProcRoot,
    redactors: Redactors,
    scopes: _Scopes,
    query: ProcessQuery,
    family: _Family,
    pid: int,
) -> _Row | None:
    try:
        with procfs.open_process(proc, pid) as process:
            target = look_at(process)
            if not family.remember(target):
                return None
            if query.subtree_of_pid and not family.descends(pid, query.subtree_of_pid):
                return None
            name = redactors.names.of(target.stat.name)
            # The glob asks what is shown: asked of the raw name, it would find out a masked one letter by letter.
            if query.name_glob and not matches_name(query.name_glob, name.text.text):
                return None
            judgement = scopes.judge(target.facts)
            executable = _executable(proc, redactors, target, permitted=judgement.executable)
            arguments = _arguments(proc, redactors, target, judgement)
            row = _row(proc, target, name.text, family.parent(pid), executable, arguments)
            masked = name.masked
            if not isinstance(executable, Unavailable):
                masked += executable.masked
            if not isinstance(arguments, Unavailable):
                masked += arguments.masked
            return _Row(row, judgement.profile, masked)
    except (ProcessGone, PermissionError):
        return None


def _executable(proc: ProcRoot, redactors: Redactors, target: Target, *, permitted: bool) -> ShownName | Unavailable:
    if not permitted:
        return Unavailable.NOT_PERMITTED
    if not target.stat.has_memory:
        return Unavailable.NO_USER_MEMORY
    if target.executable is None:
        return why_refused(proc, target.process)
    return redactors.names.of(target.executable)


def _arguments(
    proc: ProcRoot, redactors: Redactors, target: Target, judgement: _Judgement
) -> command_line.Arguments | Unavailable:
    if not judgement.argv:
        return Unavailable.NOT_PERMITTED
    if not target.stat.has_memory:
        return Unavailable.NO_USER_MEMORY
    try:
        block = procfs.read_command_line(target.process, command_line.MAX_BYTES)
    except PermissionError:
        return why_refused(proc, target.process)
    redactor = redactors.of(judgement.profile)
    return command_line.remembered_arguments(block, target.stat.argument_bytes, redactor, redactors.arguments)


def _row(
    proc: ProcRoot,
    target: Target,
    name: Visible,
    parent_pid: int,
    executable: ShownName | Unavailable,
    arguments: command_line.Arguments | Unavailable,
) -> ProcessRow:
    stat = target.stat
    return ProcessRow(
        ref=target.ref,
        parent_pid=parent_pid,
        name=name,
        state=stat.state,
        owner_uid=target.facts.uid,
        owner_gid=target.gid,
        start_unix_ns=proc.boot_unix_ns + stat.start_ticks * procfs.NANOSECONDS_PER_TICK,
        threads=stat.threads,
        resident_bytes=stat.resident_pages * procfs.PAGE_BYTES,
        virtual_bytes=stat.virtual_bytes,
        cpu_ns=stat.cpu_ticks * procfs.NANOSECONDS_PER_TICK,
        executable=executable if isinstance(executable, Unavailable) else executable.text,
        arguments=arguments if isinstance(arguments, Unavailable) else arguments.shown,
        arguments_truncated=not isinstance(arguments, Unavailable) and arguments.truncated,
    )


def _row_bytes(row: ProcessRow) -> int:
    executable = () if isinstance(row.executable, Unavailable) else (row.executable,)
    arguments = () if isinstance(row.arguments, Unavailable) else row.arguments
    return text_bytes(row.name, *executable, *arguments)
