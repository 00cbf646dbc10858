"""Finds where the value after a key begins, and where it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# A longer value is cut here and what follows goes on as text of its own; PEM bodies have their own rule.
_MAX_VALUE: Final = 65_536
_MAX_INDENT_LINES: Final = 256
_LINE_LOOKBACK: Final = 48

_SPACES: Final = re.compile(rb"[ \t]{0,64}")
_QUOTE: Final = re.compile(rb"(?:[bBrRuU]{1,2}|[@$])?(\\{0,7}(?:\"\"\"|'''|[\"'`]))")
_QUOTED: Final = {
    b'"': re.compile(rb'[^"\\\r\n\0]*+(?:\\[^\r\n\0][^"\\\r\n\0]*+)*+'),
    b"'": re.compile(rb"[^'\\\r\n\0]*+(?:\\[^\r\n\0][^'\\\r\n\0]*+)*+"),
    b"`": re.compile(rb"[^`\\\r\n\0]*+(?:\\[^\r\n\0][^`\\\r\n\0]*+)*+"),
}
_LINE: Final = re.compile(rb"[^\r\n\0]*+")
_RUN: Final = re.compile(rb"[^\s\"'`<>\0]*+")
_QUERY: Final = re.compile(rb"[^\s\"'`<>&;#\0]*+")
_CONNECTION: Final = re.compile(rb"[^;\r\n\"'\0]*+")
_BLOCK: Final = re.compile(rb"[|>][0-9+-]{0,2}[ \t]{0,8}(?=\r?\n|\Z)")
_INDENTED_LINE: Final = re.compile(rb"\r?\n(?:[ \t]+[^\r\n\0]*+)?")
_ELEMENT: Final = re.compile(rb"[^<\0]*+")
_PREFIX: Final = re.compile(
    rb"[\s\"'`#;-]*(?:(?:export|set|setx|env|ENV|ARG|declare -x|local|const|let|var|readonly)[ \t]+)?[\"']?"
)
# The next pair of a line of pairs: a=b c=d, a=b, c=d, a=b&c=d.
_NEXT_PAIR: Final = re.compile(rb"[\s,;&|][\s\"']{0,2}[A-Za-z_][A-Za-z0-9_.-]{0,40}[\"']?[ \t]?(?:=|:(?!//))")
_COMMENT: Final = re.compile(rb"[ \t][#;](?:[ \t]|$)|[ \t]//[ \t]")
_MAX_CLOSERS: Final = 8
_OPENERS: Final = {b")": b"(", b"}": b"{", b"]": b"["}
_SCHEME_HASH: Final = re.compile(rb"\{[A-Za-z0-9-]{1,16}\}[^\s{}]")


@dataclass(frozen=True, slots=True)
class Key:
    """Where a key stands: its bytes, the quote around key and value together (or nothing), and its separator."""

    start: int
    separator: bytes
    enclosing_quote: bytes


@dataclass(frozen=True, slots=True)
class Value:
    """One value: bytes start to end, and whether quotes of its own delimit it."""

    start: int
    end: int
    quoted: bool


def find_value(data: bytes, position: int, key: Key) -> Value | None:
    """Finds the value that begins at or after `position`, just behind the key's separator; None if there is none."""
    if key.separator == b">":
        end = _limit(_ELEMENT, data, position)
        return _nonempty(data, position, end) if data.startswith(b"</", end) else None
    position = _limit(_SPACES, data, position)
    quote = _QUOTE.match(data, position)
    if quote is not None and quote[1] != key.enclosing_quote:
        return _quoted(data, quote.end(), quote[1])
    first = data[position : position + 1]
    if first == b"[" and not data.startswith(b"[redacted:", position):
        end = data.find(b"]", position, position + _MAX_VALUE)
        return Value(position, end + 1, quoted=True) if end > 0 and b"\n" not in data[position:end] else None
    if first == b"{" and _SCHEME_HASH.match(data, position) is None and not data.startswith((b"{{", b"{}"), position):
        return None
    block = _BLOCK.match(data, position)
    if block is not None:
        return _block(data, block.end(), key)
    return _unquoted(data, position, key)


