"""Plants random trees: owners, modes, access control lists, links, special files, flags and mounts by lot."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

UIDS: Final = (0, 1000, 1001, 1002)
GIDS: Final = (0, 1000, 1001, 2000)

LIBC: Final = ctypes.CDLL(None, use_errno=True)
MS_REC, MS_PRIVATE = 16384, 1 << 18
_MS_RDONLY, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 4, 8, 32
_MS_NOSYMFOLLOW, _MS_BIND = 256, 4096
_MOUNT_FLAGS: Final = (_MS_RDONLY, _MS_RDONLY, _MS_NOEXEC, _MS_NODEV, _MS_NOSYMFOLLOW)
_UMOUNT_DETACH: Final = 2
_FS_IOC_SETFLAGS: Final = 0x40086602
_FLAGS: Final = (0x10, 0x20)  # FS_IMMUTABLE_FL, FS_APPEND_FL
# Directories are mostly open, or no walk would ever reach the second one.
_OPEN_MODES: Final = (0o755, 0o711, 0o777, 0o1777, 0o750, 0o1770)
_KINDS: Final = {"directory": 8, "file": 6, "link": 5, "fifo": 1, "socket": 1, "null": 1}


@dataclass(slots=True)
class Tree:
    """A random tree: its paths, some of which are not there, and what has to be undone before it can be removed."""

    top: Path
    paths: list[str] = field(default_factory=list)
    mounts: list[Path] = field(default_factory=list)
    flagged: list[Path] = field(default_factory=list)


def plant(chance: Random, top: Path) -> Tree:
    """Plants a tree."""
    top.mkdir(mode=0o755)
    files = _files(chance, top)
    tree = Tree(top, [str(top), *map(str, files)])
    mounted = [path for path in files if _is_directory(path) and chance.random() < 0.05]
    for path in mounted:
        mount(str(path), path, None, _MS_BIND)
        tree.mounts.append(path)
    for path in files:
        _own(chance, path)
    for path in files:
        if chance.random() < 0.03 and (_is_directory(path) or stat.S_ISREG(path.lstat().st_mode)):
            _flag(path, chance.choice(_FLAGS))
            tree.flagged.append(path)
    # Last, as nothing on a read-only mount can be given an owner.
    for path in mounted:
        mount("none", path, None, _MS_REMOUNT | _MS_BIND | chance.choice(_MOUNT_FLAGS))
    names = ("none", "a1", "b2", "c3", "x" * 256)
    tree.paths += [f"{chance.choice(tree.paths)}/{chance.choice(names)}" for _ in range(3)]
    return tree


def clear(tree: Tree) -> None:
    """Removes a tree and its mounts."""
    for path in reversed(tree.mounts):
        LIBC.umount2(os.fsencode(path), _UMOUNT_DETACH)
    for path in tree.flagged:
        with suppress(FileNotFoundError):
            _flag(path, 0)
    for folder, directories, files in os.walk(tree.top, topdown=False):
        for name in (*files, *directories):
            path = Path(folder, name)
            if _is_directory(path):
                path.rmdir()
            else:
                path.unlink()
    tree.top.rmdir()


def mount(source: str, target: Path, kind: str | None, flags: int) -> None:
    """Mounts; raises OSError."""
    checked(LIBC.mount(source.encode(), os.fsencode(target), None if kind is None else kind.encode(), flags, None))


def checked(answer: int) -> None:
    """Raises OSError for a system call that failed."""
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _files(chance: Random, top: Path) -> list[Path]:
    directories: list[Path] = [top]
    files: list[Path] = []
    for number in range(chance.randrange(6, 14)):
        parent = chance.choice(directories[-3:])
        path = parent / f"{chance.choice('abcdefgh')}{number}"
        kind = chance.choices(tuple(_KINDS), tuple(_KINDS.values()))[0]
        if kind == "directory":
            path.mkdir()
            directories.append(path)
        elif kind == "link":
            path.symlink_to(_target(chance, [top, *files], parent))
        else:
            _make(path, kind)
        files.append(path)
    return files


def _make(path: Path, kind: str) -> None:
    match kind:
        case "file":
            path.write_text("#!/bin/true\n", encoding="utf-8")
        case "fifo":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case _:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))


def _target(chance: Random, paths: list[Path], parent: Path) -> str:
    chosen = chance.choice(paths)
    where = os.path.relpath(chosen, parent) if chance.random() < 0.5 else str(chosen)
    return where + chance.choice(("", "", "", "/", "/.", "/..", "/none", "/a1"))


def _own(chance: Random, path: Path) -> None:
    """Gives a file a random owner, mode and access control list."""
    kind = path.lstat().st_mode
    os.lchown(path, chance.choice(UIDS), chance.choice(GIDS))
    if stat.S_ISLNK(kind):
        return
    if stat.S_ISDIR(kind):
        path.chmod(chance.choice(_OPEN_MODES) if chance.random() < 0.6 else chance.randrange(0o2000))
    else:
        path.chmod(chance.randrange(0o1000))
    if chance.random() < 0.3:
        os.setxattr(path, "system.posix_acl_access", _acl(chance))


def _acl(chance: Random) -> bytes:
    """Makes a list in the kernel's order: owner, users, group, groups, mask, others."""
    nobody = 0xFFFFFFFF
    users = sorted(chance.sample(UIDS, chance.randrange(3)))
    groups = sorted(chance.sample(GIDS, chance.randrange(3)))
    entries = [(1, nobody), *((2, uid) for uid in users), (4, nobody), *((8, gid) for gid in groups)]
    if users or groups or chance.random() < 0.3:
        entries.append((16, nobody))
    entries.append((32, nobody))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, chance.randrange(8), who) for tag, who in entries)


def _flag(path: Path, flags: int) -> None:
    """Marks a file; a file system without marks leaves it as it is."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        LIBC.ioctl(fd, ctypes.c_ulong(_FS_IOC_SETFLAGS), ctypes.byref(ctypes.c_int(flags)))
    finally:
        os.close(fd)


def _is_directory(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)
