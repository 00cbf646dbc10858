r"""Folds text to the one form in which it is compared: escapes undone, case and alphabets folded, separators dropped.

Values and replies are folded alike, so that one fingerprint covers many spellings. Hex in either case, both base64
alphabets, quotes, line breaks, colons between octets and the zero bytes of UTF-16 fall away in `folded`; JSON, C,
shell, percent and HTML escapes in `unescaped`. A reply is searched in both forms: undoing an escape that is none
would else hide what stands right behind it.
"""

from __future__ import annotations

import re
import string
from typing import Final

_DROPPED: Final = b"\\'\" \t\n\r\v\f\0:"
_FOLD: Final = bytes.maketrans(
    string.ascii_uppercase.encode() + b"-_",
    string.ascii_lowercase.encode() + b"+/",
)
# Backslashes are taken in rows, as escapes of escapes write them: one that stayed would join what is undone behind it.
# No repetition without a bound, so that hostile text costs no more than harmless text.
_ESCAPE: Final = re.compile(
    rb"\\{1,8}u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\{1,8}u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\{1,8}(?:[xX](?P<octet>[0-9a-fA-F]{2})|u(?P<unit>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    rb"|U(?P<point>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2})|(?P<control>[0abefnrtv]))"
    rb"|%(?P<percent>[0-9a-fA-F]{2})"
    rb"|&(?:\#(?P<decimal>[0-9]{1,7})|\#[xX](?P<hexadecimal>[0-9a-fA-F]{1,6})|(?P<entity>amp|lt|gt|quot|apos));"
)
_ENTITIES: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
# Groups that tell an octet or a code point, and the base of their digits.
_OCTETS: Final = {"octet": 16, "percent": 16, "octal": 8}
_POINTS: Final = {"unit": 16, "braced": 16, "point": 16, "decimal": 10, "hexadecimal": 16}
_HIGH, _LOW, _ASTRAL = 0xD800, 0xDC00, 0x10000
_LAST_POINT: Final = 0x10FFFF
_MARKS: Final = (b"\\", b"%", b"&")
_AROUND: Final = 256  # a piece has 32 folded bytes; what is dropped between them may be more
_APART: Final = b"\x01"  # is no part of an escape and is not dropped
_MAX_LEVELS: Final = 4  # JSON in JSON in a URL is three


def folded(data: bytes) -> bytes:
    """Folds case and alphabets and drops separators, in two passes of C speed."""
    return data.translate(_FOLD, _DROPPED)


def unescaped(data: bytes) -> bytes | None:
    """Undoes escapes down to four levels, then folds; None if there is no escape in the data."""
    text, count = _ESCAPE.subn(_meaning, data)
    if not count:
        return None
    for _ in range(_MAX_LEVELS - 1):
        text, count = _ESCAPE.subn(_meaning, text)
        if not count:
            break
    return folded(text)


def unescaped_around(data: bytes) -> bytes | None:
    """Gives what `unescaped` makes of the surroundings of each escape, since the rest is searched as it is."""
    parts: list[bytes] = []
    start = end = undone = 0
    for place in _marks(data):
        escape = _ESCAPE.match(data, place) if place >= undone else None
        if escape is None:
            continue
        undone = escape.end()
        if place - _AROUND > end:
            parts.append(data[start:end])
            start = place - _AROUND
        end = undone + _AROUND
    if not end:
        return None
    parts.append(data[start:end])
    return unescaped(_APART.join(parts))


def _marks(data: bytes) -> list[int]:
    """Finds what may begin an escape; many times faster than the expression where there are few."""
    places: list[int] = []
    for mark in _MARKS:
        place = data.find(mark)
        while place >= 0:
            places.append(place)
            place = data.find(mark, place + 1)
    return sorted(places)


def _meaning(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastgroup or ""
    if kind == "low":
        return _utf8(_ASTRAL + ((int(escape["high"], 16) - _HIGH) << 10) + int(escape["low"], 16) - _LOW)
    digits = escape[kind]
    if kind in _OCTETS:
        return bytes((int(digits, _OCTETS[kind]),))
    if kind in _POINTS:
        return _utf8(int(digits, _POINTS[kind]))
    # Of the control characters every one is dropped, or nothing that a reply shows.
    return _ENTITIES.get(digits, b"")


def _utf8(point: int) -> bytes:
    return chr(point).encode("utf-8", "surrogatepass") if point <= _LAST_POINT else b""
