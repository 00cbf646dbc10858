"""Finds the places where a fingerprinted piece may end, where nothing is compiled: arithmetic on eight shifted copies.

The plain loop of `sieve` takes 400 ns a byte; this takes a fifth of that, since all of it is done in C.
"""

from __future__ import annotations

from typing import Final

from leadglass_agent.barrier.sieve import GRAM

# A gram of 64 bits leaves 30: what is kept cannot be turned back. It is one digit of CPython, by which it divides three
# times as fast as by two.
_BITS: Final = 30
_BLOCK: Final = 64 * 1024  # bounds the list of numbers that exists at a time


class ResidueSieve:
    """Grams as remainders of a random divisor that nobody outside can know."""

    def __init__(self, random: bytes) -> None:
        """Takes 16 random bytes: marks fit where these are the same."""
        # Odd and at random in the upper half: enough for a filter whose every answer is confirmed.
        self._divisor = int.from_bytes(random, "big") >> (8 * len(random) - _BITS) | 1 | 1 << (_BITS - 1)
        self._known: set[int] = set()

    def mark(self, gram: bytes) -> int:
        """Gives what is kept of a gram of eight bytes."""
        return int.from_bytes(gram, "little") % self._divisor

    def take(self, mark: int) -> None:
        """Keeps the mark of a gram."""
        self._known.add(mark)

    def ends(self, text: bytes) -> list[int]:
        """Gives the ends of all grams of the text that may be known, in no order."""
        divisor, known = self._divisor, self._known
        found: list[int] = []
        for block in range(0, len(text), _BLOCK):
            view = memoryview(text)[block : block + _BLOCK + GRAM - 1]
            for shift in range(min(GRAM, len(view))):
                whole = (len(view) - shift) // GRAM * GRAM
                # Little-endian machines alone: Linux on x86-64 and arm64 is where the agent runs.
                numbers = view[shift : shift + whole].cast("Q").tolist()
                # Two passes: the first one runs in C alone, and most blocks hold nothing that is known.
                if not known.isdisjoint(map(divisor.__rmod__, numbers)):
                    found += [
                        block + shift + GRAM * (place + 1)
                        for place, number in enumerate(numbers)
                        if number % divisor in known
                    ]
        return found
