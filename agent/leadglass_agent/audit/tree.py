"""The Merkle tree over the records (RFC 6962, section 2): its hashes, and how it grows at its right border."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Hash: TypeAlias = bytes

HASH_BYTES: Final = 32
EMPTY_ROOT: Final[Hash] = hashlib.sha256(b"").digest()
_LEAF: Final = b"\x00"  # RFC 6962, section 2.1: a leaf can never pass for an interior node
_NODE: Final = b"\x01"


def leaf_hash(line: bytes) -> Hash:
    """Hashes one record: its line without the newline."""
    return hashlib.sha256(_LEAF + line).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """Hashes an interior node."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right border of a tree of `size` leaves: the roots of its perfect subtrees, the largest first.

    It is all that growing the tree and its root need: one hash for each bit that is set in the size.
    """

    size: int
    roots: tuple[Hash, ...]

    @staticmethod
    def of(size: int, roots: Sequence[Hash]) -> Frontier:
        """Makes a frontier of what was read; raises ValueError unless it has the hashes that the size asks for."""
        if size < 0 or len(roots) != size.bit_count() or any(len(root) != HASH_BYTES for root in roots):
            message = f"{len(roots)} hashes are no frontier of a tree of {size} leaves"
            raise ValueError(message)
        return Frontier(size, tuple(roots))

    def plus(self, leaf: Hash) -> Frontier:
        """Adds a leaf."""
        completed = new_nodes(self, leaf)
        kept = len(self.roots) - (len(completed) - 1)
        return Frontier(self.size + 1, (*self.roots[:kept], completed[-1]))

    def root(self) -> Hash:
        """Gives the root of the tree."""
        return fold(self.roots)


EMPTY: Final = Frontier(0, ())


def fold(roots: Sequence[Hash]) -> Hash:
    """Gives the root over perfect subtrees that lie side by side, the largest first."""
    if not roots:
        return EMPTY_ROOT
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def new_nodes(before: Frontier, leaf: Hash) -> tuple[Hash, ...]:
    """Gives the leaf and every interior node that it completes, from the leaf upwards: the order of the node store."""
    nodes = [leaf]
    for level, left in enumerate(reversed(before.roots)):
        if not before.size >> level & 1:
            break
        nodes.append(node_hash(left, nodes[-1]))
    return tuple(nodes)


def last_proofs(before: Frontier, leaves: Sequence[Hash]) -> tuple[tuple[Hash, ...], ...]:
    """Gives the audit path of each new leaf in the tree after all of them, without any stored node.

    Whatever the paths need of the tree before is one of its frontier's roots: a subtree of it that has a new leaf below
    its parent is as large as a perfect one can be.
    """
    paths: list[list[Hash]] = [[] for _ in leaves]
    roots = list(before.roots)
    level = 0
    start, width = before.size, before.size + len(leaves)  # at this level: number of the first node here, and of all
    nodes = list(leaves)
    while width > 1:
        if start & 1:
            start -= 1
            nodes.insert(0, roots.pop())
        for number, path in enumerate(paths, before.size):
            beside = (number >> level) ^ 1
            if beside < width:
                path.append(nodes[beside - start])
        pairs = [node_hash(nodes[at], nodes[at + 1]) for at in range(0, len(nodes) - 1, 2)]
        # A last node without a neighbour rises as it is (RFC 6962: the larger part of a split is the left one).
        nodes = pairs + nodes[len(pairs) * 2 :]
        start, width, level = start // 2, (width + 1) // 2, level + 1
    return tuple(tuple(path) for path in paths)
