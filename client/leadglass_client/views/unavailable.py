"""Says in words why a view is not there, what to do, and which exit code that means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass.v1.common_pb2 import UnavailableReason
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.records import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in words, what to do, and the exit code."""

    words: str
    next_step: str
    code: ExitCode


_SAME_USER = "run the agent with the user and primary group of the process"
_TRY_PS = "see which processes there are: leadglass ps"
_PATH = "check the path: leadglass ls PID PARENT"

_EXPLANATIONS: Mapping[str, Explanation] = {
    "UID_MISMATCH": Explanation("the process runs under another user", _SAME_USER, ExitCode.ERROR),
    "GID_MISMATCH": Explanation("the process has another primary group", _SAME_USER, ExitCode.ERROR),
    "CAPS_SUPERSET": Explanation(
        "the process holds a capability that the agent lacks",
        "drop the capabilities of the process, NET_BIND_SERVICE included",
        ExitCode.ERROR,
    ),
    "NOT_DUMPABLE": Explanation(
        "the process keeps others out: its program is execute-only, or it asked for it",
        "make its program readable, if that is not on purpose",
        ExitCode.ERROR,
    ),
    "USERNS": Explanation(
        "the process lives in another user namespace", "run both in one user namespace", ExitCode.ERROR
    ),
    "HIDEPID": Explanation(
        "/proc is mounted with hidepid", "mount /proc without hidepid for the agent", ExitCode.ERROR
    ),
    "PROCESS_GONE": Explanation("the process has ended", _TRY_PS, ExitCode.NOT_FOUND),
    "NO_USER_MEMORY": Explanation("a zombie or a kernel thread has none", _TRY_PS, ExitCode.NOT_FOUND),
    "NOT_FOUND": Explanation("no such file, or the policy hides it", _PATH, ExitCode.NOT_FOUND),
    "PERMISSION": Explanation(
        "the file's permissions refuse the agent's user",
        "see which part of the path, and by which rule: leadglass why read PATH --pid PID",
        ExitCode.ERROR,
    ),
    "ESCAPES_ROOT": Explanation("the path leaves the root of the process", _PATH, ExitCode.ERROR),
    "KERNEL_FILESYSTEM": Explanation(
        "the path leads into a kernel file system", "leadglass ps and env show what of it can be shown", ExitCode.ERROR
    ),
    "NOT_A_DIRECTORY": Explanation("not a directory", "ask for the file: leadglass stat PID PATH", ExitCode.NOT_FOUND),
    "TIMED_OUT": Explanation("the file system does not answer", "look at the mount behind the path", ExitCode.DEADLINE),
    "KERNEL_REFUSED": Explanation("the kernel refused", "look at the security modules of the node", ExitCode.ERROR),
    "PATH_TOO_LONG": Explanation("the path has too many links or characters", _PATH, ExitCode.ERROR),
    "BINARY_FILE": Explanation(
        "the file is no text, and only text can be masked", "see its metadata: leadglass stat PID PATH", ExitCode.ERROR
    ),
    "NOT_A_FILE": Explanation(
        "a directory, device, pipe or socket is not read", "see what it is: leadglass stat PID PATH", ExitCode.ERROR
    ),
    "NOT_PERMITTED": Explanation(
        "your policy does not permit it", "see what it permits: leadglass session show", ExitCode.DENIED
    ),
}


def reason_name(reason: int) -> str:
    """Gives the short name of a reason, such as UID_MISMATCH."""
    return short_name(UnavailableReason.DESCRIPTOR, reason)


def explain(reason: int) -> Explanation:
    """Gives words for a reason; for one that this version does not know, its number."""
    name = reason_name(reason)
    known = _EXPLANATIONS.get(name)
    if known is None:
        return Explanation("the agent gives no reason that this version knows", "update leadglass", ExitCode.ERROR)
    return known


def unavailable(reason: int, what: str) -> Failure:
    """Makes the failure of a command whose one view is not there."""
    explanation = explain(reason)
    return Failure(explanation.code, f"{what}: {explanation.words} ({reason_name(reason)})", explanation.next_step)
