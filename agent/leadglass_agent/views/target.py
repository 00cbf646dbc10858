"""Finds the one process that a caller names, if it is within the caller's scope."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.errors import ProcessNotFound
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_agent.views import procfs
from leadglass_agent.views.kernel_refusal import why_refused
from leadglass_agent.views.procfs import ProcessGone
from leadglass_agent.views.rows import ProcessRef, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.proc_text import Stat
    from leadglass_agent.views.procfs import ProcessDirectory, ProcRoot


@dataclass(frozen=True, slots=True)
class Target:
    """A process held open, with what the kernel tells everybody about it and what policy asks.

    `executable` is None if the kernel does not show it, or there is none.
    """

    process: ProcessDirectory
    ref: ProcessRef
    facts: ProcessFacts
    gid: int
    stat: Stat
    executable: bytes | None


@contextmanager
def find(proc: ProcRoot, ref: ProcessRef, scope: Scope) -> Iterator[Target]:
    """Opens the process for a with-block.

    Raises ProcessNotFound alike if it is absent, has another start, is a thread, is out of scope, or ends meanwhile.
    """
    try:
        with procfs.open_process(proc, ref.pid) as process:
            yield _within(process, ref, scope)
    except ProcessGone:
        raise ProcessNotFound from None


def look_at(process: ProcessDirectory) -> Target:
    """Reads what everybody may know of a process; raises ProcessGone, or PermissionError where hidepid forbids."""
    uid, gid = procfs.owner(process)
    stat = procfs.read_stat(process)
    executable = _executable(process)
    facts = ProcessFacts(
        pid=process.pid,
        uid=uid,
        name=_text(stat.name),
        executable=None if executable is None else _text(executable),
    )
    return Target(process, ProcessRef(process.pid, stat.start_ticks), facts, gid, stat, executable)


def open_root(proc: ProcRoot, target: Target) -> int | Unavailable:
    """Opens the target's root as an O_PATH descriptor of the caller's, or says why the kernel refuses it.

    Raises ProcessGone.
    """
    if not target.stat.has_memory:
        return Unavailable.NO_USER_MEMORY
    if target.process.pid == os.getpid():
        # The kernel keeps every other process of the agent from this one. Below its root lie the keys and the log.
        return Unavailable.NOT_DUMPABLE
    try:
        return procfs.open_root(target.process)
    except PermissionError:
        return why_refused(proc, target.process)


def _within(process: ProcessDirectory, ref: ProcessRef, scope: Scope) -> Target:
    try:
        target = look_at(process)
        leader = procfs.read_status(process).group_leader
    except PermissionError:
        raise ProcessNotFound from None
    # A thread opens under its own number and has a name of its own, which could pass where the process' does not.
    if (
        leader != ref.pid
        or ref.start_ticks not in {0, target.ref.start_ticks}
        or not scope.admits_process(target.facts)
    ):
        raise ProcessNotFound
    return target


def _executable(process: ProcessDirectory) -> bytes | None:
    try:
        return procfs.read_executable(process)
    except (PermissionError, FileNotFoundError):
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
