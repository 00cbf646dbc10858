"""The file of the tree's nodes gives right hashes or none, whatever became of it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.audit.node_store import NodeStore, NodeUnknown
from leadglass_agent.audit.proofs import frontier_at, inclusion_proof
from leadglass_agent.audit.tree import EMPTY, Frontier, leaf_hash
from reference_tree import ReferenceTree

if TYPE_CHECKING:
    from pathlib import Path

TREE = ReferenceTree(tuple(b"record %d" % number for number in range(300)))
LEAVES = tuple(leaf_hash(entry) for entry in TREE.entries)


def _frontier(size: int) -> Frontier:
    return frontier_at(size, TREE.node)


def _filled(path: Path, size: int) -> NodeStore:
    store = NodeStore.open(path)
    store.append(EMPTY, LEAVES[:size])
    return store


def _known(store: NodeStore) -> dict[tuple[int, int], bytes]:
    """Reads every node that the file gives, of a tree of up to 300 leaves."""
    found: dict[tuple[int, int], bytes] = {}
    for level in range(10):
        for index in range(300 >> level):
            try:
                found[level, index] = store.node(level, index)
            except NodeUnknown:
                continue
    return found


def _of(size: int) -> dict[tuple[int, int], bytes]:
    """Gives every complete node of the first `size` leaves."""
    return {(level, index): TREE.node(level, index) for level in range(10) for index in range(size >> level)}


def test_every_node_is_read_back_and_no_other(tmp_path: Path) -> None:
    store = _filled(tmp_path / "tree", 0)
    for size in range(131):
        if size:
            store.append(_frontier(size - 1), LEAVES[size - 1 : size])
        assert store.size == size
    assert _known(store) == _of(130)
    assert (tmp_path / "tree").stat().st_size <= 130 * 64
    store.close()


@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_batches_of_any_size_make_the_same_file(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    folder = tmp_path_factory.mktemp("tree")
    store = NodeStore.open(folder / "batches")
    places = sorted({0, 200, *cuts})
    for start, end in pairwise(places):
        store.append(_frontier(start), LEAVES[start:end])
    _filled(folder / "whole", 200).close()
    store.close()

    assert (folder / "batches").read_bytes() == (folder / "whole").read_bytes()


def test_a_file_that_is_opened_again_goes_on(tmp_path: Path) -> None:
    for start, end in ((0, 5), (5, 6), (6, 130)):
        store = NodeStore.open(tmp_path / "tree")
        assert store.size == start
        store.append(_frontier(start), LEAVES[start:end])
        store.close()

    store = NodeStore.open(tmp_path / "tree")
    assert (store.size, _known(store)) == (130, _of(130))
    store.close()


def test_a_file_that_is_cut_at_any_byte_keeps_whole_records_alone(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    _filled(path, 40).close()
    whole = path.read_bytes()
    for length in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:length])
        store = NodeStore.open(path)
        assert _known(store) == _of(store.size)
        assert path.stat().st_size == (2 * store.size - store.size.bit_count()) * 32
        store.append(_frontier(store.size), LEAVES[store.size : 41])
        assert _known(store) == _of(41)
        store.close()


@given(size=st.integers(0, 300), cut=st.integers(0, 300))
@settings(max_examples=50)
def test_truncation_forgets_what_lies_behind(tmp_path_factory: pytest.TempPathFactory, size: int, cut: int) -> None:
    path = tmp_path_factory.mktemp("tree") / "tree"
    store = _filled(path, size)

    store.truncate(cut)

    assert store.size == min(size, cut)
    assert _known(store) == _of(min(size, cut))
    store.close()
    again = NodeStore.open(path)
    assert again.size == min(size, cut)
    again.close()


def test_what_is_written_before_the_end_replaces_all_behind_it(tmp_path: Path) -> None:
    store = _filled(tmp_path / "tree", 100)
    other = leaf_hash(b"another record")

    store.append(_frontier(63), (other,))

    assert store.size == 64
    assert store.node(0, 63) == other
    assert {key: value for key, value in _known(store).items() if (key[1] + 1) << key[0] < 64} == _of(63)
    store.close()
    again = NodeStore.open(tmp_path / "tree")
    assert again.size == 64
    again.close()


@pytest.mark.parametrize(("first", "end"), [(64, 100), (63, 70), (1, 2), (100, 130)])
def test_a_hole_is_unknown_and_what_follows_it_is_not(tmp_path: Path, first: int, end: int) -> None:
    store = NodeStore.open(tmp_path / "tree")

    store.append(_frontier(first), LEAVES[first:end])

    assert store.size == end
    known = _known(store)
    # A node that a leaf after the hole completes is known, even if it reaches back over the hole.
    assert known == {key: value for key, value in _of(end).items() if (key[1] + 1) << key[0] > first}
    with pytest.raises(NodeUnknown):
        store.node(0, first - 1)
    store.close()
    again = NodeStore.open(tmp_path / "tree")
    assert _known(again) == known
    again.close()


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100])
@pytest.mark.parametrize("stored", [0, 50, 130])
def test_a_file_that_goes_on_from_a_frontier_knows_it_and_what_follows(tmp_path: Path, stored: int, size: int) -> None:
    store = _filled(tmp_path / "tree", stored)

    store.jump(_frontier(size))
    store.append(_frontier(size), LEAVES[size:140])

    assert store.size == 140
    assert frontier_at(size, store.node) == _frontier(size)
    assert inclusion_proof(139, 140, store.node) == TREE.path(139, 140)
    known = _known(store)
    assert known == {key: _of(140)[key] for key in known}
    assert {key for key in _of(140) if (key[1] + 1) << key[0] > size} <= known.keys()
    store.close()


def test_a_proof_that_needs_a_node_in_a_hole_is_refused(tmp_path: Path) -> None:
    store = NodeStore.open(tmp_path / "tree")
    store.append(_frontier(64), LEAVES[64:128])

    with pytest.raises(NodeUnknown):
        inclusion_proof(127, 128, store.node)
    assert inclusion_proof(100, 128, lambda level, index: _or_reference(store, level, index)) == TREE.path(100, 128)
    store.close()


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    # The limit on the size of files holds for a whole process: it is met in another one.
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from leadglass_agent.audit.node_store import NodeStore\n"
        "from leadglass_agent.audit.tree import EMPTY, leaf_hash\n"
        "store = NodeStore.open(Path(sys.argv[1]))\n"
        "leaves = [leaf_hash(b'record %d' % number) for number in range(100)]\n"
        "store.append(EMPTY, leaves[:10])\n"
        "frontier = EMPTY\n"
        "for leaf in leaves[:10]: frontier = frontier.plus(leaf)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))\n"
        "for end in (100, 17):\n"
        "    try: store.append(frontier, leaves[10:end])\n"
        "    except OSError as error: print('refused', store.size, Path(sys.argv[1]).stat().st_size)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "store.append(frontier, leaves[10:40])\n"
        "print('written', store.size)\n"
    )
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.skip("files are limited here already")

    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "tree")], check=True, capture_output=True, text=True
    )

    assert ran.stdout.split("\n") == ["refused 10 576", "refused 10 576", "written 40", ""]
    store = NodeStore.open(tmp_path / "tree")
    assert _known(store) == _of(40)
    store.close()


def test_a_closed_file_knows_nothing(tmp_path: Path) -> None:
    store = _filled(tmp_path / "tree", 10)
    store.close()
    store.close()

    with pytest.raises(NodeUnknown):
        store.node(0, 0)


@pytest.mark.parametrize(("level", "index"), [(-1, 0), (0, -1), (0, 10), (4, 0), (3, 1), (200, 0)])
def test_a_node_that_is_not_of_this_tree_is_unknown(tmp_path: Path, level: int, index: int) -> None:
    store = _filled(tmp_path / "tree", 10)

    with pytest.raises(NodeUnknown):
        store.node(level, index)
    store.close()


@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        NodeStore.open(tmp_path / "tree").close()
    finally:
        os.umask(before)

    assert (tmp_path / "tree").stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_may_have_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    _filled(path, 3).close()
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(AuditLogRefused, match="open to others"):
            NodeStore.open(path)


def test_a_symbolic_link_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    _filled(tmp_path / "real", 3).close()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe", 0o600)

    for name, text in (("link", "symbolic link"), ("nowhere", "symbolic link"), ("pipe", "not a regular file")):
        with pytest.raises(AuditLogRefused, match=text):
            NodeStore.open(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        NodeStore.open(tmp_path)
    assert not (tmp_path / "gone").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path / "tree", 3).close()
    os.chown(tmp_path / "tree", 4_242, 4_242)

    with pytest.raises(AuditLogRefused, match="belongs to user 4242"):
        NodeStore.open(tmp_path / "tree")


def _has(store: NodeStore, level: int, index: int) -> bool:
    try:
        store.node(level, index)
    except NodeUnknown:
        return False
    return True


def _or_reference(store: NodeStore, level: int, index: int) -> bytes:
    return store.node(level, index) if _has(store, level, index) else TREE.node(level, index)
