"""Checks that one signed state of a log is the beginning of another (RFC 9162, section 2.1.4.2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from leadglass_client.connection.notes import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_client.connection.notes import Checkpoint

_MAX_HASHES: Final = 65


def is_beginning(old: Checkpoint, new: Checkpoint, hashes: Sequence[bytes]) -> bool:
    """Says whether the hashes prove that every record of `old` stands in `new`, in its place."""
    if old.origin != new.origin or not 1 <= old.size <= new.size:
        return False
    if old.size == new.size:
        return not hashes and old.root == new.root
    path = [old.root, *hashes] if old.size & (old.size - 1) == 0 else list(hashes)
    if not hashes or len(hashes) > _MAX_HASHES or any(len(one) != HASH_BYTES for one in path):
        return False
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = _node(beside, first), _node(beside, second)
            while not at & 1 and at:  # a last node without a neighbour rises as it is
                at, last = at >> 1, last >> 1
        else:
            second = _node(second, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old.root and second == new.root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
