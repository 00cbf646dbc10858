"""Decides whether a process may use a path, by the kernel's rules and in the kernel's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from leadglass_agent.views.access.ends import at_absent, at_found, granted
from leadglass_agent.views.access.model import (
    EXECUTE,
    Absent,
    Allowed,
    Blind,
    Caveat,
    Denied,
    Followed,
    Found,
    Operation,
    Rule,
    Searched,
    Stopped,
    Unknown,
)
from leadglass_agent.views.access.permission import is_owner
from leadglass_agent.views.rows import FileType, Unavailable

if TYPE_CHECKING:
    from leadglass_agent.views.access.model import Credentials, Node, Place, Settings, Verdict, Walk

_STICKY: Final = 0o1000
_OTHERS_WRITE: Final = 0o002
_FOLLOWS: Final = frozenset(Operation) - {Operation.CREATE, Operation.DELETE}
_DEVICES: Final = frozenset({FileType.BLOCK_DEVICE, FileType.CHARACTER_DEVICE})


def follows_last(operation: Operation) -> bool:
    """Says whether a link in the last component is followed; making and taking away a name are about the name."""
    return operation in _FOLLOWS


def decide(who: Credentials, settings: Settings, operation: Operation, walk: Walk) -> Verdict:
    """Decides by what was seen along the path; what was not seen is unknown unless a no stands before it."""
    for step in walk.steps:
        match step:
            case Searched():
                verdict = _refusal(who, step.place, EXECUTE)
            case Followed():
                verdict = _follow(who, settings, step)
            case _:
                assert_never(step)
        if verdict is not None:
            return verdict
    match walk.end:
        case Stopped() as stopped:
            return Denied(stopped.place, stopped.rule)
        case Blind() as blind:
            return Unknown(blind.path, blind.rest, blind.reason)
        case Absent() as absent:
            return at_absent(who, operation, absent, _caveats(who, walk, absent.holder.node))
        case Found() as found:
            return at_found(who, settings, operation, found, _caveats(who, walk, found.place.node))
        case other:
            assert_never(other)


def _refusal(who: Credentials, place: Place, wanted: int) -> Denied | Unknown | None:
    verdict = granted(who, place, wanted, ())
    return None if isinstance(verdict, Allowed) else verdict


def _follow(who: Credentials, settings: Settings, step: Followed) -> Denied | Unknown | None:
    """Asks may_follow_link, then the mount: a link of others in a directory like /tmp may not be followed."""
    holder = step.holder
    if step.is_last and settings.protected_symlinks != 0 and holder.mode & _STICKY and holder.mode & _OTHERS_WRITE:
        owns = is_owner(who, step.place.node.uid)
        if not owns and holder.uid != step.place.node.uid:
            if owns is None or settings.protected_symlinks is None:
                return Unknown(step.place.path, step.place.rest, Unavailable.KERNEL_REFUSED)
            return Denied(step.place, Rule.PROTECTED_SYMLINK)
    return Denied(step.place, Rule.NOSYMFOLLOW) if step.place.node.is_nosymfollow else None


def _caveats(who: Credentials, walk: Walk, last: Node) -> tuple[Caveat, ...]:
    """Gathers what may still refuse although every rule that can be seen says yes."""
    nodes = [last, *(step.place.node for step in walk.steps)]
    found = (
        (Caveat.SECURITY_MODULE, who.is_confined),
        (Caveat.SECCOMP, who.has_seccomp),
        (Caveat.FUSE, any(node.is_fuse for node in nodes)),
        (Caveat.NETWORK_FILE_SYSTEM, any(node.is_network for node in nodes)),
        (Caveat.DEVICE_CGROUP, last.type in _DEVICES),
    )
    return tuple(caveat for caveat, holds in found if holds)
