"""Reads how the agent's own processes run, and what came from outside into the pod: the reader's part of each look."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.processes.interference import Vitals, compared, is_suspect
from leadglass_agent.processes.messages import ObservedAnswer
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.views import procfs
from leadglass_agent.views.foreign_reports import ForeignReports
from leadglass_agent.views.proc_text import ProcParseError, parse_processors
from leadglass_agent.views.process_scan import ProcessScan
from leadglass_agent.views.procfs import ProcessGone
from leadglass_agent.views.rows import ForeignProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.processes.notices import Interfered
    from leadglass_agent.views.foreign_reports import Report
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.redactors import Redactors

_MAX_THREADS: Final = 128  # the front has some twenty


class Observation:
    """The looks of one reader, each compared with those before it."""

    def __init__(self, proc: ProcRoot, redactors: Redactors) -> None:
        self._proc = proc
        self._redactors = redactors
        self._scan = ProcessScan(proc, os.getpid())
        self._reports = ForeignReports()
        self._first: Mapping[Role, Vitals] = {}
        self._before: Mapping[Role, Vitals] = {}

    def look(self, front_pid: int, now_ns: int, signalled: Interfered | None, *, foreign: bool) -> ObservedAnswer:
        """Looks at the agent's processes, and at all others if `foreign`; what cannot be read is not judged."""
        pids = {Role.SUPERVISOR: os.getppid(), Role.READER: os.getpid(), Role.FRONT: front_pid}
        found = ((role, self._vitals(pid)) for role, pid in pids.items())
        now = {role: vitals for role, vitals in found if vitals is not None}
        self._first = self._first or now
        interference = compared(self._first, self._before, now)
        self._before = now
        return ObservedAnswer(
            interference=interference if signalled is None else (signalled, *interference),
            foreign=tuple(self._foreign(now_ns)) if foreign else (),
            look_again=is_suspect(self._first, now),
        )

    def _vitals(self, pid: int) -> Vitals | None:
        with suppress(ProcessGone, OSError, ProcParseError):
            state = procfs.read_origin(self._proc, f"{pid}/stat").state
            threads = []
            for thread in islice(procfs.pids(self._proc, f"{pid}/task"), _MAX_THREADS):
                with suppress(ProcessGone):  # it ended meanwhile
                    threads.append(procfs.read_origin(self._proc, f"{pid}/task/{thread}/stat"))
            return Vitals(
                pid=pid,
                state=state,
                nice=frozenset(thread.nice for thread in threads),
                policies=frozenset(thread.policy for thread in threads),
                limits=procfs.read_small(self._proc, f"{pid}/limits"),
                processors=parse_processors(procfs.read_small(self._proc, f"{pid}/status")),
            )
        return None

    def _foreign(self, now_ns: int) -> list[ForeignProcess]:
        reports: tuple[Report, ...] = ()
        with suppress(ProcessGone, OSError, ProcParseError):
            reports = self._reports.take(self._scan.look(), now_ns)
        return [self._told(report) for report in reports]

    def _told(self, report: Report) -> ForeignProcess:
        one = report.foreign
        uid = -1
        with suppress(ProcessGone), procfs.open_process(self._proc, one.origin.pid) as process:
            uid = procfs.owner(process)[0]
            # Only now is it sure that the number is still this process', and that what was said of it holds.
            if procfs.read_stat(process).start_ticks != one.origin.start_ticks:
                uid = -1
        return ForeignProcess(
            finding=one.finding,
            pid=one.origin.pid,
            start_ticks=one.origin.start_ticks,
            name=self._redactors.names.of(one.origin.name).text,
            uid=uid,
            first_pid=one.first_pid,
            container_id=one.container_id,
            processes=report.processes,
            stays=report.stays,
        )
