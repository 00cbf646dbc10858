"""Keeps what grpc's core writes to standard error away from it: the failed handshakes are counted, the rest is dropped.

Its lines come from peers' connections and would flood the container's log. What the library says as it ends the process
is passed on. A pipe that is full drops lines and never holds up a thread of grpc's.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.processes.handshakes import FailureReader, HandshakeFault

if TYPE_CHECKING:
    from collections.abc import Callable

_PIPE_BYTES: Final = 1024 * 1024  # what an ordinary user may ask for (pipe(7)); some 600 connections' lines
_MAX_LINE: Final = 64 * 1024
_PAUSE_SECONDS: Final = 0.02  # a thousand failures a second fill a tenth of the pipe meanwhile
_MAX_FATAL_LINES: Final = 20
_MARK: Final = b"leadglass-agent: the end of the log\n"
_SETTLE_SECONDS: Final = 2.0
# Abseil's severity F: the process ends right after it.
_FATAL: Final = re.compile(rb"^F\d{4} [^\n]{0,2000}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CoreLog:
    """A pipe, made before the front is forked, so that its last words outlive it in the supervisor's hands."""

    read_end: int
    write_end: int

    @classmethod
    def make(cls) -> CoreLog:
        """Makes the pipe as large as it may be."""
        read_end, write_end = os.pipe()
        with suppress(PermissionError):
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(write_end, False)
        return cls(read_end, write_end)

    def take_over(self, count: Callable[[HandshakeFault], None]) -> Callable[[], None]:
        """Puts the pipe in the place of descriptor 2, and reads it on a thread; Python's stderr stays the real one.

        For the front, before grpc is loaded. Gives a function that waits until all that is logged by then was counted.
        """
        real = os.dup(2)
        sys.stderr = open(real, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115, PTH123 - open for as long as the process is
        os.dup2(self.write_end, 2)
        os.close(self.write_end)
        settled = threading.Event()
        threading.Thread(target=self._read, args=(count, real, settled), name="core-log", daemon=True).start()

        def settle() -> None:
            with suppress(BlockingIOError):
                os.write(2, _MARK)
                settled.wait(_SETTLE_SECONDS)

        return settle

    def watch(self) -> None:
        """Lets go of the writing side: from now on the pipe ends with the front. For the supervisor."""
        os.close(self.write_end)

    def last_words(self) -> None:
        """Passes on why the library ended the front, if it did. For the supervisor, after the front's end."""
        os.set_blocking(self.read_end, False)
        with suppress(BlockingIOError):
            _pass_on(os.read(self.read_end, _PIPE_BYTES), 2)

    def _read(self, count: Callable[[HandshakeFault], None], real: int, settled: threading.Event) -> None:
        failures, rest = FailureReader(), b""
        while True:
            select.select((self.read_end,), (), ())
            # The library writes its last words right before it ends the process: they must still lie in the pipe then.
            time.sleep(_PAUSE_SECONDS)
            received = os.read(self.read_end, _PIPE_BYTES)
            if not received:
                return
            lines, newline, rest = (rest + received).rpartition(b"\n")
            rest = rest[-_MAX_LINE:]  # the tail of an endless line matches nothing
            if newline:
                _pass_on(lines, real)
                for fault in failures.read(lines):
                    count(fault)
                for _ in range(failures.take_begun()):
                    count(HandshakeFault.FREQUENT)
                if _MARK in lines + newline:
                    settled.set()


def _pass_on(lines: bytes, real: int) -> None:
    for number, fatal in enumerate(_FATAL.finditer(lines)):
        if number < _MAX_FATAL_LINES:
            os.write(real, fatal[0] + b"\n")
