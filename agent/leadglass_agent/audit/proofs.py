"""Proofs about the tree: that a record is in it, that one state is the beginning of another (RFC 6962, section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.audit.tree import HASH_BYTES, Frontier, Hash, fold, node_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Gives the root of the perfect subtree number `index` (from 0) of 2**level leaves.
Nodes: TypeAlias = "Callable[[int, int], Hash]"

_MAX_SIZE: Final = 2**63 - 1  # no proof is longer than 64 hashes


def root_at(size: int, nodes: Nodes) -> Hash:
    """Gives the root of the tree of the first `size` leaves; raises what `nodes` raises."""
    return frontier_at(size, nodes).root()


def frontier_at(size: int, nodes: Nodes) -> Frontier:
    """Gives the right border of the tree of the first `size` leaves."""
    _check(0 <= size <= _MAX_SIZE)
    return Frontier(size, _roots_between(0, size, nodes))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> tuple[Hash, ...]:
    """Gives the audit path of leaf `index` (from 0) in the tree of `size` leaves, from the leaf upwards.

    Raises ValueError unless the leaf is in that tree, and what `nodes` raises.
    """
    _check(0 <= index < size <= _MAX_SIZE)
    path: list[Hash] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_root_between(middle, end, nodes))
            end = middle
        else:
            path.append(_root_between(start, middle, nodes))
            start = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, nodes: Nodes) -> tuple[Hash, ...]:
    """Proves that the tree of `old` leaves is the beginning of that of `new`, in the order of the RFC.

    Raises ValueError unless 1 <= old <= new, and what `nodes` raises.
    """
    _check(1 <= old <= new <= _MAX_SIZE)
    path: list[Hash] = []
    start, end = 0, new
    # RFC 6962, section 2.1.2: down to where the old tree ends, noting what lies beside the way.
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_root_between(middle, end, nodes))
            end = middle
        else:
            path.append(_root_between(start, middle, nodes))
            start = middle
    if start > 0:  # else it is the old root itself, which whoever checks has
        path.append(_root_between(start, end, nodes))
    return tuple(reversed(path))


def verify_inclusion(leaf: Hash, index: int, size: int, proof: Sequence[Hash], root: Hash) -> bool:
    """Says whether the proof leads from leaf `index` to the root of `size` leaves (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size <= _MAX_SIZE or not _are_hashes((leaf, root, *proof)):
        return False
    at, last, found = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(beside, found)
            rise = _trailing_zeros(at)  # a last node without a neighbour rises as it is
            at, last = at >> rise, last >> rise
        else:
            found = node_hash(found, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old_size: int, old_root: Hash, new_size: int, new_root: Hash, proof: Sequence[Hash]) -> bool:
    """Says whether the proof leads to both roots (RFC 9162, section 2.1.4.2); of an empty tree there is no proof."""
    if not 1 <= old_size <= new_size <= _MAX_SIZE or not _are_hashes((old_root, new_root, *proof)):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    rest = list(proof)
    if old_size & (old_size - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        return False
    rise = _trailing_zeros(old_size)  # the trailing ones of old_size - 1
    at, last = (old_size - 1) >> rise, (new_size - 1) >> rise
    old = new = rest[0]
    for beside in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            rise = _trailing_zeros(at)
            at, last = at >> rise, last >> rise
        else:
            new = node_hash(new, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _root_between(start: int, end: int, nodes: Nodes) -> Hash:
    return fold(_roots_between(start, end, nodes))


def _roots_between(start: int, end: int, nodes: Nodes) -> tuple[Hash, ...]:
    """Reads the perfect subtrees of a range whose start is a multiple of the largest of them."""
    roots: list[Hash] = []
    while start < end:
        level = (end - start).bit_length() - 1
        roots.append(nodes(level, start >> level))
        start += 1 << level
    return tuple(roots)


def _split(width: int) -> int:
    """Gives the largest power of two that is smaller than the width."""
    return 1 << ((width - 1).bit_length() - 1)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1 if number else 0


def _are_hashes(found: Sequence[Hash]) -> bool:
    return all(len(one) == HASH_BYTES for one in found)


def _check(holds: bool) -> None:  # noqa: FBT001 - the condition itself
    if not holds:
        message = "the tree has no such leaf or size"
        raise ValueError(message)
