"""Opens paths below a target's root, the only module that does, and says where they really lead.

The kernel resolves each path as if the root were "/" (openat2 with RESOLVE_IN_ROOT) and refuses magic links of /proc.
Nothing but a directory is opened for its content: all else is O_PATH, so devices, pipes and sockets are never touched.
"""

from __future__ import annotations

import ctypes
import errno
import os
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.sandbox.resolving import HOW_BYTES, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, how_address
from leadglass_agent.views.kernel_filesystems import is_kernel_filesystem
from leadglass_agent.views.procfs import descriptor_path
from leadglass_agent.views.rows import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

    from leadglass_agent.policy.scope import Scope

MAX_PATH_BYTES: Final = 4_096

_OPENAT2: Final = 437  # the same number on every architecture; glibc and musl have no wrapper
_MAX_TRIES: Final = 32  # the kernel answers EAGAIN while a rename or a mount races with ".."; openat2(2)
_O_PATH: Final = os.O_PATH | os.O_CLOEXEC
_O_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_DELETED: Final = b" (deleted)"  # what the kernel adds to the link of a descriptor whose file is gone
_REASONS: Final = {
    errno.ENOENT: Unavailable.NOT_FOUND,
    errno.EACCES: Unavailable.PERMISSION,
    errno.ENOTDIR: Unavailable.NOT_A_DIRECTORY,
    errno.ENAMETOOLONG: Unavailable.PATH_TOO_LONG,
    errno.EXDEV: Unavailable.ESCAPES_ROOT,
}
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class TargetRoot:
    """An O_PATH descriptor of /proc/PID/root."""

    fd: int


@dataclass(frozen=True, slots=True)
class OpenPath:
    """An O_PATH descriptor, where it lies below the root, and the with-block that closes it."""

    fd: int
    canonical: bytes

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the descriptor."""
        os.close(self.fd)


def parse_path(text: str) -> bytes:
    """Parses a caller's path into the form that policy knows: absolute, without ".", "//" or a slash at the end.

    Raises InvalidRequest, also for "..": what it means depends on links, so that policy and kernel could differ.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if not raw.startswith(b"/") or b"\0" in raw or len(raw) > MAX_PATH_BYTES:
        message = "a path is not absolute, holds a NUL or is too long"
        raise InvalidRequest(message)
    components = [component for component in raw.split(b"/") if component not in {b"", b"."}]
    if b".." in components:
        message = "a path holds '..'"
        raise InvalidRequest(message)
    return b"/" + b"/".join(components)


def open_path(root: TargetRoot, path: bytes, scope: Scope, *, follow: bool) -> OpenPath | Unavailable:
    """Opens a parsed path if the scope admits both the path and where it leads, or says why it cannot be had.

    What the scope hides is NOT_FOUND, like what is not there. `follow` is about a link in the last component alone.
    """
    if not admits(scope, path):
        return Unavailable.NOT_FOUND
    try:
        fd = _resolve(root.fd, path, _O_PATH if follow else _O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        return _reason_shown(root, path, scope, _reason(root, path, error))
    try:
        located = _locate(root, fd, scope)
    except BaseException:
        os.close(fd)
        raise
    if isinstance(located, Unavailable):
        os.close(fd)
        return located
    return OpenPath(fd, located)


def open_directory(opened: OpenPath) -> int | Unavailable:
    """Opens a directory for listing, as a descriptor of the caller's, or says why it cannot be had."""
    try:
        return os.open(".", _O_DIRECTORY, dir_fd=opened.fd)
    except OSError as error:
        return reason_of(error)


def is_kernel_entry(directory: int, name: bytes) -> bool:
    """Says whether an entry of an open directory is the mount point of a kernel file system; raises OSError."""
    fd = os.open(name, _O_PATH | os.O_NOFOLLOW, dir_fd=directory)
    try:
        return is_kernel_filesystem(fd)
    finally:
        os.close(fd)


def child(directory: bytes, name: bytes) -> bytes:
    """Joins a canonical directory and the name of an entry."""
    return directory + name if directory == b"/" else directory + b"/" + name


def admits(scope: Scope, path: bytes) -> bool:
    """Asks a scope for a path; bytes that are not UTF-8 are surrogates there."""
    return scope.admits_path(path.decode("utf-8", "surrogateescape"))


def resolve_below(root: int, path: bytes, flags: int) -> int:
    """Opens a path of the agent's own choice below a root, as a descriptor of the caller's; raises OSError."""
    return _resolve(root, path, flags)


def reason_of(error: OSError) -> Unavailable:
    """Names what the kernel's error says about a path."""
    return _REASONS.get(error.errno or 0, Unavailable.KERNEL_REFUSED)


def _resolve(root: int, path: bytes, flags: int, resolve: int = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) -> int:
    how = how_address(flags, resolve)
    for _ in range(_MAX_TRIES):
        fd: int = _LIBC.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(root),
            ctypes.c_char_p(path),
            ctypes.c_void_p(how),
            ctypes.c_size_t(HOW_BYTES),
        )
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
            break
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


