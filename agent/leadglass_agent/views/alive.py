"""Says which processes still run, for sessions that are bound to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.errors import ProcessNotFound
from leadglass_agent.views.target import find

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.rows import ProcessRef


def alive(proc: ProcRoot, refs: tuple[ProcessRef, ...], scope: Scope) -> tuple[ProcessRef, ...]:
    """Gives those that run and that the scope shows, with their starts; a zombie has ended."""
    return tuple(found for ref in refs if (found := _running(proc, ref, scope)) is not None)


def _running(proc: ProcRoot, ref: ProcessRef, scope: Scope) -> ProcessRef | None:
    try:
        with find(proc, ref, scope) as target:
            return target.ref if target.stat.has_memory else None
    except ProcessNotFound:
        return None
