"""Reads the environments of all processes again and again, each at the cost of what changed."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.canonical import folded
from leadglass_agent.barrier.origin import Origin, SourceKind
from leadglass_agent.barrier.values import environment_values
from leadglass_agent.errors import KnownValuesUnread
from leadglass_agent.views import procfs
from leadglass_agent.views.procfs import ProcessGone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from leadglass_agent.views.procfs import ProcessDirectory, ProcRoot

_BLOCK_BYTES: Final = 1024 * 1024
_LIST_NS: Final = 500_000_000  # how often new processes are looked for by calls that are about one process
_AGAIN_NS: Final = 2_000_000_000  # how old a reading may be: exec(2) changes an environment and nothing that is cheaper
_YOUNG_NS: Final = 3_000_000_000  # a process that has just been forked will most likely exec(2)
_BUDGET_NS: Final = 5_000_000  # spent within one call on reading again what was read before
_MAX_SEEN: Final = 1 << 16


class Environments:
    """What was read of each process: a keyed digest of its block, and when."""

    def __init__(self, proc: ProcRoot) -> None:
        self._proc = proc
        self._key = os.urandom(32)
        self.looks = 0  # how often the processes were listed
        self.forget()

    @property
    def program_names(self) -> AbstractSet[bytes]:
        """The folded names of programs that run or ran; a value that is one of them is no secret."""
        return self._names

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were there at the last look."""
        return tuple(self._blocks)

    def forget(self) -> None:
        """Makes the next call read everything."""
        self._blocks: dict[int, bytes] = {}
        self._read_ns: dict[int, int] = {}  # the one that was read longest ago comes first
        self._young: dict[int, int] = {}
        self._seen: set[bytes] = set()
        self._names: set[bytes] = set()
        self._listed_ns = -_LIST_NS
        self.looks += 1

    def fresh(self, pid: int, now_ns: int, deadline_ns: int) -> Iterator[tuple[Origin, bytes]]:
        """Gives values that were not there before: of `pid` now, of new processes, and of some that were read long ago.

        Raises KnownValuesUnread if a process that was never read is left at the deadline.
        """
        if pid:
            yield from self._process(pid, now_ns)
        if not pid or now_ns - self._listed_ns >= _LIST_NS:
            alive = procfs.pids(self._proc)
            for gone in self._blocks.keys() - set(alive):
                self._drop(gone)
            self._young = {child: seen_ns for child, seen_ns in self._young.items() if now_ns - seen_ns < _YOUNG_NS}
            for new in alive:
                if new in self._blocks and new not in self._young:
                    continue
                if time.monotonic_ns() >= deadline_ns:
                    detail = "not every process could be read in time"
                    raise KnownValuesUnread(detail)
                yield from self._process(new, now_ns)
            self._listed_ns = now_ns
            self.looks += 1
        enough_ns = min(deadline_ns, time.monotonic_ns() + _BUDGET_NS)
        while self._read_ns and time.monotonic_ns() < enough_ns:
            due, read_ns = next(iter(self._read_ns.items()))
            if now_ns - read_ns < _AGAIN_NS:
                break
            yield from self._process(due, now_ns)

    def _process(self, pid: int, now_ns: int) -> Iterator[tuple[Origin, bytes]]:
        self._read_ns.pop(pid, None)
        self._read_ns[pid] = now_ns
        try:
            with procfs.open_process(self._proc, pid) as process:
                if pid not in self._blocks:
                    self._young[pid] = now_ns
                    self._names.add(folded(procfs.read_stat(process).name))
                yield from self._variables(process)
        except ProcessGone:
            self._drop(pid)
        except OSError:
            self._blocks[pid] = b""  # no view shows what the kernel keeps from the agent

    def _drop(self, pid: int) -> None:
        self._blocks.pop(pid, None)
        self._read_ns.pop(pid, None)

    def _variables(self, process: ProcessDirectory) -> Iterator[tuple[Origin, bytes]]:
        block = procfs.read_environment(process, _BLOCK_BYTES).data
        digest = self._digest(block)
        if self._blocks.get(process.pid) == digest:
            return
        for entry in block.split(b"\0"):
            seen = self._digest(entry)
            if seen in self._seen:
                continue
            name, equals, value = entry.partition(b"=")
            if equals and value:
                text = name.decode("utf-8", "backslashreplace")
                for found in environment_values(text, value, self._names):
                    yield Origin(SourceKind.ENVIRONMENT, text, process.pid), found
            if len(self._seen) >= _MAX_SEEN:
                self._seen.clear()  # costs time alone
            self._seen.add(seen)
        self._blocks[process.pid] = digest

    def _digest(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=12, key=self._key).digest()