def _locate(root: TargetRoot, fd: int, scope: Scope) -> bytes | Unavailable:
    """Gives the canonical path of what was opened, unless the scope hides it or it is no file of the target."""
    try:
        canonical = _canonical(root, fd)
        if canonical is None:
            return Unavailable.ESCAPES_ROOT
        if not admits(scope, canonical) or _is_gone(root, fd, canonical):
            return Unavailable.NOT_FOUND
        return Unavailable.KERNEL_FILESYSTEM if is_kernel_filesystem(fd) else canonical
    except OSError as error:
        return reason_of(error)


def _canonical(root: TargetRoot, fd: int) -> bytes | None:
    """Asks the kernel where a descriptor lies and takes the root's own place off; None if it lies elsewhere."""
    top, here = descriptor_path(root.fd), descriptor_path(fd)
    if here == top:
        return b"/"
    if top == b"/":
        return here if here.startswith(b"/") else None
    return here[len(top) :] if here.startswith(top + b"/") else None


def _is_gone(root: TargetRoot, fd: int, canonical: bytes) -> bool:
    """Tells a removed file from one whose name ends like the kernel's remark about removed files."""
    if not canonical.endswith(_DELETED):
        return False
    try:
        again = _resolve(root.fd, canonical, _O_PATH | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        return not os.path.samestat(os.fstat(fd), os.fstat(again))
    finally:
        os.close(again)


def _reason(root: TargetRoot, path: bytes, error: OSError) -> Unavailable:
    if error.errno != errno.ELOOP:
        return reason_of(error)
    # ELOOP is a magic link or too many links; without the refusal of magic links, the kernel says EXDEV for the former.
    try:
        os.close(_resolve(root.fd, path, _O_PATH, RESOLVE_IN_ROOT))
    except OSError as second:
        return Unavailable.ESCAPES_ROOT if second.errno == errno.EXDEV else Unavailable.PATH_TOO_LONG
    return Unavailable.PATH_TOO_LONG


def _reason_shown(root: TargetRoot, path: bytes, scope: Scope, reason: Unavailable) -> Unavailable:
    """Answers NOT_FOUND instead of a reason that would tell of a place which the scope hides, behind a link.

    The longest part of the path that opens has a canonical path; the rest is appended to it. If the component after
    that part is a link, then it leads to the unknown.
    """
    if reason not in {Unavailable.PERMISSION, Unavailable.NOT_A_DIRECTORY}:
        return reason
    components = path.split(b"/")[1:]
    # What fails at one length fails at every greater one.
    opening = bisect_left(range(1, len(components)), x=True, key=lambda count: not _opens(root, components[:count], 0))
    if _opens(root, components[: opening + 1], os.O_NOFOLLOW):
        return Unavailable.NOT_FOUND
    try:
        fd = _resolve(root.fd, _joined(components[:opening]), _O_PATH)
    except OSError:
        return Unavailable.NOT_FOUND
    try:
        canonical = _canonical(root, fd)
    except OSError:
        return Unavailable.NOT_FOUND
    finally:
        os.close(fd)
    if canonical is None or not admits(scope, child(canonical, b"/".join(components[opening:]))):
        return Unavailable.NOT_FOUND
    return reason


def _opens(root: TargetRoot, components: list[bytes], flags: int) -> bool:
    try:
        os.close(_resolve(root.fd, _joined(components), _O_PATH | flags))
    except OSError:
        return False
    return True


def _joined(components: list[bytes]) -> bytes:
    return b"/" + b"/".join(components)
