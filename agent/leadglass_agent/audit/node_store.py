"""Keeps every complete node of the tree in a file, so that a proof about any state takes a few reads.

The file holds nothing that the log does not: it is never synced, may be lost or behind, and is made anew from the
records. It is no evidence either; whoever checks a proof checks it against a root.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.audit.tree import HASH_BYTES, new_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.audit.tree import Frontier, Hash

# O_RDWR: a named pipe opens at once, to be refused.
_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_UNKNOWN: Final = bytes(HASH_BYTES)  # what a hole in the file reads as; no SHA-256 of anything is known to be that


class NodeUnknown(LookupError):
    """The file does not hold this node: it is behind, or the records below it were gone when it was made anew."""


class NodeStore:
    """The complete nodes in the order in which they are completed: 64 bytes a record.

    One thread writes; `node` may be called from any.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size

    @staticmethod
    def open(path: Path) -> NodeStore:
        """Opens or creates (0600) the file, and forgets a torn end; raises OSError or AuditLogRefused."""
        fd = _open(path)
        try:
            _check(path, fd)
            size = _records_in(os.fstat(fd).st_size // HASH_BYTES)
            os.ftruncate(fd, _offset(size))
        except BaseException:
            os.close(fd)
            raise
        return NodeStore(fd, size)

    @property
    def size(self) -> int:
        """Number of records whose nodes the file has room for; some may be unknown."""
        return self._size

    def append(self, before: Frontier, leaves: Sequence[Hash]) -> None:
        """Writes the leaves that follow `before`, and what they complete, in one write; raises OSError.

        Whatever lay there or behind is replaced; what lies between the file's end and `before` is unknown from then on.
        After an error the file ends where it ended before, or at `before` if that is less.
        """
        nodes: list[Hash] = []
        after = before
        for leaf in leaves:
            nodes += new_nodes(after, leaf)
            after = after.plus(leaf)
        if before.size < self._size:
            self.truncate(before.size)
        written = b"".join(nodes)
        try:
            if os.pwrite(self._fd, written, _offset(before.size)) < len(written):
                raise OSError(errno.ENOSPC, "a short write to the file of the tree")  # noqa: TRY301 - handled as others
        except OSError:
            os.ftruncate(self._fd, _offset(self._size))
            raise
        self._size = after.size

    def truncate(self, size: int) -> None:
        """Forgets every record but the first `size`; a file that holds fewer stays as it is. Raises OSError."""
        if size < self._size:
            self._size = size  # first: a reader on another thread asks for nothing that is about to go
            os.ftruncate(self._fd, _offset(size))

    def jump(self, frontier: Frontier) -> None:
        """Goes on after the frontier: of what is not stored before it only its own hashes are known. Raises OSError."""
        self.truncate(frontier.size)
        end = 0
        levels = [level for level in reversed(range(frontier.size.bit_length())) if frontier.size >> level & 1]
        for level, root in zip(levels, frontier.roots, strict=True):
            end += 1 << level
            if os.pwrite(self._fd, root, _offset(end - 1) + level * HASH_BYTES) < HASH_BYTES:
                raise OSError(errno.ENOSPC, "a short write to the file of the tree")
        self._size = frontier.size

    def node(self, level: int, index: int) -> Hash:
        """Gives the root of the perfect subtree number `index` of 2**level leaves; raises NodeUnknown or OSError."""
        if level < 0 or index < 0 or (index + 1) << level > self._size or self._fd < 0:
            raise NodeUnknown
        # It was completed by its last leaf, `level` nodes after that leaf itself.
        last_leaf = ((index + 1) << level) - 1
        found = os.pread(self._fd, HASH_BYTES, _offset(last_leaf) + level * HASH_BYTES)
        if len(found) < HASH_BYTES or found == _UNKNOWN:
            raise NodeUnknown
        return found

    def close(self) -> None:
        """Closes the file; nothing is known afterwards."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _offset(size: int) -> int:
    """Gives where the nodes of the first `size` leaves end: every leaf completes one node, every carry another."""
    return (2 * size - size.bit_count()) * HASH_BYTES


def _records_in(nodes: int) -> int:
    """Gives the largest number of records whose nodes all fit."""
    size = nodes // 2  # 2 * size - bits is less than twice the size, by no more than 64
    while _offset(size + 1) <= nodes * HASH_BYTES:
        size += 1
    return size


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "is a symbolic link") from error
        raise
    os.fchmod(fd, 0o600)  # whatever the umask is
    return fd


def _check(path: Path, fd: int) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is not a regular file")
    if found.st_uid != os.geteuid():
        raise _refused(path, f"belongs to user {found.st_uid}, and the agent runs as {os.geteuid()}")
    if found.st_mode & 0o077:
        raise _refused(path, f"has mode {stat.S_IMODE(found.st_mode):04o}, open to others: chmod 600 it")


def _refused(path: Path, what: str) -> AuditLogRefused:
    return AuditLogRefused(f"the file of the audit log's tree {path} {what}; remove it: the agent makes it anew")
