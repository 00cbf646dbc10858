"""A file system of one flat directory in memory, served over /dev/fuse, that fails on demand as a dying disk does."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# Numbers and layouts: include/uapi/linux/fuse.h of the kernel, protocol 7.31.
_FORGET, _SETATTR, _SYMLINK, _UNLINK, _RENAME = 2, 4, 6, 10, 12
_WRITE, _RELEASE, _FSYNC = 16, 18, 20
_FLUSH, _INIT, _RELEASEDIR, _FSYNCDIR, _CREATE = 25, 26, 29, 30, 35
_INTERRUPT, _BATCH_FORGET = 36, 42
_NO_REPLY: Final = frozenset({_FORGET, _BATCH_FORGET, _INTERRUPT})
_DIRECT_IO: Final = 1  # FOPEN_DIRECT_IO: every read asks us, so the page cache hides no loss
_SET_MODE, _SET_SIZE = 1, 8
_IN_HEADER: Final = struct.Struct("<IIQQIIII")
_OUT_HEADER: Final = struct.Struct("<IiQ")
_DIRENT: Final = struct.Struct("<QQII")
_ATTR: Final = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY: Final = struct.Struct("<QQQQII")
_MAX_WRITE: Final = 65_536
_ROOT: Final = 1
_MS_NOSUID_NODEV: Final = 6
_MNT_FORCE: Final = 1
_MNT_DETACH: Final = 2


class Operation(IntEnum):
    """What a reader asks of a file system, by the protocol's numbers."""

    LOOKUP = 1
    GETATTR = 3
    READLINK = 5
    OPEN = 14
    READ = 15
    STATFS = 17
    OPENDIR = 27
    READDIR = 28


@dataclass
class _File:
    cached: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    mode: int = stat.S_IFREG | 0o600


@dataclass(frozen=True, slots=True)
class Claims:
    """What the file system says of every file, true or not; None is the truth."""

    size: int | None = None
    blocks: int | None = None
    seconds: int = 0
    links: int = 1
    mode: int | None = None


