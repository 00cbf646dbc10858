"""The spellings of one value that are searched for, folded and cut to the pieces that fingerprints are made of."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.canonical import folded, unescaped

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST: Final = 8  # bytes of a value, and folded bytes of a piece; base64 of eight bytes fixes ten characters
LONGEST: Final = 32  # folded bytes of a piece: any stretch of 63 holds one whole
_VALUE_BYTES: Final = 4096  # the start of a longer value stands for it
_ENCODED_STEP: Final = 256  # an encoded copy leaves as a whole, so that it needs fewer pieces


def pieces(value: bytes) -> frozenset[bytes]:
    """Gives the folded pieces of every spelling of a value, 8 to 32 bytes each; none of a shorter value."""
    value = value[:_VALUE_BYTES]
    found: set[bytes] = set()
    # In UTF-16 plain letters differ from UTF-8 by zero bytes alone, which fall away; others are other bytes.
    wide = b"" if value.isascii() else value.decode("utf-8", "replace").encode("utf-16-le")
    for spelling in (folded(value), unescaped(value), folded(wide)):
        if spelling is not None:
            found.update(_cut(spelling, LONGEST))
    for spelling in _encoded(value):
        found.update(_cut(folded(spelling), _ENCODED_STEP))
    return frozenset(found)


def _encoded(value: bytes) -> Iterator[bytes]:
    """Gives the characters of each encoding that depend on this value alone, whatever stands before and behind it."""
    wide = value.decode("utf-8", "replace").encode("utf-16-le")
    for data in (value, wide):
        yield data.hex().encode()
        for offset in range(3):
            shifted = bytes(offset) + data
            yield base64.b64encode(shifted)[-(-offset * 8 // 6) : len(shifted) * 8 // 6]
    for offset in range(5):
        shifted = bytes(offset) + value
        yield base64.b32encode(shifted)[-(-offset * 8 // 5) : len(shifted) * 8 // 5]


def _cut(spelling: bytes, step: int) -> Iterator[bytes]:
    """Cuts a spelling into pieces at each step, the last of which ends with it."""
    if len(spelling) < SHORTEST:
        return
    last = max(0, len(spelling) - LONGEST)
    for start in (*range(0, last, step), last):
        yield spelling[start : start + LONGEST]
