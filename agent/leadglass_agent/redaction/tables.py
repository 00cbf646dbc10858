"""Byte classes as tables of 256, and the walks over them that every rule shares."""

from __future__ import annotations

from typing import Final, final

DIGITS: Final = b"0123456789"
LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def table(members: bytes) -> bytes:
    """Makes a table: 1 at each member's place, 0 elsewhere."""
    return bytes(1 if byte in members else 0 for byte in range(256))


_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
ALNUM: Final = table(DIGITS + LOWER + UPPER)
DIGIT: Final = table(DIGITS)
HEX: Final = table(b"0123456789abcdefABCDEF")
# What a key's name is made of; names in other scripts are their UTF-8 bytes.
NAME: Final = table(DIGITS + LOWER + UPPER + b"_.-" + _BEYOND_ASCII)
BLANK: Final = table(b" \t")
SPACE: Final = table(b" \t\r\n\x0b\x0c\0")
LINE_END: Final = table(b"\r\n\0")
QUOTE: Final = table(b"\"'`")
BASE64: Final = table(DIGITS + LOWER + UPPER + b"+/=-_")


def run_end(data: bytes, position: int, limit: int, members: bytes) -> int:
    """Walks right over members of the table, to `limit` at most."""
    while position < limit and members[data[position]] != 0:
        position += 1
    return position


def until(data: bytes, position: int, limit: int, stops: bytes) -> int:
    """Walks right to the first member of the table, to `limit` at most."""
    while position < limit and stops[data[position]] == 0:
        position += 1
    return position


def run_start(data: bytes, position: int, limit: int, members: bytes) -> int:
    """Walks left over members of the table, to `limit` at most; gives the place of the leftmost."""
    while position > limit and members[data[position - 1]] != 0:
        position -= 1
    return position


@final
class Walk:
    """Repeated walks to the next member of one table, over one text from left to right: no byte is read twice.

    Without it, a line of a thousand names without values would be read a thousand times to its end.
    """

    __slots__ = ("_from", "_stops", "_to")

    def __init__(self, stops: bytes) -> None:
        self._stops = stops
        self._from = 0
        self._to = 0

    def until(self, data: bytes, position: int, limit: int) -> int:
        """Walks right to the first member, to `limit` at most."""
        if not self._from <= position < self._to:
            self._from = position
            self._to = position
        if self._to < limit:
            self._to = until(data, self._to, limit, self._stops)
        return min(self._to, limit)
