"""Escapes and caps text that callers and kernels chose, so that a reader of the log cannot be fooled by it."""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")

# Printable for Unicode, invisible on a screen (Default_Ignorable_Code_Point and the blank fillers):
# two names that look alike would hide behind them.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)

_SURROGATE_ESCAPED: Final = range(0xDC80, 0xDD00)  # bytes that were no UTF-8, as PEP 383 carries them in str
_ASCII_END: Final = 0x7F
_BMP_END: Final = 0xFFFF


def shown(text: str, max_bytes: int) -> tuple[str, bool]:
    r"""Returns the text escaped and cut to `max_bytes` of ASCII JSON, and whether anything was cut.

    Controls become \xNN, other invisible characters \uNNNN or \UNNNNNNNN, undecodable bytes \xNN, a backslash \\;
    an escape is never cut in two.
    """
    if len(text) <= max_bytes and _PLAIN.fullmatch(text):
        return text, False
    pieces: list[str] = []
    left = max_bytes
    for character in text:
        piece = _escaped(character)
        left -= json_bytes(piece)
        if left < 0:
            return "".join(pieces), True
        pieces.append(piece)
    return "".join(pieces), False


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if code in _SURROGATE_ESCAPED:
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and character not in _INVISIBLE:
        return character
    if code <= _ASCII_END:  # a C1 control is \u0085, so that it differs from the undecodable byte \x85
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BMP_END else f"\\U{code:08x}"


def json_bytes(shown_text: str) -> int:
    """Returns how many bytes text that `shown` made takes in ASCII JSON, without its quotes."""
    extra = shown_text.count("\\") + shown_text.count('"')
    if shown_text.isascii():
        return len(shown_text) + extra
    return extra + sum(_ascii_bytes(ord(character)) for character in shown_text)


def _ascii_bytes(code: int) -> int:
    if code <= _ASCII_END:
        return 1
    return 6 if code <= _BMP_END else 12  # \uNNNN, or a pair of them
