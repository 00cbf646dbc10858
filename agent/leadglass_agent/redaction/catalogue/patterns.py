"""The small pattern language of the catalogue: sequences of byte classes, from which no slow matcher can be written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# One class, one escaped or plain character; then how often.
_ITEM: Final = re.compile(r"(\[(?:\\.|[^\]\\])+\]|\\.|[^\[\]{}()|*+?^$\\])(?:\{(\d{1,5})(?:,(\d{1,5}))?\})?")


class PatternError(Exception):
    """A pattern is not of the language; the message quotes the pattern."""


def parse(pattern: str) -> tuple[tuple[bytes, int, int], ...]:
    """Reads a sequence of items: a table of 256, least and most repetitions; raises PatternError."""
    items: list[tuple[bytes, int, int]] = []
    position = 0
    while position < len(pattern):
        match = _ITEM.match(pattern, position)
        if match is None:
            message = f"{pattern!r} is not a sequence of classes"
            raise PatternError(message)
        least = 1 if match[2] is None else int(match[2])
        most = least if match[3] is None else int(match[3])
        if most < least or most == 0:
            message = f"{pattern!r} repeats an item from {least} to {most} times"
            raise PatternError(message)
        items.append((_members(match[1]), least, most))
        position = match.end()
    return tuple(items)


@lru_cache(maxsize=256)
def _members(item: str) -> bytes:
    try:
        member = re.compile(item.encode("ascii"), re.DOTALL)
    except (re.error, UnicodeEncodeError) as error:
        message = f"{item!r} is not a class of bytes"
        raise PatternError(message) from error
    return bytes(member.fullmatch(bytes((byte,))) is not None for byte in range(256))
