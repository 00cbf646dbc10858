"""Keeps keyed fingerprints of pieces, and finds them in folded text in time that does not grow with their number.

A gram of eight bytes at a piece's end is looked up at every place of the text; where it is known, the whole piece is
compared by a keyed BLAKE2b. Nothing that is kept can be turned back into a piece, and the key is this process' own.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier import sieve
from leadglass_agent.barrier.bits import BitSieve
from leadglass_agent.barrier.forms import LONGEST, SHORTEST
from leadglass_agent.barrier.residues import ResidueSieve
from leadglass_agent.barrier.sieve import GRAM

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_VALUES: Final = 1 << 18
SMALL_PIECES: Final = 1 << 15  # some 1,700 values
MAX_PIECES: Final = 1 << 20  # 16 MiB of numbers
Print = tuple[int, int, int, int]  # a gram's tag, the piece's length and digest, and the gram's mark for the sieve

_VALUE_BITS: Final = 18
_PIECE_BITS: Final = 64 - _VALUE_BITS  # of a digest: by chance one of a million pieces fits in 2**26 comparisons
_LENGTH_BITS: Final = LONGEST - SHORTEST + 1
_TAG_BITS: Final = 64 - _LENGTH_BITS
_SMALL: Final = SMALL_PIECES * 32  # bits of each filter; two of them pass one place in a thousand
_LARGE: Final = 1 << 24
_RECENT: Final = 4096
# Confirmations in one text: a hundred times what the filters pass by chance, and bounded for an app that plants grams.
_LEAST_CONFIRMATIONS: Final = 4096
_BYTES_PER_CONFIRMATION: Final = 8


class TooManyCandidates(Exception):
    """The text is made of grams that are known, so that it cannot be searched in bounded time."""


class Fingerprints:
    """A set of pieces, each of which belongs to a numbered value."""

    def __init__(self, *, large: bool = False, compiled: bool | None = None, key: bytes = b"") -> None:
        """Makes an empty set; with the `key` of another, in another process, its prints fit that one."""
        self.key = key or os.urandom(32)
        self.is_large = large
        if compiled is None:
            compiled = not sieve.__file__.endswith((".py", ".pyc"))
        random = blake2b(self.key, digest_size=16, person=b"sieve").digest()
        self._sieve = BitSieve(_LARGE if large else _SMALL, random) if compiled else ResidueSieve(random)
        # A tag of a gram above a bit for each length of its pieces; a digest of a piece above its value's number.
        self._grams, self._pieces = array("Q"), array("Q")
        self._recent_grams: dict[int, int] = {}
        self._recent_pieces: dict[int, int] = {}

    def __len__(self) -> int:
        """Counts the pieces."""
        return len(self._pieces) + len(self._recent_pieces)

    def __repr__(self) -> str:
        """Says how many pieces there are and nothing of them."""
        return f"Fingerprints({len(self)} pieces)"

    def prints(self, pieces: Iterable[bytes]) -> tuple[Print, ...]:
        """Makes the prints of pieces of 8 to 32 bytes."""
        return tuple(
            (self._tag(piece[-GRAM:]), len(piece), self._digest(piece), self._sieve.mark(piece[-GRAM:]))
            for piece in pieces
        )

    def add(self, prints: Iterable[Print], value: int) -> bool:
        """Takes the prints of a value and says whether one was new; a known one keeps its first value."""
        is_new = False
        for tag, length, digest, mark in prints:
            if self._value_of(digest) is not None:
                continue
            is_new = True
            self._sieve.take(mark)
            self._recent_grams[tag] = self._recent_grams.get(tag, 0) | 1 << (length - SHORTEST)
            self._recent_pieces[digest] = value
        if len(self._recent_pieces) >= _RECENT:
            self._settle()
        return is_new

    def search(self, text: bytes) -> dict[int, int]:
        """Gives the digests of the pieces in a folded text with their values; raises TooManyCandidates."""
        found: dict[int, int] = {}
        left = _LEAST_CONFIRMATIONS + len(text) // _BYTES_PER_CONFIRMATION
        for end in self._sieve.ends(text):
            lengths = self._lengths(self._tag(text[end - GRAM : end]))
            left -= 1 + lengths.bit_count()
            if left < 0:
                raise TooManyCandidates
            length = SHORTEST
            while lengths:
                if lengths & 1 and length <= end:
                    digest = self._digest(text[end - length : end])
                    value = self._value_of(digest)
                    if value is not None:
                        found[digest] = value
                lengths >>= 1
                length += 1
        return found

    def _lengths(self, tag: int) -> int:
        lengths = self._recent_grams.get(tag, 0)
        place = bisect_left(self._grams, tag << _LENGTH_BITS)
        if place < len(self._grams) and self._grams[place] >> _LENGTH_BITS == tag:
            lengths |= self._grams[place] & ((1 << _LENGTH_BITS) - 1)
        return lengths

    def _value_of(self, digest: int) -> int | None:
        place = bisect_left(self._pieces, digest << _VALUE_BITS)
        if place < len(self._pieces) and self._pieces[place] >> _VALUE_BITS == digest:
            return self._pieces[place] & ((1 << _VALUE_BITS) - 1)
        return self._recent_pieces.get(digest)

    def _settle(self) -> None:
        """Moves what came lately from the dictionaries into the sorted numbers, which take a tenth of the room."""
        grams = dict(self._recent_grams)
        for packed in self._grams:
            tag = packed >> _LENGTH_BITS
            grams[tag] = grams.get(tag, 0) | packed & ((1 << _LENGTH_BITS) - 1)
        self._grams = array("Q", sorted(tag << _LENGTH_BITS | lengths for tag, lengths in grams.items()))
        fresh = [digest << _VALUE_BITS | value for digest, value in self._recent_pieces.items()]
        self._pieces = array("Q", sorted([*self._pieces, *fresh]))
        self._recent_grams, self._recent_pieces = {}, {}

    def _tag(self, gram: bytes) -> int:
        return _number(blake2b(gram, digest_size=8, key=self.key, person=b"gram")) >> (64 - _TAG_BITS)

    def _digest(self, piece: bytes) -> int:
        return _number(blake2b(piece, digest_size=8, key=self.key, person=b"piece")) >> (64 - _PIECE_BITS)


def _number(digest: blake2b) -> int:
    return int.from_bytes(digest.digest(), "big")
