"""Reads pairs whose separators or quotes are escaped: `password%3Dx`, `%22password%22%3A%22x%22`, `\u0022…\u0022`."""

from __future__ import annotations

import re
from typing import Final

_PERCENT_SIGN: Final = 0x25
# A percent sign may itself be encoded, once or twice.
_PERCENT: Final = rb"%(?:25){0,2}"
_PERCENT_LINK: Final = re.compile(
    rb"(?:"
    + _PERCENT
    + rb"(?:22|27|5[BbDd]|20)|\+){0,4}"
    + rb"(?:=|"
    + _PERCENT
    + rb"3[DdAa])(?:"
    + _PERCENT
    + rb"(?:22|27|20)|\+){0,3}|%="
)
_PERCENT_END: Final = re.compile(_PERCENT + rb"(?:26|22|27|3[Bb]|2[Cc]|7[Dd]|0[AaDd]|20)|[\s\0\"'`<>&;#]")
# JSON for browsers writes quotes as \u0022; inside another string the backslashes double.
_QUOTE: Final = rb"\\{1,4}(?:u002[27]|x2[27])"
_QUOTED_LINK: Final = re.compile(_QUOTE + rb"[ \t]{0,8}[:=][ \t]{0,8}" + _QUOTE)
_QUOTED_END: Final = re.compile(_QUOTE + rb"|[\r\n\0\"]")


def linked_value(data: bytes, position: int, limit: int) -> tuple[int, int]:
    """Finds the value behind a name that ends at `position`, where an escape stands; a start below 0 is none."""
    return (_percent_value if data[position] == _PERCENT_SIGN else _quoted_value)(data, position, limit)


def _percent_value(data: bytes, position: int, limit: int) -> tuple[int, int]:
    link = _PERCENT_LINK.match(data, position, min(limit, position + 64))
    return (-1, -1) if link is None else _until(data, link.end(), limit, _PERCENT_END)


def _quoted_value(data: bytes, position: int, limit: int) -> tuple[int, int]:
    link = _QUOTED_LINK.match(data, position, min(limit, position + 64))
    return (-1, -1) if link is None else _until(data, link.end(), limit, _QUOTED_END)


def _until(data: bytes, start: int, limit: int, end: re.Pattern[bytes]) -> tuple[int, int]:
    found = end.search(data, start, limit)
    stop = limit if found is None else found.start()
    return (start, stop) if stop > start else (-1, -1)
