"""Decides which foreign processes are told one by one and which in a sum, so that probes hide nobody's shell.

A kubelet's exec probes are foreign processes as well: short ones of the same name again and again. A minute of them is
one report. Whatever stays for longer than probes do has a report of its own, whatever its name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.views.lineage import Finding, Foreign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECOND_NS: Final = 1_000_000_000
_STAYS_NS: Final = 7 * _SECOND_NS // 2  # two looks later, however late those come
_STAYS_WITHOUT_PROBES_NS: Final = 3 * _SECOND_NS // 2  # one look
_WINDOW_NS: Final = 60 * _SECOND_NS
_MAX_WINDOWS: Final = 256
MAX_ALONE: Final = 32  # reports of single processes of one container within a minute

_Kind = tuple[Finding, str, bytes]


@dataclass(frozen=True, slots=True)
class Report:
    """One foreign process, or the last of `processes` that were not told one by one; `stays` is about that process."""

    foreign: Foreign
    processes: int
    stays: bool


@dataclass(frozen=True, slots=True)
class _Running:
    foreign: Foreign
    since_ns: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class _Window:
    """A minute after a report of a kind: what came since, and was not told."""

    ends_ns: int
    untold: int = 0
    last: Foreign | None = None


class ForeignReports:
    """What runs, what was told, and what is counted; bounded by the lineage's MAX_FOREIGN and _MAX_WINDOWS."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, int], _Running] = {}
        self._windows: dict[_Kind, _Window] = {}
        self._alone_ends_ns = 0
        self._alone: Counter[tuple[Finding, str]] = Counter()

    def take(self, running: Iterable[Foreign], now_ns: int) -> tuple[Report, ...]:
        """Takes what runs now; gives what is to be told now."""
        before = self._running
        self._running = {
            one.key: replace(before[one.key], foreign=one) if one.key in before else _Running(one, now_ns)
            for one in running
        }
        reports = [*self._of_running(now_ns)]
        for key, one in before.items():
            if key not in self._running and not one.told:
                reports += self._short(one.foreign, now_ns)
        return (*reports, *self._sums(now_ns))

    def _of_running(self, now_ns: int) -> Iterator[Report]:
        for key, one in self._running.items():
            if one.told or now_ns - one.since_ns < _patience_ns(one.foreign):
                continue
            self._running[key] = replace(one, told=True)
            if self._may_be_alone(one.foreign, now_ns):
                yield Report(one.foreign, 1, stays=True)
            else:
                yield from self._short(one.foreign, now_ns)

    def _may_be_alone(self, foreign: Foreign, now_ns: int) -> bool:
        if now_ns >= self._alone_ends_ns:
            self._alone_ends_ns = now_ns + _WINDOW_NS
            self._alone.clear()
        self._alone[foreign.container] += 1
        return self._alone[foreign.container] <= MAX_ALONE

    def _short(self, foreign: Foreign, now_ns: int) -> Iterator[Report]:
        """Tells the first of its kind, and counts those of the minute after it."""
        kind = _kind(foreign)
        window = self._windows.get(kind)
        if window is None and len(self._windows) >= _MAX_WINDOWS:
            # Too many names to keep apart: they are counted together, as no program is called.
            kind = (foreign.finding, foreign.container_id, b"")
            window = self._windows.get(kind)
        if window is None:
            self._windows[kind] = _Window(now_ns + _WINDOW_NS)
            yield Report(foreign, 1, stays=False)
        else:
            self._windows[kind] = replace(window, untold=window.untold + 1, last=foreign)

    def _sums(self, now_ns: int) -> Iterator[Report]:
        for kind, window in list(self._windows.items()):
            if now_ns < window.ends_ns:
                continue
            if window.last is None:
                del self._windows[kind]
            else:
                self._windows[kind] = _Window(now_ns + _WINDOW_NS)
                yield Report(window.last, window.untold, stays=False)


def _patience_ns(foreign: Foreign) -> int:
    """Gives how long a process runs before it is told alone; no probe enters by hand, or our own container."""
    is_probe_like = foreign.finding is Finding.NOT_DESCENDED and foreign.first_pid != 0
    return _STAYS_NS if is_probe_like else _STAYS_WITHOUT_PROBES_NS


def _kind(foreign: Foreign) -> _Kind:
    return *foreign.container, foreign.origin.name
