"""Puts the calling thread, and all that it starts, into a Landlock domain: folders that it may use, and nothing else.

Below ABI 8 a domain holds for one thread: it is entered before there is a second one. landlock(7)
"""

from __future__ import annotations

import ctypes
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.sandbox.seccomp import give_up_privileges
from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch

if TYPE_CHECKING:
    from collections.abc import Sequence

# include/uapi/linux/landlock.h
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_REMOVE_DIR: Final = 1 << 4
_REMOVE_FILE: Final = 1 << 5
_MAKE_DIR: Final = 1 << 7
_MAKE_REG: Final = 1 << 8
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
# What each ABI can refuse on files: execution to symbolic links; links across folders; truncation; device controls.
_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK_ABI: Final = 4
_CONNECT_TCP: Final = 1 << 1
_SCOPE_ABI: Final = 6
_SCOPES: Final = 0b11  # abstract Unix sockets and signals of processes outside of the domain
_OF_FILES: Final = _WRITE_FILE | _READ_FILE | _TRUNCATE  # the rights that a rule on a file may name

READ: Final = _READ_FILE | _READ_DIR
WRITE: Final = READ | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _MAKE_DIR | _REMOVE_FILE | _REMOVE_DIR | _REFER

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    """Mirrors struct landlock_ruleset_attr."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """Mirrors struct landlock_path_beneath_attr, which is packed."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights below what a descriptor, as O_PATH gives it, leads to: a folder, or a single file."""

    descriptor: int
    rights: int


def abi() -> int:
    """Asks the kernel for the version of Landlock; 0 if it has none, or something around us refuses it."""
    arch = this_arch()
    if arch is None:
        return 0
    call = ctypes.c_long(NUMBERS[arch]["landlock_create_ruleset"])
    version: int = _LIBC.syscall(call, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(version, 0)


def restrict(version: int, grants: Sequence[Grant]) -> None:
    """Enters a domain with all rights handled that the ABI knows, and none granted but these.

    Where the ABI can, TCP connections, abstract sockets and signals to the outside are refused, too. Binding is not:
    the front binds later, and its system call filter ends that. Raises OSError.
    """
    files = max((known, rights) for known, rights in _FILE_RIGHTS.items() if known <= version)[1]
    wanted = _Ruleset(files, 0, 0)
    size = _Ruleset.network.offset
    if version >= _NETWORK_ABI:
        wanted.network, size = _CONNECT_TCP, _Ruleset.scopes.offset
    if version >= _SCOPE_ABI:
        wanted.scopes, size = _SCOPES, ctypes.sizeof(wanted)
    ruleset = _call("landlock_create_ruleset", ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for grant in grants:
            is_folder = stat.S_ISDIR(os.fstat(grant.descriptor).st_mode)
            allowed = grant.rights & files & (files if is_folder else _OF_FILES)
            rule = _PathBeneath(allowed, grant.descriptor)
            _call(
                "landlock_add_rule",
                ctypes.c_int(ruleset),
                ctypes.c_int(_PATH_BENEATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            )
        give_up_privileges()
        _call("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _call(name: str, *arguments: object) -> int:
    arch = this_arch()
    number = -1 if arch is None else NUMBERS[arch][name]
    answer: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return answer
