"""The tree and its proofs as the text of RFC 6962, section 2.1, defines them: recursive, from the leaves each time.

It shares no line with the agent's own, which it is held against.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

# The sides on which the hashes of a proof lie, from the leaf upwards. Two proofs with the same sides are the same
# computation: what tells their sizes apart is the signed checkpoint alone.
Sides: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReferenceTree:
    """The hashes of a list of entries."""

    entries: tuple[bytes, ...]
    _known: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def root(self, size: int) -> bytes:
        """Gives MTH(D[0:size])."""
        return self.between(0, size)

    def between(self, start: int, end: int) -> bytes:
        """Gives MTH(D[start:end])."""
        if (start, end) not in self._known:
            self._known[start, end] = self._hash(start, end)
        return self._known[start, end]

    def node(self, level: int, index: int) -> bytes:
        """Gives a perfect subtree, in the words of the agent's own node store."""
        return self.between(index << level, (index + 1) << level)

    def path(self, index: int, size: int) -> tuple[bytes, ...]:
        """Gives PATH(index, D[0:size])."""
        return self._path(index, 0, size)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """Gives PROOF(old, D[0:new])."""
        return self._subproof(old, 0, new, known=True)

    def _hash(self, start: int, end: int) -> bytes:
        if start == end:
            return hashlib.sha256(b"").digest()
        if start + 1 == end:
            return hashlib.sha256(b"\x00" + self.entries[start]).digest()
        middle = start + split(end - start)
        return hashlib.sha256(b"\x01" + self.between(start, middle) + self.between(middle, end)).digest()

    def _path(self, index: int, start: int, end: int) -> tuple[bytes, ...]:
        if end - start == 1:
            return ()
        k = split(end - start)
        if index < k:
            return (*self._path(index, start, start + k), self.between(start + k, end))
        return (*self._path(index - k, start + k, end), self.between(start, start + k))

    def _subproof(self, old: int, start: int, end: int, *, known: bool) -> tuple[bytes, ...]:
        if old == end - start:
            return () if known else (self.between(start, end),)
        k = split(end - start)
        if old <= k:
            return (*self._subproof(old, start, start + k, known=known), self.between(start + k, end))
        return (*self._subproof(old - k, start + k, end, known=False), self.between(start, start + k))


def split(width: int) -> int:
    """Gives k, the largest power of two with k < width."""
    k = 1
    while k * 2 < width:
        k *= 2
    return k


def path_sides(index: int, size: int) -> Sides:
    """Gives the sides of PATH(index, D[0:size])."""
    if size == 1:
        return ()
    k = split(size)
    return (*path_sides(index, k), "right") if index < k else (*path_sides(index - k, size - k), "left")


def proof_sides(old: int, new: int, *, known: bool = True) -> Sides:
    """Gives the sides of PROOF(old, D[0:new])."""
    if old == new:
        return () if known else ("both",)
    k = split(new)
    if old <= k:
        return (*proof_sides(old, k, known=known), "right")
    return (*proof_sides(old - k, new - k, known=False), "left")
