"""Compares how the agent's processes run with their first look: what an app of the same user can do to them.

Only what nobody does by accident counts. A cpuset that changes, an in-place resize, a hot-plugged processor and a
frozen container change none of it, or change it for all processes alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.processes.notices import Interfered, InterferenceCause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from leadglass_agent.sandbox.posture import Role

_STOPPED: Final = frozenset("Tt")  # by a signal, by a tracer: proc_pid_stat(5)


@dataclass(frozen=True, slots=True)
class Vitals:
    """One process as /proc shows it: of all its threads the nice values and scheduling policies that occur.

    `limits` holds the text of /proc/PID/limits, `processors` where it may run. The adjustment of the OOM score is not
    looked at: of a process that is not dumpable the kernel lets nobody of its user write it, and resizes may change it.
    """

    pid: int
    state: str
    nice: frozenset[int]
    policies: frozenset[int]
    limits: bytes
    processors: bytes

    @property
    def is_stopped(self) -> bool:
        """Says whether it does not run until somebody lets it."""
        return self.state in _STOPPED


def compared(
    first: Mapping[Role, Vitals], before: Mapping[Role, Vitals], now: Mapping[Role, Vitals]
) -> tuple[Interfered, ...]:
    """Gives what was done since the first look; `before` is the last one, since some things count only if they stay."""
    return tuple(_compared(first, before, now))


def is_suspect(first: Mapping[Role, Vitals], now: Mapping[Role, Vitals]) -> bool:
    """Says whether the next look may find what this one is not sure of."""
    return any(vitals.is_stopped for vitals in now.values()) or _parted(first, now) is not None


def _compared(
    first: Mapping[Role, Vitals], before: Mapping[Role, Vitals], now: Mapping[Role, Vitals]
) -> Iterator[Interfered]:
    for role, vitals in now.items():
        begun = first.get(role)
        if begun is None or begun.pid != vitals.pid:
            continue
        # A terminal stops a whole group for a moment of which nothing is left when all of it goes on.
        if vitals.is_stopped and role in before and before[role].is_stopped:
            yield Interfered(InterferenceCause.STOPPED, role)
        if not vitals.nice <= begun.nice:
            yield Interfered(InterferenceCause.PRIORITY, role)
        if not vitals.policies <= begun.policies:
            yield Interfered(InterferenceCause.SCHEDULING, role)
        if vitals.limits != begun.limits:
            yield Interfered(InterferenceCause.LIMITS, role)
    parted = _parted(first, now)
    if parted is not None and _parted(first, before) is not None:
        yield Interfered(InterferenceCause.SCHEDULING, parted)


def _parted(first: Mapping[Role, Vitals], now: Mapping[Role, Vitals]) -> Role | None:
    """Finds a process that may not run where the others may, if all could at first.

    A cpuset changes all of them within a moment: kubelets with static CPU management do, and processors come and go.
    """
    if len({vitals.processors for vitals in first.values()}) != 1:
        return None
    common = [vitals.processors for vitals in now.values()]
    return next((role for role, vitals in now.items() if common.count(vitals.processors) * 2 <= len(common)), None)
