"""Looks at /proc for processes that come from outside; a look at a pod in which nothing was started costs one read."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.views import procfs
from leadglass_agent.views.lineage import Home, Lineage, Look
from leadglass_agent.views.proc_text import ProcParseError, parse_container_id, parse_last_pid, parse_root_mount
from leadglass_agent.views.procfs import ProcessGone

if TYPE_CHECKING:
    from leadglass_agent.views.lineage import Foreign
    from leadglass_agent.views.proc_text import Origin
    from leadglass_agent.views.procfs import ProcRoot

_MAX_READ: Final = 4_000  # processes in one look, about 60 ms; the next look goes on
_MAX_HOMES: Final = 500
_CHECKED: Final = 32  # known processes that each look reads anew, in case another one has the number
# Some containers see another /proc/loadavg than the kernel's: every third look lists the processes whatever it says.
_LOOKS_WITHOUT_LISTING: Final = 2


class ProcessScan:
    """The looks of one reader, each built on the one before."""

    def __init__(self, proc: ProcRoot, own_pid: int) -> None:
        self._proc = proc
        self._lineage = Lineage(own_pid)
        self._last_pid = -1
        self._quiet_looks = 0
        self._checked = 0
        self._foreign: tuple[Foreign, ...] = ()

    def look(self) -> tuple[Foreign, ...]:
        """Gives the foreign processes that run now; raises OSError or ProcParseError if /proc cannot be listed."""
        last_pid = parse_last_pid(procfs.read_small(self._proc, "loadavg"))
        wrapped, quiet = last_pid < self._last_pid, last_pid == self._last_pid
        self._last_pid = last_pid
        self._quiet_looks = self._quiet_looks + 1 if quiet and not self._foreign else 0
        if 0 < self._quiet_looks <= _LOOKS_WITHOUT_LISTING:
            return self._foreign
        self._quiet_looks = 0
        listed = procfs.pids(self._proc)
        present = frozenset(listed)
        wanted = self._lineage.unread(present)
        # Numbers are given in order: one can only be given anew once the counter has begun again.
        checked = listed if wrapped else self._some(listed)
        read = self._origins([*sorted(wanted), *(pid for pid in checked if pid not in wanted)])
        homes = {pid: self._home(pid) for pid in islice(self._lineage.homes_wanted(read), _MAX_HOMES)}
        self._foreign = self._lineage.take(Look(present, read, homes))
        return self._foreign

    def _some(self, listed: list[int]) -> list[int]:
        start = bisect_right(listed, self._checked)
        some = listed[start : start + _CHECKED]
        self._checked = some[-1] if some else 0
        return some

    def _origins(self, pids: list[int]) -> dict[int, Origin]:
        found = {}
        for pid in pids[:_MAX_READ]:
            with suppress(ProcessGone, PermissionError, ProcParseError):
                found[pid] = procfs.read_origin(self._proc, f"{pid}/stat")
        return found

    def _home(self, pid: int) -> Home:
        mount, container_id = 0, ""
        # A process that has just ended answers with other errors than "no such process".
        with suppress(ProcessGone, OSError, ProcParseError), procfs.open_process(self._proc, pid) as process:
            container_id = parse_container_id(procfs.read_small(self._proc, f"{pid}/cgroup"))
            mount = parse_root_mount(procfs.read_mounts(process))
        return Home(mount, container_id)
