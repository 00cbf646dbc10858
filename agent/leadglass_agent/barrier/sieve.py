"""Finds the few places of a text where a fingerprinted piece may end: byte loops that a compiler makes fast.

The bits are two Bloom filters over keyed hashes of eight bytes, which pass one harmless place in a thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads the annotations; nothing of it is there at run time

GRAM: Final = 8


def ends(text: bytes, first: bytes, second: bytes, keys: tuple[int, int, int, int]) -> list[int]:
    """Gives the ends of all grams of the text that both filters know; each filter has a power of two of bits."""
    found: list[int] = []
    key_1: i64 = keys[0]
    key_2: i64 = keys[1]
    key_3: i64 = keys[2]
    key_4: i64 = keys[3]
    mask: i64 = len(first) * 8 - 1
    size: i64 = len(text)
    high: i64 = 0
    low: i64 = 0
    at: i64 = 0
    while at < size:
        high = ((high << 8) | (low >> 24)) & 0xFFFFFFFF
        low = ((low << 8) | text[at]) & 0xFFFFFFFF
        at += 1
        bit: i64 = ((high * key_1 + low * key_2) >> 31) & mask
        if first[bit >> 3] & (1 << (bit & 7)):
            bit = ((high * key_3 + low * key_4) >> 31) & mask
            if second[bit >> 3] & (1 << (bit & 7)) and at >= GRAM:
                found.append(at)
    return found


def bits_of(gram: bytes, mask: int, keys: tuple[int, int, int, int]) -> tuple[int, int]:
    """Gives the bit of a gram in each filter."""
    high, low = int.from_bytes(gram[:4], "big"), int.from_bytes(gram[4:], "big")
    return ((high * keys[0] + low * keys[1]) >> 31) & mask, ((high * keys[2] + low * keys[3]) >> 31) & mask
