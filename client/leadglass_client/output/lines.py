"""Writes lines of a target's text to standard output as they come, printable whatever they hold."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from leadglass_client.errors import OutputLostError, ReaderGoneError
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


class LineOutput:
    """Standard output for a text that may have no end."""

    def __init__(self) -> None:
        """Raises OutputLostError if the program was started without standard output."""
        if sys.stdout is None:
            what = "there is no standard output"
            raise OutputLostError(what)
        self._stream: TextIO = sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        self.is_terminal = self._stream.isatty()

    def write(self, lines: Iterable[str]) -> None:
        """Writes lines at once; raises ReaderGoneError if nobody reads any more."""
        try:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError from error


def printable_line(text: str) -> str:
    """Returns text as `printable` does, with its tabs."""
    return "\t".join(printable(column) for column in text.split("\t"))
