"""Walks a path below a target's root as the kernel does, with O_PATH descriptors alone, and notes what rules ask of."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.views import paths
from leadglass_agent.views.access.acl import ATTRIBUTE, AclError, parse_acl
from leadglass_agent.views.access.model import (
    Absent,
    Blind,
    Followed,
    Found,
    Node,
    Place,
    Rule,
    Searched,
    Stopped,
    Walk,
)
from leadglass_agent.views.kernel_filesystems import is_kernel_filesystem
from leadglass_agent.views.rows import FileType, Unavailable

if TYPE_CHECKING:
    from leadglass_agent.views.access.model import AclEntry
    from leadglass_agent.views.paths import TargetRoot

_MAX_LINKS: Final = 40  # MAXSYMLINKS, include/linux/namei.h
# Each directory on the way is held open for "..", so this bounds descriptors; of a longer way nothing is said.
_MAX_DEPTH: Final = 256
_MAX_COMPONENTS: Final = 4_096
_O_PATH: Final = os.O_PATH | os.O_CLOEXEC
_FOUND_NOTHING: Final = frozenset({errno.ENODATA, errno.EOPNOTSUPP})
_NOWHERE: Final = {errno.ENOENT: Rule.NO_SUCH_FILE, errno.ENAMETOOLONG: Rule.NAME_TOO_LONG}
_TYPES: Final = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
}

# f_flags of statfs(2)
_ST_RDONLY: Final = 0x0001
_ST_NODEV: Final = 0x0004
_ST_NOEXEC: Final = 0x0008
_ST_NOSYMFOLLOW: Final = 0x2000
# f_type, include/uapi/linux/magic.h
_FUSE: Final = 0x65735546
_NETWORK: Final = frozenset(
    {0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x01021997, 0x00C36400, 0x5346414F, 0x6B414653, 0x73757245, 0x0BD00BD0}
)  # NFS, SMB, CIFS, SMB2, 9p, Ceph, two of AFS, Coda, Lustre

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BYTES: Final = 256
_STATX_ATTRIBUTES: Final = 8  # the offset of stx_attributes
_STATX_ATTR_IMMUTABLE: Final = 0x10
_STATX_ATTR_APPEND: Final = 0x20
_STATX_ATTR_MOUNT_ROOT: Final = 0x2000
_STATFS_BYTES: Final = 256
_STATFS_FLAGS: Final = 80  # the offset of f_flags on 64-bit machines
_LOW_WORD: Final = 0xFFFFFFFF
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class _Held:
    """A place with its open descriptor."""

    fd: int
    path: bytes
    node: Node


def walk_path(root: TargetRoot, path: bytes, *, follow: bool) -> Walk:
    """Walks a parsed path; `follow` is about a link in the last component alone.

    The agent's own rights bound what it sees: behind that the way is Blind. Meanwhile the working directory is that of
    whatever is looked at, since the list of a file cannot be read from an O_PATH descriptor.
    """
    back = os.open(".", _O_PATH)
    try:
        return _Walker(root, follow=follow).walk(path)
    finally:
        with suppress(OSError):
            os.fchdir(back)
        os.close(back)


class _Walker:
    """One walk: the directories that are open, the way so far, and the components to go."""

    def __init__(self, root: TargetRoot, *, follow: bool) -> None:
        self._follow = follow
        self._held: list[_Held] = []
        self._steps: list[Searched | Followed] = []
        self._pending: list[bytes] = []  # the next one is at its end
        self._links = 0
        self._went = 0
        self._root = root
        self._wants_directory = False

    def walk(self, path: bytes) -> Walk:
        """Goes the whole way."""
        self._pending = _components(path)
        try:
            end = self._all()
        except OSError as error:
            top = self._held[-1].path if self._held else b"/"
            end = Blind(top, self._rest(), paths.reason_of(error))
        finally:
            for held in self._held:
                os.close(held.fd)
        return Walk(tuple(self._steps), end)

    def _all(self) -> Found | Absent | Stopped | Blind:
        fd = os.dup(self._root.fd)
        try:
            node = _node(fd, fd, b".")
        except BaseException:
            os.close(fd)
            raise
        self._held.append(_Held(fd, b"/", node))
        while self._pending:
            end = self._one()
            if end is not None:
                return end
        here = self._held[-1]
        return Found(self._place(here.path, here.node), self._holder(), is_directory_wanted=self._wants_directory)

    def _one(self) -> Found | Absent | Stopped | Blind | None:
        """Goes one component on; None if the way goes on, too."""
        here, rest = self._held[-1], self._rest()
        if here.node.type is not FileType.DIRECTORY:
            return Stopped(self._place(here.path, here.node), Rule.NOT_A_DIRECTORY)
        place = self._place(here.path, here.node)
        self._steps.append(Searched(place))
        self._went += 1
        if len(self._held) > _MAX_DEPTH or self._went > _MAX_COMPONENTS:
            return Blind(here.path, rest, Unavailable.PATH_TOO_LONG)
        name = self._pending.pop()
        if name == b".":
            return None
        if name == b"..":
            if len(self._held) > 1:
                os.close(self._held.pop().fd)
            return None
        try:
            fd = os.open(name, _O_PATH | os.O_NOFOLLOW, dir_fd=here.fd)
        except OSError as error:
            return self._unopened(place, name, error)
        return self._look(here, fd, name)

    def _look(self, here: _Held, fd: int, name: bytes) -> Found | Stopped | Blind | None:
        """Notes what a component is: a directory to go on from, a link to follow, or the end."""
        path = paths.child(here.path, name)
        kept = False
        try:
            if is_kernel_filesystem(fd):
                return Blind(path, self._rest(), Unavailable.KERNEL_FILESYSTEM)
            node = _node(fd, here.fd, name)
            if node.type is FileType.SYMLINK and (self._pending or self._follow):
                return self._turn(here, _Held(fd, path, node))
            self._held.append(_Held(fd, path, node))
            kept = True
        finally:
            if not kept:
                os.close(fd)
        return None

    def _turn(self, here: _Held, link: _Held) -> Stopped | None:
        """Follows a link."""
        place = self._place(link.path, link.node)
        self._links += 1
        if self._links > _MAX_LINKS:
            return Stopped(place, Rule.TOO_MANY_LINKS)
        target = os.readlink(b"", dir_fd=link.fd)
        is_last = not self._pending
        self._steps.append(Followed(place, here.node, is_last, target))
        if is_last and target.endswith(b"/"):
            self._wants_directory = True
        if target.startswith(b"/"):
            while len(self._held) > 1:
                os.close(self._held.pop().fd)
        self._pending += _components(target)
        return None

    def _unopened(self, holder: Place, name: bytes, error: OSError) -> Absent | Stopped | Blind:
        path = paths.child(holder.path, name)
        rule = _NOWHERE.get(error.errno or 0)
        if rule is not None:
            is_too_long = rule is Rule.NAME_TOO_LONG
            return Stopped(holder, rule) if self._pending else Absent(path, holder, is_too_long=is_too_long)
        # The agent may not search the directory itself, so what it lacks is behind it.
        return Blind(path, self._rest(), paths.reason_of(error))

    def _holder(self) -> Place | None:
        if len(self._held) == 1:
            return None
        holder, here = self._held[-2:]
        return Place(holder.path, holder.node, (here.path.rpartition(b"/")[2],))

    def _place(self, path: bytes, node: Node) -> Place:
        return Place(path, node, self._rest())

    def _rest(self) -> tuple[bytes, ...]:
        return tuple(reversed(self._pending))


def _components(path: bytes) -> list[bytes]:
    """Splits a path into its components, the first at the end."""
    return [component for component in reversed(path.split(b"/")) if component]


def _node(fd: int, holder: int, name: bytes) -> Node:
    """Reads what the rules ask of an open file; raises OSError."""
    found = os.fstat(fd)
    kind = _TYPES.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    file_system, mount = _file_system(fd)
    attributes = _attributes(fd)
    return Node(
        type=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        acl=() if kind is FileType.SYMLINK else _acl(holder, name),
        is_read_only=bool(mount & _ST_RDONLY),
        is_noexec=bool(mount & _ST_NOEXEC),
        is_nodev=bool(mount & _ST_NODEV),
        is_nosymfollow=bool(mount & _ST_NOSYMFOLLOW),
        is_fuse=file_system == _FUSE,
        is_network=file_system in _NETWORK,
        is_immutable=bool(attributes & _STATX_ATTR_IMMUTABLE),
        is_append_only=bool(attributes & _STATX_ATTR_APPEND),
        is_mount_root=bool(attributes & _STATX_ATTR_MOUNT_ROOT),
    )


def _acl(holder: int, name: bytes) -> tuple[AclEntry, ...] | None:
    """Reads the list of a name in an open directory; None if it is there and cannot be read."""
    try:
        os.fchdir(holder)
        data = os.getxattr(name, ATTRIBUTE, follow_symlinks=False)
    except OSError as error:
        return () if error.errno in _FOUND_NOTHING else None
    try:
        return parse_acl(data)
    except AclError:
        return None


def _file_system(fd: int) -> tuple[int, int]:
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _LIBC.fstatfs(ctypes.c_int(fd), buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    kind = ctypes.c_long.from_buffer(buffer).value & _LOW_WORD
    return kind, ctypes.c_long.from_buffer(buffer, _STATFS_FLAGS).value


def _attributes(fd: int) -> int:
    """Reads the flags that statx(2) tells; none where it is not to be had, as such files are rare."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if _LIBC.statx(ctypes.c_int(fd), b"", ctypes.c_int(_AT_EMPTY_PATH), ctypes.c_uint(0), buffer) != 0:
        return 0
    return ctypes.c_uint64.from_buffer(buffer, _STATX_ATTRIBUTES).value
