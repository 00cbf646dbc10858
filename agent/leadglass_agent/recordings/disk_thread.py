"""Runs work for a disk on one thread, in its order; a disk that never answers keeps neither the caller nor the exit."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


class DiskThread:
    """One thread, begun with the first work; the process does not wait for it when it ends."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def submit(self, work: Callable[[], _Result]) -> Future[_Result]:
        """Has work done behind all that was submitted before; one that is cancelled before it starts never does."""
        if self._thread.ident is None:
            self._thread.start()
        future: Future[_Result] = Future()
        self._queue.put(lambda: _do(work, future))
        return future

    def close(self, seconds: float) -> bool:
        """Waits so long for all that was submitted, and says whether it is done."""
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
            del work  # what waits is bounded by who submits it, and nothing is kept beyond that


def _do(work: Callable[[], _Result], future: Future[_Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it is whoever waits for the future that it is raised to
        future.set_exception(error)
    else:
        future.set_result(result)
