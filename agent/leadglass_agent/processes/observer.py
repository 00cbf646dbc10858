"""Asks the reader every two seconds what was done to the agent and who came into the pod: the front's part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import Refusal, Severity
from leadglass_agent.processes.messages import ObservedAnswer, ObserveRequest

if TYPE_CHECKING:
    from leadglass_agent.audit.record import Fact
    from leadglass_agent.clock import Instant
    from leadglass_agent.processes.reader_client import ReaderClient
    from leadglass_agent.views.rows import ForeignProcess

# A stop counts when two looks see it, and is to be noticed within 5 seconds.
_LOOK_NS: Final = 1_900_000_000
_SOON_NS: Final = 900_000_000
_ANSWER_SECONDS: Final = 3.0
_NOTHING: Final = ObservedAnswer(interference=(), foreign=(), look_again=False)


@dataclass(slots=True)
class Observer:
    """When the next look is due."""

    _due_boot_ns: int = 0

    async def observe(self, reader: ReaderClient, now: Instant, *, foreign: bool) -> ObservedAnswer:
        """Gives what a look found, or nothing if none is due; a reader that does not answer is noticed elsewhere."""
        if now.boot_ns < self._due_boot_ns:
            return _NOTHING
        try:
            answer = await reader.ask(
                lambda number, deadline_ns: ObserveRequest(number, deadline_ns, os.getpid(), foreign), _ANSWER_SECONDS
            )
        except Refusal:
            return _NOTHING
        if not isinstance(answer, ObservedAnswer):
            return _NOTHING
        self._due_boot_ns = now.boot_ns + (_SOON_NS if answer.look_again else _LOOK_NS)
        return answer


def foreign_event(one: ForeignProcess) -> Event:
    """Gives the record of a foreign process; somebody has to look at it at once if it stays."""
    known: tuple[Fact, ...] = (
        *((("uid", one.uid),) if one.uid >= 0 else ()),
        *((("first_pid", one.first_pid),) if one.first_pid else ()),
        *((("container_id", one.container_id),) if one.container_id else ()),
    )
    facts = (("finding", one.finding.value), ("name", one.name.text), ("processes", one.processes), *known)
    return Event(
        kind=EventKind.FOREIGN_PROCESS,
        target_pid=one.pid,
        target_start_ticks=one.start_ticks,
        severity=Severity.CRITICAL if one.stays else None,
        facts=(*facts, ("stays", one.stays)),
    )
