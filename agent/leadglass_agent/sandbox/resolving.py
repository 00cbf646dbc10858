"""The few ways in which the agent asks openat2(2) to resolve a path, on a page of memory that nobody can write.

The flags of openat2 lie behind a pointer, where a system call filter cannot see them. So every `struct open_how` that
the agent uses lies at a fixed address, the filters accept these addresses alone, and they refuse what could write, move
or replace the page. Whoever takes over a reader still cannot open for writing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache
from itertools import product
from typing import Final

# Above what a program without random placement uses, below what 39 bits of address space reach (the least on aarch64),
# and 2 GiB above a border of 4 GiB: the filters compare the upper word of an address alone.
_ADDRESS: Final = 0x20_8000_0000
PINNED_WORD: Final = _ADDRESS & ~0xFFFF_FFFF
_HOW: Final = struct.Struct("=QQQ")  # struct open_how, include/uapi/linux/openat2.h: flags, mode, resolve
HOW_BYTES: Final = _HOW.size
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# include/uapi/linux/openat2.h
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_IN_ROOT: Final = 0x10
_PATH: Final = os.O_PATH | os.O_CLOEXEC
_FLAGS: Final = (_PATH, _PATH | os.O_NOFOLLOW, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
_RESOLVES: Final = (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT)
_WAYS: Final = tuple(product(_FLAGS, _RESOLVES))
_PLACES: Final = {way: _ADDRESS + index * HOW_BYTES for index, way in enumerate(_WAYS)}
HOW_ADDRESSES: Final = tuple(_PLACES.values())
# include/uapi/asm-generic/mman-common.h and mman.h
_PROT_READ: Final = 1
_PROT_WRITE: Final = 2
_MAP_PRIVATE: Final = 0x02
_MAP_ANONYMOUS: Final = 0x20
_MAP_FIXED_NOREPLACE: Final = 0x100000

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_LIBC.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def how_address(flags: int, resolve: int) -> int:
    """Gives where the struct of one way lies; raises OSError, with EPERM for a way that no filter would accept."""
    pin()
    place = _PLACES.get((flags, resolve))
    if place is None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    return place


@cache
def pin() -> None:
    """Lays the structs down, once, and takes the right to write the page away; raises OSError.

    It is done before a process is confined: afterwards nothing could be laid there, by us or by anybody.
    """
    place = _LIBC.mmap(
        _ADDRESS, _PAGE, _PROT_READ | _PROT_WRITE, _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE, -1, 0
    )
    if place != _ADDRESS:
        raise OSError(errno.EADDRINUSE, "the page of open_how cannot be laid where it belongs")
    content = b"".join(_HOW.pack(flags, 0, resolve) for flags, resolve in _WAYS)
    ctypes.memmove(_ADDRESS, content, len(content))
    if _LIBC.mprotect(_ADDRESS, _PAGE, _PROT_READ) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
