"""Keeps grams as bits of two Bloom filters, which the compiled loop of `sieve` looks up."""

from __future__ import annotations

from typing import Final

from leadglass_agent.barrier import sieve

_MARK_BITS: Final = 32


class BitSieve:
    """Two Bloom filters under keys of their own, for the compiled loop."""

    def __init__(self, bits: int, random: bytes) -> None:
        """Takes a power of two, and 16 random bytes: marks fit where these are the same."""
        self._mask = bits - 1
        self._keys = _keys_of(random)
        self._first, self._second = bytearray(bits // 8), bytearray(bits // 8)
        self._frozen: tuple[bytes, bytes] | None = None

    def mark(self, gram: bytes) -> int:
        """Gives what is kept of a gram of eight bytes: its bit in each filter."""
        one, two = sieve.bits_of(gram, self._mask, self._keys)
        return one << _MARK_BITS | two

    def take(self, mark: int) -> None:
        """Keeps the mark of a gram."""
        one, two = mark >> _MARK_BITS, mark & ((1 << _MARK_BITS) - 1)
        self._first[one >> 3] |= 1 << (one & 7)
        self._second[two >> 3] |= 1 << (two & 7)
        self._frozen = None

    def ends(self, text: bytes) -> list[int]:
        """Gives the ends of all grams of the text that may be known."""
        if self._frozen is None:
            self._frozen = bytes(self._first), bytes(self._second)
        return sieve.ends(text, *self._frozen, self._keys)


def _keys_of(random: bytes) -> tuple[int, int, int, int]:
    """Makes four odd multipliers of 30 bits of 16 random bytes: the loop's sums stay below 2**63."""
    first, second, third, fourth = (int.from_bytes(random[at : at + 4], "big") >> 2 | 1 for at in range(0, 16, 4))
    return first, second, third, fourth
