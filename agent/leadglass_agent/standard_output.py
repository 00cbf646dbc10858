"""Prints lines on standard output without ever waiting for whoever reads it: a pipe that nobody empties stops no call.

A process writes through one of these, so that documents of several lines do not end up inside one another.
"""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress
from typing import Final

_MAX_WAITING: Final = 256
_CLOSE_SECONDS: Final = 2.0


class StandardOutput:
    """A descriptor of its own, a bounded queue, and the thread that writes; what finds no room is dropped."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = os.dup(descriptor)
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="standard-output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Takes whole lines, or drops them; never waits."""
        with suppress(queue.Full):
            self._waiting.put_nowait(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Does nothing: what was taken is written as soon as it can be."""

    def close(self) -> None:
        """Writes what waits, within two seconds; for once."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            os.close(self._descriptor)

    def _run(self) -> None:
        while (text := self._waiting.get()) is not None:
            with suppress(OSError):  # nobody reads it any more
                while text:
                    text = text[os.write(self._descriptor, text) :]
