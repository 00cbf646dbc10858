"""Proofs of inclusion and consistency are those of RFC 6962, and none that is wrong is accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.audit.proofs import (
    consistency_proof,
    frontier_at,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from leadglass_agent.audit.tree import leaf_hash, node_hash
from reference_tree import ReferenceTree, path_sides, proof_sides

if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest tree whose every proof is corrupted: all shapes up to a perfect tree of seven levels, and two beyond.
LARGEST = 130
TREE = ReferenceTree(tuple(b"record %d" % number for number in range(2 * LARGEST + 2)))

# Proofs that the reference implementations publish for their test tree (certificate-transparency, transparency-dev).
PUBLISHED = ReferenceTree(
    tuple(
        bytes.fromhex(entry)
        for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", bytes(range(0x60, 0x70)).hex())
    )
)
_0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
_0_1 = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_0_3 = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
PUBLISHED_PATHS = (
    (0, 1, ()),
    (0, 8, (_1, _2_3, _4_7)),
    (5, 8, (_4, _6_7, _0_3)),
    (2, 3, (_0_1,)),
    (1, 5, (_0, _2_3, _4)),
)
PUBLISHED_PROOFS = (
    (1, 1, ()),
    (1, 8, (_1, _2_3, _4_7)),
    (2, 8, (_2_3, _4_7)),
    (6, 8, (_4_5, _6_7, _0_3)),
    (2, 5, (_2_3, _4)),
    (6, 7, (_4_5, _6, _0_3)),
)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What is claimed of one leaf."""

    leaf: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]
    root: bytes

    def is_accepted(self) -> bool:
        """Asks the agent's own check."""
        return verify_inclusion(self.leaf, self.index, self.size, self.proof, self.root)


@dataclass(frozen=True, slots=True)
class Consistency:
    """What is claimed of two states."""

    old_size: int
    old_root: bytes
    new_size: int
    new_root: bytes
    proof: tuple[bytes, ...]

    def is_accepted(self) -> bool:
        """Asks the agent's own check."""
        return verify_consistency(self.old_size, self.old_root, self.new_size, self.new_root, self.proof)


@pytest.mark.parametrize(("index", "size", "path"), PUBLISHED_PATHS)
def test_a_published_inclusion_proof_comes_out_and_is_accepted(index: int, size: int, path: tuple[str, ...]) -> None:
    proof = inclusion_proof(index, size, PUBLISHED.node)

    assert tuple(one.hex() for one in proof) == path
    assert verify_inclusion(PUBLISHED.node(0, index), index, size, proof, PUBLISHED.root(size))


@pytest.mark.parametrize(("old", "new", "path"), PUBLISHED_PROOFS)
def test_a_published_consistency_proof_comes_out_and_is_accepted(old: int, new: int, path: tuple[str, ...]) -> None:
    proof = consistency_proof(old, new, PUBLISHED.node)

    assert tuple(one.hex() for one in proof) == path
    assert verify_consistency(old, PUBLISHED.root(old), new, PUBLISHED.root(new), proof)


def test_every_inclusion_proof_to_130_is_that_of_the_rfc_and_accepted() -> None:
    for claim in _inclusions():
        assert claim.proof == inclusion_proof(claim.index, claim.size, TREE.node)
        assert claim.is_accepted()


def test_every_consistency_proof_to_130_is_that_of_the_rfc_and_accepted() -> None:
    for claim in _consistencies():
        assert claim.proof == consistency_proof(claim.old_size, claim.new_size, TREE.node)
        assert claim.is_accepted()


def test_roots_and_frontiers_of_every_size_come_from_the_nodes() -> None:
    for size in range(LARGEST + 1):
        assert root_at(size, TREE.node) == TREE.root(size)
        assert frontier_at(size, TREE.node).root() == TREE.root(size)
        assert frontier_at(size, TREE.node).size == size


def test_no_corrupted_inclusion_proof_to_130_is_accepted() -> None:
    asked = 0
    wrong: list[Inclusion] = []
    for claim in _inclusions():
        probes = list(_corrupted_inclusions(claim))
        asked += len(probes)
        wrong += [probe for probe in probes if probe.is_accepted()]

    assert wrong == []
    assert asked > 200_000


