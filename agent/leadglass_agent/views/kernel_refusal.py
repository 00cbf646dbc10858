"""Names the reason for which the kernel keeps a process' memory and root from the agent.

The rule that it retraces is ptrace(2), "Ptrace access mode checking", for PTRACE_MODE_READ_FSCREDS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.views import procfs
from leadglass_agent.views.rows import Unavailable

if TYPE_CHECKING:
    from leadglass_agent.views.proc_text import Status
    from leadglass_agent.views.procfs import ProcessDirectory, ProcRoot

_OVERFLOW: Final = 65534  # what the kernel shows for an id that our user namespace does not have
_FILE_SYSTEM: Final = 3


def why_refused(proc: ProcRoot, process: ProcessDirectory) -> Unavailable:
    """Reads why the kernel answered EACCES or EPERM for this process; raises ProcessGone."""
    try:
        if not procfs.read_stat(process).has_memory:
            return Unavailable.NO_USER_MEMORY
        target = procfs.read_status(process)
        same_namespace = procfs.read_uid_map(process) == proc.own_uid_map
        memory_owner = procfs.memory_owner(process)
    except PermissionError:
        return Unavailable.HIDEPID if proc.hides else Unavailable.KERNEL_REFUSED
    return explain(proc.own, target, same_namespace=same_namespace, memory_owner=memory_owner)


def explain(own: Status, target: Status, *, same_namespace: bool, memory_owner: int) -> Unavailable:
    """Decides which condition of the kernel's rule does not hold, in the order in which one would mend them.

    `memory_owner` is the owner of /proc/PID/environ, which is root for a process that is not dumpable; for a process of
    root it tells nothing, and what remains is taken for "not dumpable".
    """
    users, groups = set(target.uids[:_FILE_SYSTEM]), set(target.gids[:_FILE_SYSTEM])
    if users != {own.uids[_FILE_SYSTEM]}:
        # An id that does not exist here cannot be matched by changing ours.
        return Unavailable.USERNS if _OVERFLOW in users and not same_namespace else Unavailable.UID_MISMATCH
    if groups != {own.gids[_FILE_SYSTEM]}:
        return Unavailable.USERNS if _OVERFLOW in groups and not same_namespace else Unavailable.GID_MISMATCH
    if not same_namespace:
        return Unavailable.USERNS
    if target.permitted & ~own.effective:
        return Unavailable.CAPS_SUPERSET
    effective_user = target.uids[1]
    if memory_owner == effective_user != 0:
        return Unavailable.KERNEL_REFUSED
    return Unavailable.NOT_DUMPABLE
