"""Finds the end of a secret that is longer than what the rules span at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.tables import BLANK
from leadglass_agent.redaction.wide import LITTLE

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId

# How a long secret ends; which one it is follows from what stands before it and in it.
_QUOTED: Final = 0  # at its quote, or the end of the line
_TRIPLE: Final = 1  # at its three quotes
_KEY: Final = 2  # behind the END mark, or where the body of a private key stops
_ELEMENT: Final = 3  # at the next tag
_BLOCK: Final = 4  # before a line that is empty or indented less
_LINE: Final = 5  # at the end of the line
_RUN: Final = 6  # at a blank, a quote or an angle bracket
_ENCODED: Final = 7  # where the alphabet of base64 stops
_WIDE_LITTLE: Final = 8  # in UTF-16, at a quote, an angle bracket or the end of the line
_WIDE_BIG: Final = 9

# What is read again where a text goes on: an END mark or a row of backslashes may be cut.
LOOKBEHIND: Final = 64
_BEGIN: Final = b"-----BEGIN "
_SAMPLE: Final = 65_536
_KEY_BODY: Final = re.compile(rb"[A-Za-z0-9+/=\s\\:,.\"'-]*+")
_KEY_END: Final = re.compile(rb"-----END [A-Za-z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.IGNORECASE)
_STOPS: Final = {
    0x22: re.compile(rb"[\"\r\n\0]"),
    0x27: re.compile(rb"['\r\n\0]"),
    0x60: re.compile(rb"[`\r\n\0]"),
}
_RUN_END: Final = re.compile(rb"[\s\0\"'`<>]")
_LINE_END: Final = re.compile(rb"[\r\n\0]")
_TAG: Final = re.compile(rb"[<\0]")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=_\s\\-]")
_PATTERNS: Final = {
    _ELEMENT: _TAG,
    _LINE: _LINE_END,
    _RUN: _RUN_END,
    _ENCODED: _NOT_BASE64,
    _WIDE_LITTLE: re.compile(rb"[\r\n\"'`<>]\0"),
    _WIDE_BIG: re.compile(rb"\0[\r\n\"'`<>]"),
}
_INDENT: Final = re.compile(rb"[ \t]*+")
_BACKSLASH: Final = 0x5C
_GREATER: Final = 0x3E
_NEWLINE: Final = 0x0A


@final
class Ending:
    """How one long secret ends: its kind, the quote around it, the backslashes before that quote, the indentation."""

    __slots__ = ("_depth", "_indent", "_kind", "_quote")

    def __init__(self, kind: int, quote: int = 0, depth: int = 0, indent: int = 0) -> None:
        self._kind = kind
        self._quote = quote
        self._depth = depth
        self._indent = indent

    def after(self, data: bytes, position: int) -> tuple[bool, int]:
        """Says whether the end stands at or after `position`, and where; if not, from where to go on with more text."""
        resume = max(position, len(data) - LOOKBEHIND)
        kind = self._kind
        if kind == _QUOTED:
            end = self._closing(data, position)
        elif kind == _TRIPLE:
            end = data.find(bytes((self._quote,)) * 3, position)
        elif kind == _KEY:
            end = _key_end(data, position)
        elif kind == _BLOCK:
            return self._dedent(data, position)
        else:
            pattern = _PATTERNS[kind]
            found = pattern.search(data, position)
            end = -1 if found is None else found.start()
        return (True, end) if end >= 0 else (False, resume)

    def _closing(self, data: bytes, position: int) -> int:
        stops = _STOPS[self._quote]
        found = stops.search(data, position)
        while found is not None:
            end = found.start()
            if data[end] != self._quote:
                return end
            first = end
            while first > 0 and data[first - 1] == _BACKSLASH and end - first < LOOKBEHIND:
                first -= 1
            escapes = end - first
            if escapes <= self._depth or (self._depth == 0 and escapes % 2 == 0):
                return first if self._depth else end
            found = stops.search(data, end + 1)
        return -1

    def _dedent(self, data: bytes, position: int) -> tuple[bool, int]:
        line = data.find(b"\n", position)
        while line >= 0:
            text = _INDENT.match(data, line + 1)
            stop = line + 1 if text is None else text.end()
            if stop >= len(data):
                return False, line
            if data[stop] in b"\r\n" or stop - line - 1 < self._indent:
                return True, line
            following = data.find(b"\n", stop)
            if following < 0:
                return False, max(line + 1, len(data) - 1)
            line = following
        return False, len(data)


def ending_of(data: bytes, start: int, end: int, rule_id: RuleId) -> Ending:
    """Chooses how the secret ends whose first bytes are start to end."""
    if data.startswith(_BEGIN, start):
        return Ending(_KEY)
    if rule_id == "encoded-secret":
        return Ending(_ENCODED)
    before = data[start - 1] if start > 0 else 0
    if before in _STOPS:
        return _quote_ending(data, start, before)
    if before == _GREATER:
        return Ending(_ELEMENT)
    sample = data[start : min(end, start + _SAMPLE)]
    if b"\n" in sample:
        line = start
        while line > 0 and BLANK[data[line - 1]]:
            line -= 1
        return Ending(_BLOCK, indent=start - line if line == 0 or data[line - 1] == _NEWLINE else 0)
    return Ending(_LINE if b" " in sample or b"\t" in sample else _RUN)


def _quote_ending(data: bytes, start: int, quote: int) -> Ending:
    if data.endswith(bytes((quote,)) * 3, 0, start):
        return Ending(_TRIPLE, quote)
    first = start - 1
    while first > 0 and data[first - 1] == _BACKSLASH and start - first < LOOKBEHIND:
        first -= 1
    return Ending(_QUOTED, quote, start - 1 - first)


def wide_ending(order: int) -> Ending:
    """Gives how a secret in UTF-16 ends."""
    return Ending(_WIDE_LITTLE if order == LITTLE else _WIDE_BIG)


def _key_end(data: bytes, position: int) -> int:
    mark = _KEY_END.search(data, position)
    body = _KEY_BODY.match(data, position)
    stop = position if body is None else body.end()
    if mark is not None and mark.start() <= stop:
        return mark.end()
    return stop if stop < len(data) else -1
