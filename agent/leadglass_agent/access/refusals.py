"""Decides which refusals are recorded one by one, and counts the rest: a flood of them must not fill the disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.abuse import AbuseLedger
from leadglass_agent.access.budget import WINDOW_SECONDS, CallBudget
from leadglass_agent.policy.model import SpiffeId

if TYPE_CHECKING:
    from leadglass_agent.clock import Instant

# Ten a second are more than a person makes, and some 800 MB of records a day (939 bytes the longest seen).
MAX_RECORDED: Final = 600
MAX_CALLERS: Final = 1_000
OTHERS: Final = "others"

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Flood:
    """Refusals of one caller that were counted and not recorded, since a moment on CLOCK_BOOTTIME."""

    caller: str
    calls: int
    since_boot_ns: int


class RefusalLedger:
    """Refusals by caller: its SPIFFE id, or its address if it proved none. Closed connections are summed beside."""

    def __init__(self) -> None:
        self.abuse: Final = AbuseLedger()
        self._budget = CallBudget()
        self._floods: dict[str, Flood] = {}

    def is_recorded(self, caller: str, now: Instant) -> bool:
        """Says whether this refusal gets its own record; if not, it is counted for the next summary."""
        if self._budget.spend(SpiffeId(caller), MAX_RECORDED, now.boot_ns):
            return True
        name = caller if caller in self._floods or len(self._floods) < MAX_CALLERS else OTHERS
        flood = self._floods.get(name, Flood(name, calls=0, since_boot_ns=now.boot_ns))
        self._floods[name] = replace(flood, calls=flood.calls + 1)
        return False

    def summaries(self, now: Instant) -> tuple[Flood, ...]:
        """Takes the floods that have been counted for a minute, so that each caller costs one record a minute."""
        due_ns = now.boot_ns - WINDOW_SECONDS * _SECOND_NS
        due = tuple(flood for flood in self._floods.values() if flood.since_boot_ns <= due_ns)
        for flood in due:
            del self._floods[flood.caller]
        return due

    def close(self) -> tuple[Flood, ...]:
        """Takes all that is left, for the end of the agent."""
        left, self._floods = tuple(self._floods.values()), {}
        return left
