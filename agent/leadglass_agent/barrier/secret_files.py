"""Reads the files below secret mounts, bounded in number, size and depth."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.values import MAX_FILE, file_values
from leadglass_agent.views.paths import resolve_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_MAX_FILES: Final = 512
_MAX_BYTES: Final = 4 * 1024 * 1024  # of all files; the kubelet bounds one Secret to 1 MiB
_MAX_DEPTH: Final = 4
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def secret_values(
    root: int, folders: tuple[bytes, ...], program_names: AbstractSet[bytes]
) -> Iterator[tuple[str, bytes]]:
    """Gives the values of each file below the folders with the file's name; what cannot be opened is passed over."""
    left_files, left_bytes = _MAX_FILES, _MAX_BYTES
    for folder in folders:
        for path in _files(root, folder, _MAX_DEPTH):
            content = _content(root, path, min(MAX_FILE, left_bytes))
            if content is None:
                continue
            left_files -= 1
            left_bytes -= len(content)
            name = path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
            for value in file_values(name, content, program_names):
                yield name, value
            if left_files <= 0 or left_bytes <= 0:
                return


def _files(root: int, path: bytes, depth: int) -> Iterator[bytes]:
    """Walks a folder, or gives the path itself if it is a file that is mounted by itself."""
    try:
        fd = resolve_below(root, path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode):
            yield path
        if not stat.S_ISDIR(mode) or not depth:
            return
        try:
            listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            return
    finally:
        os.close(fd)
    try:
        with os.scandir(listing) as entries:
            # The kubelet's own folders begin with "..": each of their files has a link beside them.
            names = sorted(entry.name for _, entry in zip(range(_MAX_FILES), entries, strict=False))
    finally:
        os.close(listing)
    for name in names:
        if not name.startswith(".."):
            yield from _files(root, path.rstrip(b"/") + b"/" + os.fsencode(name), depth - 1)


def _content(root: int, path: bytes, limit: int) -> bytes | None:
    try:
        fd = resolve_below(root, path, _READ)
    except OSError:
        return None
    try:
        return os.read(fd, limit) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)