def test_no_corrupted_consistency_proof_to_130_is_accepted() -> None:
    asked = 0
    wrong: list[Consistency] = []
    for claim in _consistencies():
        probes = list(_corrupted_consistencies(claim))
        asked += len(probes)
        wrong += [probe for probe in probes if probe.is_accepted()]

    assert wrong == []
    assert asked > 200_000


@pytest.mark.slow
def test_no_inclusion_proof_to_130_survives_a_flip_of_any_bit_of_one_of_its_nodes() -> None:
    for claim in _inclusions():
        for proof in _flips_of_one_node(claim.proof, claim.index):
            assert not replace(claim, proof=proof).is_accepted()


@pytest.mark.slow
def test_no_consistency_proof_to_130_survives_a_flip_of_any_bit_of_one_of_its_nodes() -> None:
    for claim in _consistencies():
        for proof in _flips_of_one_node(claim.proof, claim.old_size):
            assert not replace(claim, proof=proof).is_accepted()


def test_a_wrong_size_beside_the_right_root_passes_only_where_the_same_hashes_are_computed() -> None:
    # A proof says nothing of the size but by its shape; the signature over size and root does the rest.
    for claim in _inclusions():
        for size in (claim.size - 1, claim.size + 1, claim.size * 2):
            is_same = claim.index < size and path_sides(claim.index, size) == path_sides(claim.index, claim.size)
            assert replace(claim, size=size).is_accepted() == is_same
    for pair in _consistencies():
        for size in (pair.new_size - 1, pair.new_size + 1):
            if pair.old_size not in {size, pair.new_size}:
                sides = proof_sides(pair.old_size, pair.new_size)
                is_same = pair.old_size < size and proof_sides(pair.old_size, size) == sides
                assert replace(pair, new_size=size).is_accepted() == is_same


@pytest.mark.parametrize("size", [0, -1, 2**63])
def test_a_tree_without_leaves_or_of_an_impossible_size_has_no_proof(size: int) -> None:
    root = TREE.root(1)

    assert not verify_inclusion(root, 0, size, (), root)
    assert not verify_inclusion(root, -1, 1, (), root)
    assert not verify_consistency(size, root, 1, root, ())
    assert not verify_consistency(1, root, size, root, ())
    for index, leaves in ((0, size), (-1, 1)):
        with pytest.raises(ValueError, match="no such leaf or size"):
            inclusion_proof(index, leaves, TREE.node)
    for old, new in ((size, 1), (1, size)):
        with pytest.raises(ValueError, match="no such leaf or size"):
            consistency_proof(old, new, TREE.node)


@given(old=st.integers(1, 5_000), more=st.integers(0, 5_000), data=st.data())
def test_proofs_of_larger_trees_lead_to_their_roots(old: int, more: int, data: st.DataObject) -> None:
    new = old + more
    tree = ReferenceTree((b"the same record",) * new)  # hashes repeat, the shapes do not
    index = data.draw(st.integers(0, new - 1))

    path = inclusion_proof(index, new, tree.node)
    proof = consistency_proof(old, new, tree.node)

    assert path == tree.path(index, new)
    assert proof == tree.proof(old, new)
    assert verify_inclusion(leaf_hash(b"the same record"), index, new, path, tree.root(new))
    assert verify_consistency(old, tree.root(old), new, tree.root(new), proof)


@given(st.integers(0, 2**64), st.integers(0, 2**64), st.lists(st.binary(min_size=30, max_size=34), max_size=70))
def test_no_made_up_proof_is_accepted_or_breaks_the_check(first: int, second: int, proof: list[bytes]) -> None:
    one, other = TREE.root(1), TREE.root(2)

    assert not verify_inclusion(one, first, second, proof, other)
    assert not verify_consistency(first, one, second, other, proof)


def _inclusions() -> Iterator[Inclusion]:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            yield Inclusion(TREE.node(0, index), index, size, TREE.path(index, size), TREE.root(size))


def _consistencies() -> Iterator[Consistency]:
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            yield Consistency(old, TREE.root(old), new, TREE.root(new), TREE.proof(old, new))


