"""Gives a program to the kernel as this process' system call filter."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch

# include/uapi/linux/seccomp.h and prctl.h
_SET_MODE_FILTER: Final = 1
_TSYNC: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_INSTRUCTION_BYTES: Final = 8

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    """Mirrors struct sock_fprog."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes, *, tsync: bool) -> None:
    """Filters the calls of this thread and of all that it starts; with `tsync` those of every thread there is.

    Nothing takes a filter away again. Raises OSError if the kernel, or a filter around us, refuses.
    """
    arch = this_arch()
    if arch is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    give_up_privileges()
    held = _Program(len(program) // _INSTRUCTION_BYTES, program)
    answer: int = _LIBC.syscall(
        ctypes.c_long(NUMBERS[arch]["seccomp"]),
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_TSYNC if tsync else 0),
        ctypes.byref(held),
    )
    if answer > 0:
        # The number of a thread that has another filter already: no thread has ours now. seccomp(2)
        raise OSError(errno.ESRCH, f"thread {answer} cannot take the filter")
    _checked(answer)


def give_up_privileges() -> None:
    """Gives up what an executed program could gain, without which only an administrator may confine; raises OSError."""
    _checked(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
