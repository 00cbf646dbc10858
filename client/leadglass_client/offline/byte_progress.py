"""Shows on a terminal how far a long input is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

# What is over sooner needs no bar, and no import of one.
_PATIENCE_SECONDS: Final = 0.5


class ByteProgress:
    """A bar on standard error with bytes, rate and, if the size is known, percent; silent off a terminal."""

    def __init__(self, total_bytes: int | None, *, wanted: bool, no_color: bool) -> None:
        self._total_bytes = total_bytes
        self._wanted = wanted and sys.stderr is not None and sys.stderr.isatty()
        self._no_color = no_color
        self._begin = time.monotonic()
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        """Shows nothing yet."""
        return self

    def reach(self, bytes_done: int) -> None:
        """Moves the bar to so many bytes."""
        if not self._wanted:
            return
        if self._bar is None and time.monotonic() - self._begin > _PATIENCE_SECONDS:
            self._bar = self._start()
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, completed=bytes_done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the bar as it stands, so that the last line says what was done."""
        if self._bar is not None:
            self._bar[0].stop()

    def _start(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            FileSizeColumn,
            Progress,
            TaskProgressColumn,
            TransferSpeedColumn,
        )

        known = (BarColumn(), TaskProgressColumn(), DownloadColumn())
        columns = (*(known if self._total_bytes is not None else (FileSizeColumn(),)), TransferSpeedColumn())
        progress = Progress(*columns, console=Console(stderr=True, no_color=self._no_color or None))
        task = progress.add_task("", total=self._total_bytes)
        progress.start()
        return progress, task
