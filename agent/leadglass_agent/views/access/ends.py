"""Decides what an operation asks of the end of a path: of what is there, or of the directory that lacks the name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.views.access.model import (
    EXECUTE,
    READ,
    WRITE,
    Allowed,
    Caveat,
    Denied,
    Operation,
    Rule,
    Unknown,
)
from leadglass_agent.views.access.permission import (
    CAP_FOWNER,
    Refused,
    Unclear,
    has_rights,
    is_capable,
    is_owner,
)
from leadglass_agent.views.rows import FileType, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from leadglass_agent.views.access.model import Absent, Credentials, Found, Place, Settings, Verdict

_STICKY: Final = 0o1000
_GROUP_WRITES: Final = 0o020
_OTHERS_WRITE: Final = 0o002
_ON_DISK: Final = frozenset({FileType.REGULAR, FileType.DIRECTORY, FileType.SYMLINK})
_DEVICES: Final = frozenset({FileType.BLOCK_DEVICE, FileType.CHARACTER_DEVICE})


def granted(who: Credentials, place: Place, wanted: int, caveats: tuple[Caveat, ...]) -> Verdict:
    """Asks inode_permission of one place; for a write the flags come before the bits."""
    node = place.node
    if wanted & WRITE and node.is_immutable:
        return Denied(place, Rule.IMMUTABLE, needed=wanted)
    answer = has_rights(who, node, wanted)
    match answer:
        case Refused():
            return Denied(place, answer.rule, needed=wanted, has=answer.has)
        case Unclear():
            return Unknown(place.path, place.rest, answer.reason)
        case _:
            return Allowed(place, answer.rule, caveats)


def at_found(
    who: Credentials, settings: Settings, operation: Operation, found: Found, caveats: tuple[Caveat, ...]
) -> Verdict:
    """Decides at something that is there."""
    if found.is_directory_wanted and found.place.node.type is not FileType.DIRECTORY:
        return Denied(found.place, Rule.NOT_A_DIRECTORY)
    return _AT_FOUND[operation](who, settings, found, caveats)


def at_absent(who: Credentials, operation: Operation, absent: Absent, caveats: tuple[Caveat, ...]) -> Verdict:
    """Decides at a name that is not there."""
    holder = absent.holder
    is_written = operation is Operation.DELETE or (operation is Operation.CREATE and not absent.is_too_long)
    if is_written and holder.node.is_read_only:
        return Denied(holder, Rule.READ_ONLY, needed=WRITE | EXECUTE)
    if absent.is_too_long:
        return Denied(holder, Rule.NAME_TOO_LONG)
    if operation is not Operation.CREATE:
        return Denied(None, Rule.NO_SUCH_FILE)
    return granted(who, holder, WRITE | EXECUTE, caveats)


def _read(who: Credentials, _settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    return _device(found) or _opened(granted(who, found.place, READ, caveats))


def _write(who: Credentials, settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    place, node = found.place, found.place.node
    if node.type is FileType.DIRECTORY:
        return Denied(place, Rule.IS_A_DIRECTORY, needed=WRITE)
    verdict = _device(found) or _opened(granted(who, place, WRITE, caveats))
    if not isinstance(verdict, Allowed):
        return verdict
    return _writable(place) or _with_protection(who, settings, found, verdict)


def _writable(place: Place) -> Denied | None:
    """Says what keeps a file as it is although its bits allow to write."""
    if place.node.is_append_only:
        return Denied(place, Rule.APPEND_ONLY, needed=WRITE)
    # Asked last, do_dentry_open: a read-only mount. Of a file system that is read-only itself the kernel asks earlier.
    is_kept = place.node.is_read_only and place.node.type in _ON_DISK
    return Denied(place, Rule.READ_ONLY, needed=WRITE) if is_kept else None


def _execute(who: Credentials, _settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    place, node = found.place, found.place.node
    if node.type is not FileType.REGULAR:
        return Denied(place, Rule.NOT_A_PROGRAM, needed=EXECUTE)
    if node.is_noexec:
        return Denied(place, Rule.NOEXEC, needed=EXECUTE)
    return granted(who, place, EXECUTE, caveats)


def _list(who: Credentials, _settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    if found.place.node.type is not FileType.DIRECTORY:
        return Denied(found.place, Rule.NOT_A_DIRECTORY)
    return granted(who, found.place, READ, caveats)


def _enter(who: Credentials, _settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    if found.place.node.type is not FileType.DIRECTORY:
        return Denied(found.place, Rule.NOT_A_DIRECTORY)
    return granted(who, found.place, EXECUTE, caveats)


def _create(_who: Credentials, _settings: Settings, found: Found, _caveats: tuple[Caveat, ...]) -> Verdict:
    return Denied(found.place, Rule.EXISTS)


def _delete(who: Credentials, _settings: Settings, found: Found, caveats: tuple[Caveat, ...]) -> Verdict:
    """Asks may_delete (fs/namei.c): the directory's rights, then the sticky bit, then the file's own flags."""
    place, holder = found.place, found.holder
    if holder is None:
        return Denied(place, Rule.MOUNT_POINT)
    if holder.node.is_read_only:
        return Denied(holder, Rule.READ_ONLY, needed=WRITE | EXECUTE)
    verdict = granted(who, holder, WRITE | EXECUTE, caveats)
    if not isinstance(verdict, Allowed):
        return verdict
    refusal = _kept(who, place, holder)
    if refusal is not None:
        return refusal
    if place.node.type is FileType.DIRECTORY:
        caveats = (*caveats, Caveat.MUST_BE_EMPTY)
    return Allowed(place, verdict.rule, caveats)


def _kept(who: Credentials, place: Place, holder: Place) -> Denied | Unknown | None:
    """Says why a name stays although its directory may be changed."""
    if holder.node.is_append_only:
        return Denied(holder, Rule.APPEND_ONLY, needed=WRITE | EXECUTE)
    # What lies under a mount cannot be seen, and cannot be removed either, whoever owns it.
    if place.node.is_mount_root:
        return Denied(place, Rule.MOUNT_POINT)
    sticky = _sticky(who, place, holder) if holder.node.mode & _STICKY else None
    if sticky is not None:
        return sticky
    if place.node.is_immutable:
        return Denied(place, Rule.IMMUTABLE)
    return Denied(place, Rule.APPEND_ONLY) if place.node.is_append_only else None


def _sticky(who: Credentials, place: Place, holder: Place) -> Denied | Unknown | None:
    """Asks check_sticky: the file's owner, the directory's owner, or CAP_FOWNER."""
    answers = {
        is_owner(who, place.node.uid),
        is_owner(who, holder.node.uid),
        is_capable(who, place.node, CAP_FOWNER),
    }
    if True in answers:
        return None
    if None in answers:
        return Unknown(place.path, (), Unavailable.USERNS)
    return Denied(place, Rule.USER_NAMESPACE if who.capabilities & 1 << CAP_FOWNER else Rule.STICKY)


def _opened(verdict: Verdict) -> Verdict:
    """Adds what is asked after the rights: a socket has no open at all."""
    if isinstance(verdict, Allowed) and verdict.place.node.type is FileType.SOCKET:
        return Denied(verdict.place, Rule.SOCKET)
    return verdict


def _device(found: Found) -> Denied | None:
    node = found.place.node
    return Denied(found.place, Rule.NODEV) if node.type in _DEVICES and node.is_nodev else None


def _with_protection(who: Credentials, settings: Settings, found: Found, verdict: Allowed) -> Allowed:
    if not _is_protected(who, settings, found):
        return verdict
    return Allowed(verdict.place, verdict.rule, (*verdict.caveats, Caveat.PROTECTED_OPEN))


def _is_protected(who: Credentials, settings: Settings, found: Found) -> bool:
    """Asks may_create_in_sticky: whether an open that would create the file is refused because it is there already."""
    if found.holder is None:
        return False
    node, holder = found.place.node, found.holder.node
    if not holder.mode & _STICKY or node.uid == holder.uid or is_owner(who, node.uid):
        return False
    # The settings are about files and pipes; of devices there is no setting.
    level = {FileType.REGULAR: settings.protected_regular, FileType.FIFO: settings.protected_fifos}.get(node.type, 1)
    if not level:
        return False
    return bool(holder.mode & _OTHERS_WRITE) or (level > 1 and bool(holder.mode & _GROUP_WRITES))


_AT_FOUND: Final[Mapping[Operation, Callable[[Credentials, Settings, Found, tuple[Caveat, ...]], Verdict]]] = {
    Operation.READ: _read,
    Operation.WRITE: _write,
    Operation.EXECUTE: _execute,
    Operation.LIST: _list,
    Operation.ENTER: _enter,
    Operation.CREATE: _create,
    Operation.DELETE: _delete,
}