@dataclass
class FaultyFileSystem:
    """What the file system does wrong now; tests set the fields while it serves."""

    write_error: int = 0
    write_at_most: int = _MAX_WRITE
    fsync_error: int = 0
    fsync_loses_data: bool = False  # a failed fsync drops what was not durable, as ext4 and xfs may
    open_error: int = 0
    free_blocks: int = 1_000
    silent: bool = False  # takes every request and answers none, as a file server that died does
    deaf_to: frozenset[int] = frozenset()  # takes these and answers none
    errors: Mapping[int, int] = field(default_factory=dict)
    claims: Claims = Claims()
    endless: bool = False  # every read is answered in full, wherever the file's end is said to be
    read_at_most: int = _MAX_WRITE
    takes_seconds: float = 0  # to find a name
    fsyncs: int = 0

    def __post_init__(self) -> None:
        """Starts empty."""
        self._files: dict[int, _File] = {}
        self._names: dict[bytes, int] = {}
        self._next_node = _ROOT + 1
        self._handlers: dict[int, Callable[[int, bytes], bytes]] = {
            _INIT: self._init,
            Operation.LOOKUP: lambda _, name: self._entry(self._node(name)),
            Operation.GETATTR: lambda node, _: struct.pack("<QII", 0, 0, 0) + self._attr(node),
            Operation.READLINK: lambda node, _: bytes(self._files[node].cached),
            _SETATTR: self._setattr,
            _SYMLINK: self._symlink,
            _UNLINK: self._unlink,
            _RENAME: self._rename,
            Operation.OPEN: self._open,
            _CREATE: self._create,
            Operation.READ: self._read,
            _WRITE: self._write,
            _FSYNC: self._fsync,
            Operation.STATFS: self._statfs,
            Operation.OPENDIR: lambda *_: struct.pack("<QII", 0, 0, 0),
            Operation.READDIR: self._readdir,
            _RELEASE: lambda *_: b"",
            _RELEASEDIR: lambda *_: b"",
            _FLUSH: lambda *_: b"",
            _FSYNCDIR: lambda *_: b"",
        }

    def serve(self, device: int) -> None:
        """Answers requests until the file system is unmounted."""
        while True:
            try:
                request = os.read(device, _MAX_WRITE + 4_096)
            except OSError:  # ENODEV: unmounted
                return
            _, opcode, unique, node = _IN_HEADER.unpack_from(request)[:4]
            if self.silent or opcode in self.deaf_to:
                continue
            error, reply = 0, b""
            if opcode == Operation.LOOKUP:
                time.sleep(self.takes_seconds)
            try:
                self._fail(opcode)
                reply = self._handlers[opcode](node, request[_IN_HEADER.size :])
            except KeyError:
                error = errno.ENOSYS
            except OSError as refused:
                error = refused.errno or errno.EIO
            if opcode not in _NO_REPLY:
                with suppress(FileNotFoundError):  # the request was interrupted
                    os.write(device, _OUT_HEADER.pack(_OUT_HEADER.size + len(reply), -error, unique) + reply)

    def _fail(self, opcode: int) -> None:
        if opcode in self.errors:
            raise OSError(self.errors[opcode], "on demand")

    def _init(self, _: int, __: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 16, 12, _MAX_WRITE, 1, 0, 0, 0)

    def _node(self, name: bytes) -> int:
        try:
            return self._names[name.rstrip(b"\0")]
        except KeyError:
            raise OSError(errno.ENOENT, "no such name") from None

    def _attr(self, node: int) -> bytes:
        if node == _ROOT:
            mode, size = stat.S_IFDIR | 0o755, 0
        elif node in self._files:
            mode, size = self.claims.mode or self._files[node].mode, len(self._files[node].cached)
        else:
            raise OSError(errno.ENOENT, "no such node")
        claims = self.claims
        size = size if claims.size is None else claims.size
        blocks = -(-size // 512) if claims.blocks is None else claims.blocks
        times = (claims.seconds,) * 3 + (0,) * 3
        return _ATTR.pack(node, size, blocks, *times, mode, claims.links, os.geteuid(), os.getegid(), 0, 4_096, 0)

    def _entry(self, node: int) -> bytes:
        return _ENTRY.pack(node, 0, 0, 0, 0, 0) + self._attr(node)

    def _setattr(self, node: int, body: bytes) -> bytes:
        (valid,) = struct.unpack_from("<I", body)
        file = self._files[node]
        if valid & _SET_SIZE:
            (size,) = struct.unpack_from("<Q", body, 16)
            file.cached = file.cached[:size].ljust(size, b"\0")
        if valid & _SET_MODE:
            (mode,) = struct.unpack_from("<I", body, 68)
            file.mode = stat.S_IFREG | stat.S_IMODE(mode)
        return struct.pack("<QII", 0, 0, 0) + self._attr(node)

    def _symlink(self, _: int, body: bytes) -> bytes:
        name, target = body.rstrip(b"\0").split(b"\0")
        node, self._next_node = self._next_node, self._next_node + 1
        self._files[node] = _File(bytearray(target), mode=stat.S_IFLNK | 0o777)
        self._names[name] = node
        return self._entry(node)

    def _unlink(self, _: int, name: bytes) -> bytes:
        del self._files[self._names.pop(name.rstrip(b"\0"))]
        return b""

    def _rename(self, _: int, body: bytes) -> bytes:
        old, new = body[8:].rstrip(b"\0").split(b"\0")
        self._names[new] = self._names.pop(old)
        return b""

    def _open(self, _: int, __: bytes) -> bytes:
        if self.open_error:
            raise OSError(self.open_error, "on demand")
        return struct.pack("<QII", 0, _DIRECT_IO, 0)

    def _readdir(self, _: int, body: bytes) -> bytes:
        """Gives the names behind the offset, as many as are asked for; each entry takes a multiple of eight bytes."""
        _, offset, room = struct.unpack_from("<QQI", body)
        found = b""
        for number, (name, node) in enumerate(list(self._names.items())[offset:], int(offset) + 1):
            entry = _DIRENT.pack(node, number, len(name), stat.S_IFREG >> 12) + name
            entry = entry.ljust(-(-len(entry) // 8) * 8, b"\0")
            if len(found) + len(entry) > room:
                break
            found += entry
        return found

    def _create(self, node: int, body: bytes) -> bytes:
        opened = self._open(node, body)
        (mode,) = struct.unpack_from("<I", body, 4)
        node, self._next_node = self._next_node, self._next_node + 1
        self._files[node] = _File(mode=mode)
        self._names[body[16:].rstrip(b"\0")] = node
        return self._entry(node) + opened

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        size = min(size, self.read_at_most)
        return b"x" * size if self.endless else bytes(self._files[node].cached[offset : offset + size])

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        if self.write_error:
            raise OSError(self.write_error, "on demand")
        data = body[40 : 40 + min(size, self.write_at_most)]
        cached = self._files[node].cached
        cached[offset : offset + len(data)] = data
        return struct.pack("<II", len(data), 0)

    def _fsync(self, node: int, _: bytes) -> bytes:
        self.fsyncs += 1
        file = self._files[node]
        if self.fsync_error:
            if self.fsync_loses_data:
                file.cached = bytearray(file.durable)
            raise OSError(self.fsync_error, "on demand")
        file.durable = bytes(file.cached)
        return b""

    def _statfs(self, _: int, __: bytes) -> bytes:
        free = self.free_blocks
        return struct.pack("<QQQQQIIII24x", 1_000, free, free, 100, 100, 4_096, 255, 4_096, 0)


def unmount(directory: Path) -> None:
    """Unmounts by force: the kernel then also ends the requests that a silent server has taken."""
    ctypes.CDLL(None).umount2(os.fsencode(directory), _MNT_FORCE | _MNT_DETACH)


@contextmanager
def mounted(directory: Path) -> Iterator[FaultyFileSystem]:
    """Serves a new file system on the directory from a thread, and always unmounts it; needs root and /dev/fuse."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    target = os.fsencode(directory)
    options = f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}".encode()
    try:
        if libc.mount(b"faulty", target, b"fuse.faulty", _MS_NOSUID_NODEV, options) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        file_system = FaultyFileSystem()
        server = threading.Thread(target=file_system.serve, args=(device,), daemon=True)
        server.start()
        try:
            yield file_system
        finally:
            unmount(directory)
            server.join(timeout=10)
    finally:
        os.close(device)
