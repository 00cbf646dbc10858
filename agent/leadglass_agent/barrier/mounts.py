"""Decides which secret mounts are read, and when; a process of its own reads them, since a file system may hang.

Raw content stays in that process; what comes back are prints and the names of files.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.forms import pieces
from leadglass_agent.barrier.origin import Origin, SourceKind
from leadglass_agent.barrier.secret_files import secret_values
from leadglass_agent.errors import KnownValuesUnread
from leadglass_agent.views import procfs
from leadglass_agent.views.procfs import ProcessGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from leadglass_agent.barrier.environments import Environments
    from leadglass_agent.barrier.fingerprints import Fingerprints, Print
    from leadglass_agent.views.procfs import ProcRoot

    PrintedFile = tuple[str, tuple[Print, ...]]
    Gather = Callable[[int, "Wanted"], tuple[PrintedFile, ...] | None]

DEFAULT_MOUNTS: Final = ("/var/run/secrets", "/run/secrets")
_AGAIN_NS: Final = 30_000_000_000  # the kubelet itself takes up to a minute to bring a changed Secret
_HUNG_AGAIN_NS: Final = 60_000_000_000
_MAX_ROOTS: Final = 64
# A Secret volume is a tmpfs; those of the runtime itself hold nothing that anybody put there.
_TMPFS: Final = re.compile(rb"^\d+ \d+ \S+ \S+ (\S+) .*? - tmpfs ", re.MULTILINE)
_MOUNT_POINT: Final = re.compile(rb"^\d+ \d+ \S+ \S+ (\S+) ", re.MULTILINE)
_RUNTIME: Final = re.compile(
    rb"/(?:dev|proc|sys|run|tmp|var/run)?(?:/(?:shm|lock|user/\d+|acpi|scsi|firmware|fs/cgroup))?"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read below a root: folders, but no names of programs, as prints of these fingerprints' key."""

    folders: tuple[bytes, ...]
    program_names: frozenset[bytes]
    fingerprints: Fingerprints

    def prints(self, root: int) -> Iterator[PrintedFile]:
        """Reads the files below a root, as descriptor; for the process that may be killed."""
        for name, value in secret_values(root, self.folders, self.program_names):
            yield name, self.fingerprints.prints(pieces(value))


class Mounts:
    """Which mount namespaces were read, and when.

    `gather` reads what is wanted below a root, as descriptor, and gives None if that does not end in time.
    """

    def __init__(self, proc: ProcRoot, configured: tuple[str, ...], gather: Gather) -> None:
        self._proc = proc
        self._gather = gather
        self._configured = tuple(path.encode() for path in configured)
        self.forget()

    def forget(self) -> None:
        """Makes the next call read everything."""
        self._due_ns: dict[str, int] = {}
        self._namespaces: dict[int, str] = {}
        self._hung: set[str] = set()
        self._looks = -1

    def fresh(
        self, environments: Environments, fingerprints: Fingerprints, pid: int, now_ns: int, deadline_ns: int
    ) -> Iterator[tuple[Origin, tuple[Print, ...]]]:
        """Gives prints of the files of each mount namespace that was not read lately.

        Raises KnownValuesUnread for a call about a process whose mounts could not be read.
        """
        for process_id in self._due(environments, pid, now_ns):
            yield from self._of_process(process_id, environments.program_names, fingerprints, now_ns, deadline_ns)
        if self._namespaces.get(pid) in self._hung:
            detail = "the secret mounts of the process do not answer"
            raise KnownValuesUnread(detail)

    def _due(self, environments: Environments, pid: int, now_ns: int) -> tuple[int, ...]:
        """Names the processes to look at: new ones, and one of each namespace that was read long ago."""
        due = {pid} - {0}
        if self._looks != environments.looks:
            self._looks = environments.looks
            alive = set(environments.pids)
            self._namespaces = {known: name for known, name in self._namespaces.items() if known in alive}
            due |= alive - self._namespaces.keys()
        if any(now_ns >= due_ns for due_ns in self._due_ns.values()):
            holders = {name: known for known, name in self._namespaces.items()}
            self._due_ns = {name: due_ns for name, due_ns in self._due_ns.items() if name in holders}
            due |= {holders[name] for name, due_ns in self._due_ns.items() if now_ns >= due_ns}
        return tuple(sorted(due))

    def _of_process(
        self,
        pid: int,
        program_names: AbstractSet[bytes],
        fingerprints: Fingerprints,
        now_ns: int,
        deadline_ns: int,
    ) -> Iterator[tuple[Origin, tuple[Print, ...]]]:
        try:
            with procfs.open_process(self._proc, pid) as process:
                namespace = procfs.mount_namespace(process)
                self._namespaces[pid] = namespace
                if self._due_ns.get(namespace, 0) > now_ns:
                    return
                folders = self._folders(procfs.read_mounts(process))
                root = procfs.open_root(process) if folders else -1
        except ProcessGone:
            return
        except OSError:
            # What the kernel keeps from the agent no view shows either.
            self._namespaces[pid] = ""
            return
        self._due_ns[namespace] = now_ns + _AGAIN_NS
        if not folders:
            return
        if time.monotonic_ns() >= deadline_ns:
            del self._due_ns[namespace]
            os.close(root)
            detail = "not every secret mount could be read in time"
            raise KnownValuesUnread(detail)
        try:
            files = self._gather(root, Wanted(folders, frozenset(program_names), fingerprints))
        finally:
            os.close(root)
        if files is None:
            self._hung.add(namespace)
            self._due_ns[namespace] = now_ns + _HUNG_AGAIN_NS
            return
        self._hung.discard(namespace)
        for name, prints in files:
            yield Origin(SourceKind.MOUNT, name, pid), prints

    def _folders(self, mounts: bytes) -> tuple[bytes, ...]:
        """Gives the directories to read: the configured ones, and of others those that are or hold mounts."""
        points = {_plain(match[1]) for match in _MOUNT_POINT.finditer(mounts)} - {b"/"}
        found = set(self._configured)
        for default in DEFAULT_MOUNTS:
            folder = default.encode()
            if any(
                f"{default}/".encode().startswith(point + b"/") or point.startswith(folder + b"/") for point in points
            ):
                found.add(folder)
        tmpfs = {_plain(match[1]) for match in _TMPFS.finditer(mounts)}
        # Only a volume of the kubelet has this folder; a cache in memory has not.
        found.update(point + b"/..data" for point in tmpfs if not _RUNTIME.fullmatch(point))
        return tuple(sorted(found)[:_MAX_ROOTS])


def _plain(point: bytes) -> bytes:
    r"""Undoes the \040 of /proc/PID/mountinfo."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes((int(match[1], 8) & 0xFF,)), point)
