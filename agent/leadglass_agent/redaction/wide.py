"""Finds UTF-16 text among bytes, and makes one byte of each of its units so that the rules can read it."""

from __future__ import annotations

import re
from typing import Final, final

from leadglass_agent.redaction.spans import Span

LITTLE: Final = 1
BIG: Final = 2
_BOMS: Final = {b"\xff\xfe": LITTLE, b"\xfe\xff": BIG}
# Sixteen units of ASCII begin an island; other scripts may stand within it, a few units at a time.
_ISLANDS: Final = re.compile(
    rb"(?P<le>(?:[\t\r\n\x20-\x7e]\x00){16,}+(?:(?:[\x80-\xff]\x00|[\x01-\xff][\x01-\xff]){1,16}(?:[\t\r\n\x20-\x7e]\x00)++)*+)"
    rb"|(?P<be>(?:\x00[\t\r\n\x20-\x7e]){16,}+(?:(?:\x00[\x80-\xff]|[\x01-\xff][\x01-\xff]){1,16}(?:\x00[\t\r\n\x20-\x7e])++)*+)",
    re.DOTALL,
)
# Stands for a unit beyond ASCII: a byte that the rules take for a letter.
_OTHER: Final = 0xBF
_SAMPLE: Final = 64


@final
class Island:
    """Bytes start to end of a text that are UTF-16, and their order."""

    __slots__ = ("end", "order", "start")

    def __init__(self, start: int, end: int, order: int) -> None:
        self.start = start
        self.end = end
        self.order = order


def order_of(beginning: bytes) -> int:
    """Gives the byte order that the mark at the beginning of a text names, or 0."""
    return 0 if beginning.startswith(b"\xff\xfe\0\0") else _BOMS.get(beginning[:2], 0)


def islands(data: bytes) -> list[Island]:
    """Finds the islands of UTF-16 in other text."""
    return [_island(data, found) for found in _ISLANDS.finditer(data)]


def _island(data: bytes, found: re.Match[bytes]) -> Island:
    start, end = found.span()
    if found["le"] is not None:
        return Island(start, end, LITTLE)
    # Behind a letter and before a NUL, these are the halves of two units each.
    is_shifted = start > 0 and data[start - 1] != 0 and data.startswith(b"\0", end)
    return Island(start + 1, end + 1, LITTLE) if is_shifted else Island(start, end, BIG)


def narrowed(data: bytes, island: Island) -> bytes:
    """Gives one byte for each unit of an island."""
    low = data[island.start : island.end : 2]
    high = data[island.start + 1 : island.end : 2]
    if island.order == BIG:
        low, high = high, low
    if not high.strip(b"\0") and low.isascii():
        return low
    return bytes([letter if upper == 0 and letter < 0x80 else _OTHER for letter, upper in zip(low, high)])  # noqa: B905, PLR2004


def narrowed_whole(text: bytes) -> bytes:
    """Gives one byte for each unit of a text that is UTF-16 from its beginning, and any other text as it is."""
    if b"\0" not in text[:_SAMPLE]:
        return text
    order = order_of(text)
    if order == 0:
        found = _ISLANDS.match(text)
        if found is None:
            return text
        order = LITTLE if found["le"] is not None else BIG
    return narrowed(text, Island(0, len(text) // 2 * 2, order))


def widened(span: Span, island: Island) -> Span:
    """Moves a span of an island's narrowed text to the island's bytes."""
    return Span(island.start + 2 * span.start, island.start + 2 * span.end, span.rank, span.rule_id)


def written(token: bytes, order: int) -> bytes:
    """Writes a token in UTF-16."""
    return token.decode("ascii").encode("utf-16-le" if order == LITTLE else "utf-16-be")
