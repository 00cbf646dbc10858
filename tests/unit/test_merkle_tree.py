"""The tree over the records is that of RFC 6962, however it is grown."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.audit.tree import EMPTY, EMPTY_ROOT, Frontier, last_proofs, leaf_hash, new_nodes, node_hash
from reference_tree import ReferenceTree

# The test tree of the reference implementations of RFC 6962 (certificate-transparency, transparency-dev/merkle).
ENTRIES = tuple(
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def _grown(entries: tuple[bytes, ...], start: Frontier = EMPTY) -> Frontier:
    frontier = start
    for entry in entries:
        frontier = frontier.plus(leaf_hash(entry))
    return frontier


def test_the_roots_of_the_published_tree_come_out() -> None:
    assert [_grown(ENTRIES[:size]).root().hex() for size in range(9)] == list(ROOTS)
    assert EMPTY_ROOT.hex() == ROOTS[0]


def test_a_leaf_never_has_the_hash_of_an_interior_node() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")

    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"\x01" + left + right) != node_hash(left, right)
    assert leaf_hash(b"line") == hashlib.sha256(b"\x00line").digest()


def test_the_definition_of_the_rfc_agrees_for_every_size_to_300() -> None:
    reference = ReferenceTree(tuple(b"%d" % number for number in range(300)))
    frontier = EMPTY
    for size, entry in enumerate(reference.entries):
        assert frontier.size == size
        assert len(frontier.roots) == size.bit_count()
        assert frontier.root() == reference.root(size)
        frontier = frontier.plus(leaf_hash(entry))


@given(entries=st.lists(st.binary(max_size=40), max_size=70).map(tuple), at=st.integers(0, 70))
def test_a_tree_that_is_put_down_and_taken_up_again_grows_on(entries: tuple[bytes, ...], at: int) -> None:
    first = _grown(entries[:at])
    again = Frontier.of(first.size, first.roots)

    assert _grown(entries[at:], again) == _grown(entries)
    assert _grown(entries).root() == ReferenceTree(entries).root(len(entries))


@given(size=st.integers(-3, 40), count=st.integers(0, 8), width=st.sampled_from([0, 31, 32, 33]))
def test_a_frontier_has_one_hash_for_each_bit_of_its_size(size: int, count: int, width: int) -> None:
    roots = (bytes(width),) * count
    fits = size >= 0 and count == size.bit_count() and (width == 32 or count == 0)

    if fits:
        assert Frontier.of(size, roots) == Frontier(size, roots)
    else:
        with pytest.raises(ValueError, match="no frontier"):
            Frontier.of(size, roots)


def test_new_nodes_are_the_leaf_and_what_it_completes_from_below() -> None:
    reference = ReferenceTree(tuple(b"%d" % number for number in range(130)))
    frontier = EMPTY
    for index, entry in enumerate(reference.entries):
        leaf = leaf_hash(entry)
        complete = tuple(
            reference.node(level, (index + 1) // (1 << level) - 1)
            for level in range(9)
            if (index + 1) % (1 << level) == 0
        )
        assert new_nodes(frontier, leaf) == complete
        frontier = frontier.plus(leaf)


def test_the_paths_of_a_batch_are_those_of_the_tree_after_it_for_every_size_and_batch() -> None:
    reference = ReferenceTree(tuple(b"%d" % number for number in range(70)))
    frontier = EMPTY
    for size in range(70):
        for end in range(size, 71):
            leaves = [leaf_hash(entry) for entry in reference.entries[size:end]]
            expected = tuple(reference.path(index, end) for index in range(size, end))
            assert last_proofs(frontier, leaves) == expected
        frontier = frontier.plus(leaf_hash(reference.entries[size]))


@given(before=st.integers(0, 700), batch=st.integers(1, 70))
def test_the_paths_of_a_batch_are_right_in_larger_trees(before: int, batch: int) -> None:
    reference = ReferenceTree(tuple(b"%d" % number for number in range(before + batch)))
    leaves = [leaf_hash(entry) for entry in reference.entries]
    frontier = Frontier.of(before, _perfect_subtrees(reference, before))

    paths = last_proofs(frontier, leaves[before:])

    assert paths == tuple(reference.path(index, before + batch) for index in range(before, before + batch))


def _perfect_subtrees(reference: ReferenceTree, size: int) -> tuple[bytes, ...]:
    roots = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            roots.append(reference.between(start, start + (1 << level)))
            start += 1 << level
    return tuple(roots)
