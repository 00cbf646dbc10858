"""Reads bytes of one open text file by position, and finds where its lines begin and end, within bounds."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from typing import Final

BLOCK_BYTES: Final = 64 * 1024
_PROBE_BYTES: Final = 8 * 1024  # what git and grep look at, too

# First bytes of formats that may hold no NUL for a while: archives, images, key stores, object files.
_MAGIC: Final = (
    b"\x1f\x8b",  # gzip, RFC 1952
    b"\x28\xb5\x2f\xfd",  # Zstandard, RFC 8878
    b"\xfd7zXZ",
    b"BZh",
    b"PK\x03\x04",
    b"%PDF-",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",  # Java class
    b"\xfe\xed\xfe\xed",  # Java key store
    b"\x30\x82",  # DER, as PKCS #12 and certificates are
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"SQLite format 3",
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How characters lie in the file: bytes of one, and the newline; text that is not UTF-16 is taken as it is."""

    codec: str
    unit: int
    newline: bytes
    mark: bytes = b""


PLAIN: Final = Encoding("", 1, b"\n")
_UTF_16: Final = (
    Encoding("utf-16-le", 2, b"\n\0", codecs.BOM_UTF16_LE),
    Encoding("utf-16-be", 2, b"\0\n", codecs.BOM_UTF16_BE),
)


@dataclass(frozen=True, slots=True)
class TextSource:
    """An open regular file; it owns no descriptor."""

    fd: int
    encoding: Encoding

    def read(self, position: int, length: int) -> bytes:
        """Reads up to `length` bytes; fewer only at the end of the file."""
        pieces = bytearray()
        while len(pieces) < length and (piece := os.pread(self.fd, length - len(pieces), position + len(pieces))):
            pieces += piece
        return bytes(pieces)

    def is_binary_at(self, position: int) -> bool:
        """Says whether what stands at a position is no text, in a file that begins like one."""
        return self.encoding.unit == 1 and b"\0" in self.read(position, _PROBE_BYTES)

    def line_start(self, position: int, floor: int) -> int | None:
        """Finds where the line begins that `position` lies in; None if it begins before `floor`."""
        if position == 0:
            return 0
        return self.tail_start(position, 0, floor)

    def tail_start(self, end: int, lines: int, floor: int) -> int | None:
        """Finds where the line begins that has `lines` newlines between its start and `end`.

        None if fewer begin before `floor`; what is read is bounded by `end - floor`.
        """
        left, position = lines, end
        while position > floor:
            size = min(BLOCK_BYTES, position - floor)
            block = self.read(position - size, size)
            count = self._count(block)
            if count > left:
                at = self._from_right(block, left)
                return position - size + at + self.encoding.unit
            left -= count
            position -= size
        return 0 if position == 0 else None

    def line_end(self, position: int, ceiling: int) -> int | None:
        """Finds the first byte behind the line that `position` lies in; None if it ends behind `ceiling`."""
        while position < ceiling:
            block = self.read(position, min(BLOCK_BYTES, ceiling - position))
            at = self.first_newline(block)
            if at >= 0:
                return position + at + self.encoding.unit
            if not block:
                return None
            position += len(block)
        return None

    def last_newline(self, block: bytes, end: int | None = None) -> int:
        """Finds the last newline before `end` in a block that begins with a whole character; -1 if there is none."""
        newline, unit = self.encoding.newline, self.encoding.unit
        at = block.rfind(newline, 0, end)
        while at >= 0 and at % unit:
            at = block.rfind(newline, 0, at + unit - 1)
        return at

    def first_newline(self, block: bytes, start: int = 0) -> int:
        """Finds the first newline from `start` on in such a block; -1 if there is none."""
        at = block.find(self.encoding.newline, start)
        while at >= 0 and at % self.encoding.unit:
            at = block.find(self.encoding.newline, at + 1)
        return at

    def is_line_start(self, position: int) -> bool:
        """Says whether a line begins at this position."""
        unit = self.encoding.unit
        return position == 0 or self.read(position - unit, unit) == self.encoding.newline

    def _count(self, block: bytes) -> int:
        if self.encoding.unit == 1:
            return block.count(b"\n")
        count = 0
        at = self.first_newline(block)
        while at >= 0:
            count += 1
            at = self.first_newline(block, at + 2)
        return count

    def _from_right(self, block: bytes, number: int) -> int:
        """Gives the place of the newline that has `number` others behind it in the block."""
        at = self.last_newline(block)
        for _ in range(number):
            at = self.last_newline(block, at)
        return at


def probe(fd: int) -> TextSource | None:
    """Looks at the file's beginning for how its text is encoded; None if it is none."""
    head = TextSource(fd, PLAIN).read(0, _PROBE_BYTES)
    for encoding in _UTF_16:
        # The mark of UTF-32 begins like one of UTF-16.
        if head.startswith(encoding.mark) and not head.startswith(codecs.BOM_UTF32_LE):
            return TextSource(fd, encoding)
    return None if head.startswith(_MAGIC) or b"\0" in head else TextSource(fd, PLAIN)
