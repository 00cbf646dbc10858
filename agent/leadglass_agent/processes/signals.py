"""Signals to the supervisor as values, with who sent each: `signal` tells neither."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

# Whatever would end or surprise the program; SIGKILL and SIGSTOP cannot be taken (signal(7)).
_TAKEN: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCHLD,
)
# A terminal's stop of a whole group would look like somebody who stops the front.
_IGNORED: Final = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
# signalfd(2): ssi_signo, ssi_errno, ssi_code, ssi_pid, and 112 bytes that nobody here asks for.
_RECORD: Final = struct.Struct("=IiiI112x")
_MASK_BYTES: Final = 128  # sigset_t of glibc and musl
_SFD_CLOEXEC: Final = 0o2000000
_SFD_NONBLOCK: Final = 0o4000
_MOST: Final = 64
# include/uapi/asm-generic/siginfo.h: SI_USER (kill), SI_KERNEL (a terminal) and SI_TKILL. Of these alone the kernel
# tells who sent them: with sigqueue(3) the sender writes what it likes, and F_SETSIG of fcntl(2) makes any file one.
_TOLD_BY_KERNEL: Final = (0, 0x80, -6)


@dataclass(frozen=True, slots=True)
class Received:
    """One signal; by_pid is 0 if the kernel sent it, a process outside of this PID namespace, or nobody knows who."""

    number: int
    by_pid: int
    is_sure: bool = True

    def is_of_runtime(self, parent_pid: int) -> bool:
        """Says whether the container's runtime sent it; on a laptop that is whoever started the agent."""
        return self.is_sure and self.by_pid in {0, parent_pid, os.getppid()}


class Signals:
    """Takes this process's signals from now on; threads and processes that it makes do not notice them either."""

    def __init__(self) -> None:
        """Raises OSError if the kernel refuses."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
        for ignored in _IGNORED:
            signal.signal(ignored, signal.SIG_IGN)
        mask = bytearray(_MASK_BYTES)
        for taken in _TAKEN:
            mask[(taken - 1) // 8] |= 1 << (taken - 1) % 8
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = (ctypes.c_char * _MASK_BYTES).from_buffer(mask)
        self._descriptor = libc.signalfd(-1, buffer, _SFD_CLOEXEC | _SFD_NONBLOCK)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "signalfd")

    def fileno(self) -> int:
        """Gives the descriptor that becomes readable with a signal."""
        return int(self._descriptor)

    def take(self) -> tuple[Received, ...]:
        """Takes what has arrived; several of one kind may be one."""
        received = b""
        with suppress(BlockingIOError):
            received = os.read(self._descriptor, _MOST * _RECORD.size)
        return tuple(_received(number, code, pid) for number, _, code, pid in _RECORD.iter_unpack(received))


def _received(number: int, code: int, pid: int) -> Received:
    is_sure = code in _TOLD_BY_KERNEL
    return Received(number, pid if is_sure else 0, is_sure)


def let_through() -> None:
    """Lets signals through again, in a process that was forked after they were taken."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TAKEN)