def _corrupted_inclusions(claim: Inclusion) -> Iterator[Inclusion]:
    for proof in _corrupted_proofs(claim.proof, claim.root, claim.index + claim.size):
        yield replace(claim, proof=proof)
    for index in (claim.index - 1, claim.index + 1, claim.index ^ 2):
        yield replace(claim, index=index)
    for size in (claim.size - 1, claim.size + 1, claim.size * 2):
        yield replace(claim, size=size, root=TREE.root(size))
    yield replace(claim, size=claim.size * 2)
    yield replace(claim, leaf=TREE.node(0, claim.index + 1))
    yield replace(claim, root=TREE.root(claim.size + 1))
    if claim.proof:
        yield replace(claim, leaf=claim.root, root=claim.leaf)
        yield replace(claim, root=claim.leaf)
        yield replace(claim, leaf=claim.proof[0])
    for root in (node_hash(claim.root, claim.leaf), node_hash(claim.leaf, claim.root)):
        yield replace(claim, proof=(*claim.proof, claim.leaf), root=root)
    if claim.proof and not claim.index & 1:  # the same bytes, divided in another place
        first = claim.proof[0]
        yield replace(claim, leaf=claim.leaf + first[:1], proof=(first[1:], *claim.proof[1:]))
    yield replace(claim, root=b"")
    yield replace(claim, leaf=claim.leaf + b"\x00")


def _corrupted_consistencies(claim: Consistency) -> Iterator[Consistency]:
    for proof in _corrupted_proofs(claim.proof, claim.new_root, claim.old_size + claim.new_size):
        yield replace(claim, proof=proof)
    for old in (claim.old_size - 1, claim.old_size + 1):
        yield replace(claim, old_size=old)
        yield replace(claim, old_size=old, old_root=TREE.root(old))
    for new in (claim.new_size - 1, claim.new_size + 1, claim.new_size * 2):
        yield replace(claim, new_size=new, new_root=TREE.root(new))
    yield replace(claim, new_size=claim.new_size * 2)
    yield replace(claim, old_root=TREE.root(claim.old_size + 1))
    yield replace(claim, new_root=TREE.root(claim.new_size + 1))
    if claim.old_size != claim.new_size:
        yield replace(claim, old_root=claim.new_root, new_root=claim.old_root)
        yield replace(claim, old_size=claim.new_size, new_size=claim.old_size)
        yield replace(claim, new_root=claim.old_root)
        yield replace(claim, old_root=claim.new_root)
    if len(claim.proof) > 1:  # the same bytes, divided in another place
        first, second, *rest = claim.proof
        yield replace(claim, proof=(first + second[:1], second[1:], *rest))
        yield replace(claim, proof=(first[1:], second + first[:1], *rest))
    if claim.proof:
        first, *rest = claim.proof
        yield replace(claim, old_root=claim.old_root + first[:1], proof=(first[1:], *rest))
    extra = claim.new_root[::-1]
    for longer in ((*claim.proof, extra), (claim.old_root, *claim.proof, extra)):
        yield replace(claim, proof=longer, new_root=node_hash(claim.new_root, extra))
        roots = [node_hash(extra, root) for root in (claim.old_root, claim.new_root)]
        yield replace(claim, proof=longer, old_root=roots[0], new_root=roots[1])
    yield replace(claim, new_root=b"")
    yield replace(claim, old_root=claim.old_root + b"\x00")


def _corrupted_proofs(proof: tuple[bytes, ...], root: bytes, number: int) -> Iterator[tuple[bytes, ...]]:
    """Gives proofs that differ: shorter, longer, in another order, and with one bit flipped in each node."""
    yield (*proof, root)
    yield (root, *proof)
    yield (*proof, bytes(32))
    yield (*proof, *proof, root)
    if proof:
        yield ()
        yield proof[1:]
        yield proof[:-1]
        yield (b"", *proof[1:])
        yield (*proof[:-1], proof[-1][:-1])
        yield (*proof[:-1], proof[-1] + b"\x00")
    if len(set(proof)) > 1:
        yield tuple(reversed(proof))
    for at in range(len(proof)):
        yield _flipped(proof, at, (number * 37 + at * 11) % 256)


def _flips_of_one_node(proof: tuple[bytes, ...], number: int) -> Iterator[tuple[bytes, ...]]:
    if proof:
        for bit in range(256):
            yield _flipped(proof, number % len(proof), bit)


def _flipped(proof: tuple[bytes, ...], at: int, bit: int) -> tuple[bytes, ...]:
    damaged = bytearray(proof[at])
    damaged[bit // 8] ^= 1 << bit % 8
    return (*proof[:at], bytes(damaged), *proof[at + 1 :])
