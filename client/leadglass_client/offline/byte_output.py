"""Writes bytes to standard output as they are, or escaped where a terminal would obey them."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

from leadglass_client.errors import ReaderGoneError
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from typing import TextIO


class ByteOutput:
    """Standard output, and the count of what went there."""

    def __init__(self, stream: TextIO) -> None:
        self.bytes_written = 0
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def write(self, data: bytes) -> None:
        """Writes the bytes at once, so that whoever follows a pipe sees them."""
        if data:
            self._write(data, last=False)

    def end(self) -> None:
        """Writes what is left of a character that was cut off."""
        if self.is_terminal:
            self._write(b"", last=True)

    def _write(self, data: bytes, *, last: bool) -> None:
        try:
            if self.is_terminal:
                self._stream.write(_shown(self._decoder.decode(data, final=last)))
                self._stream.flush()
            else:
                self._stream.buffer.write(data)
                self._stream.buffer.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        self.bytes_written += len(data)


def _shown(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(printable(cell) for cell in line.split("\t")) for line in lines)
