"""Clean bytes as text that no terminal, log or page can be fooled with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from leadglass_agent.redaction.mask import part

if TYPE_CHECKING:
    from leadglass_agent.redaction.mask import Clean

# Printable by their category, yet drawn as nothing: the default-ignorable code points of Unicode's
# DerivedCoreProperties.txt that str.isprintable() lets pass, and the blank braille cell.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# surrogateescape puts a byte that is not UTF-8 there; strict UTF-8 never yields these code points.
_FIRST_STRAY_BYTE: Final = 0xDC80
_LAST_STRAY_BYTE: Final = 0xDCFF
_LAST_FOUR_DIGIT_CODE_POINT: Final = 0xFFFF
_MAX_UTF8_BYTES: Final = 4


class Visible(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Printable text; truncated when a bound cut it."""

    text: str
    truncated: bool


# Stands where a text could not be looked through: one that the engine fails on must not hide what is beside it.
UNREADABLE: Final = Visible("[redacted:unreadable]", truncated=True)


def visible(clean: Clean, max_characters: int) -> Visible:
    r"""Escapes what is not plainly visible, then cuts to `max_characters` without splitting an escape.

    A byte that is not UTF-8 becomes \xNN, an invisible, control, bidi or separator character \uNNNN or \UNNNNNNNN, a
    backslash \\; so different bytes give different text.
    """
    # Each character of the input gives at least one of the output: what lies further back cannot be seen.
    head = clean.data[: (max_characters + 1) * _MAX_UTF8_BYTES]
    text = head.decode("utf-8", "surrogateescape")
    if _is_plain(text):
        return Visible(text[:max_characters], len(text) > max_characters)
    pieces: list[str] = []
    room = max_characters
    for character in text:
        piece = character if _is_plain(character) else _escaped(character)
        room -= len(piece)
        if room < 0:
            return Visible("".join(pieces), truncated=True)
        pieces.append(piece)
    return Visible("".join(pieces), truncated=False)


def visible_line(clean: Clean, max_characters: int) -> Visible:
    """Escapes one line of a text as `visible` does, but keeps its tabs, which only move the cursor to the right."""
    if b"\t" not in clean.data:
        return visible(clean, max_characters)
    pieces: list[str] = []
    room = max_characters
    start = 0
    while True:
        tab = clean.data.find(b"\t", start)
        shown = visible(part(clean, start, None if tab < 0 else tab), room)
        pieces.append(shown.text)
        room -= len(shown.text) + 1
        if tab < 0 or shown.truncated or room < 0:
            return Visible("\t".join(pieces), truncated=shown.truncated or tab >= 0)
        start = tab + 1


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\\" not in text and (text.isascii() or _INVISIBLE.search(text) is None)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    point = ord(character)
    if _FIRST_STRAY_BYTE <= point <= _LAST_STRAY_BYTE:
        return f"\\x{point - 0xDC00:02x}"
    if point <= _LAST_FOUR_DIGIT_CODE_POINT:
        return f"\\u{point:04x}"
    return f"\\U{point:08x}"
