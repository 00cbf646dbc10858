"""What a word holds, and the program that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.argv.programs import PROGRAMS
from leadglass_agent.redaction.tables import UPPER, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.argv.program import Program

# What a word holds, as bits: it is read once, and most words then cost nothing more.
HAS_EQUALS: Final = 1
HAS_AT: Final = 2
HAS_SPACE: Final = 4
HAS_COLON: Final = 8
HAS_SLASH: Final = 16
HAS_DOT: Final = 32
HAS_UPPER: Final = 64
DASH: Final = 0x2D
_MAX_PROGRAM: Final = 64
_PATH_BREAK: Final = table(b"/\\")


def _marks() -> bytes:
    marks = bytearray(256)
    for members, mark in (
        (b"=", HAS_EQUALS),
        (b"@", HAS_AT),
        (b" \t\n", HAS_SPACE),
        (b":", HAS_COLON),
        (b"/\\", HAS_SLASH),
        (b".", HAS_DOT),
        (UPPER, HAS_UPPER),
    ):
        for byte in members:
            marks[byte] = mark
    return bytes(marks)


_MARKS: Final = _marks()


def marks_of(word: bytes) -> int:
    """Says which of the bytes that matter a word holds."""
    marks = 0
    for position in range(len(word)):
        marks |= _MARKS[word[position]]
    return marks


def program_of(word: bytes, seen: int) -> Program | None:
    """Knows the program by the last part of its path, with or without .exe."""
    if seen & HAS_SLASH:
        start = len(word)
        while start > 0 and not _PATH_BREAK[word[start - 1]]:
            start -= 1
        word = word[start:]
    length = len(word)
    if length == 0 or length > _MAX_PROGRAM:
        return None
    known = PROGRAMS.get(word)
    if known is not None or not seen & (HAS_DOT | HAS_UPPER):
        return known
    if word.endswith((b".exe", b".EXE", b".cmd", b".bat")):
        word = word[: length - 4]
    return PROGRAMS.get(word) or PROGRAMS.get(word.lower())