def header_value(data: bytes, position: int, key: Key) -> Value | None:
    """Finds a header's whole value: up to its own or the enclosing quote, else to the end of the line."""
    position = _limit(_SPACES, data, position)
    quote = _QUOTE.match(data, position)
    if quote is not None and quote[1] != key.enclosing_quote:
        return _quoted(data, quote.end(), quote[1])
    return _nonempty(data, position, _line_end(data, position, key))


def begins_line(data: bytes, start: int) -> bool:
    """Says whether nothing but indentation, an export or a list mark stands before `start` on its line."""
    window = data[max(0, start - _LINE_LOOKBACK) : start]
    line = max(window.rfind(b"\n"), window.rfind(b"\r"), window.rfind(b"\0"))
    if line < 0 and start > _LINE_LOOKBACK:
        return False
    return _PREFIX.fullmatch(window, line + 1) is not None


def _quoted(data: bytes, start: int, quote: bytes) -> Value | None:
    pattern = _QUOTED.get(quote)
    if pattern is not None:
        return _nonempty(data, start, _limit(pattern, data, start), quoted=True)
    end = data.find(quote, start, start + _MAX_VALUE)
    if end < 0 or (len(quote) < len(b'"""') and b"\n" in data[start:end]):
        end = _limit(_LINE, data, start)
    return _nonempty(data, start, end, quoted=True)


def _block(data: bytes, position: int, key: Key) -> Value | None:
    line_start = max(data.rfind(b"\n", 0, key.start), data.rfind(b"\0", 0, key.start)) + 1
    indent = key.start - line_start
    end = position
    for _ in range(_MAX_INDENT_LINES):
        line = _INDENTED_LINE.match(data, end, position + _MAX_VALUE)
        if line is None or line.end() == end:
            break
        text = line[0].strip(b"\r\n")
        if text.strip() and len(text) - len(text.lstrip(b" \t")) <= indent:
            break
        if not text.strip() and not data[line.end() : line.end() + 1]:
            break
        end = line.end()
    start = position + len(data[position:end]) - len(data[position:end].lstrip())
    return _nonempty(data, start, end)


def _unquoted(data: bytes, position: int, key: Key) -> Value | None:
    if key.enclosing_quote:
        return _nonempty(data, position, _cut(data, position, _line_end(data, position, key)))
    before = data[key.start - 1 : key.start]
    if before in {b"?", b"&"}:
        return _nonempty(data, position, _limit(_QUERY, data, position))
    if before == b";" or data[max(0, key.start - 2) : key.start] == b"; ":
        return _nonempty(data, position, _limit(_CONNECTION, data, position))
    if begins_line(data, key.start):
        return _nonempty(data, position, _cut(data, position, _line_end(data, position, key)))
    return _nonempty(data, position, _cut(data, position, _limit(_RUN, data, position)))


def _line_end(data: bytes, position: int, key: Key) -> int:
    end = _limit(_LINE, data, position)
    if key.enclosing_quote:
        closing = data.find(key.enclosing_quote, position, end)
        return end if closing < 0 else closing
    return end


def _cut(data: bytes, start: int, end: int) -> int:
    pair = _NEXT_PAIR.search(data, start + 1, end)
    if pair is not None:
        end = pair.start()
    comment = _COMMENT.search(data, start + 1, end)
    if comment is not None:
        end = comment.start()
    text = data[start:end].rstrip(b",; \t")
    for _ in range(_MAX_CLOSERS):
        opener = _OPENERS.get(text[-1:])
        if opener is None or text.count(opener) >= text.count(text[-1:]):
            break
        text = text[:-1].rstrip(b",; \t")
    return start + len(text)


def _nonempty(data: bytes, start: int, end: int, *, quoted: bool = False) -> Value | None:
    if not quoted:
        end = start + len(data[start:end].rstrip())
    return Value(start, end, quoted) if end > start else None


def _limit(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position, position + _MAX_VALUE)
    return position if match is None else match.end()
