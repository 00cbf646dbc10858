"""Proves and reads what the log holds, for whoever asks over the wire; from any thread, beside the one that writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.audit.checkpoint import Checkpoint
from leadglass_agent.audit.node_store import NodeUnknown
from leadglass_agent.audit.proofs import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from leadglass_agent.errors import RecordUnknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.audit.log import AuditLog
    from leadglass_agent.audit.tree import Frontier


@dataclass(frozen=True, slots=True)
class SignedState:
    """The state of the log as a signed note, the key that signed it, and what vouches for that (empty if nothing)."""

    note: str
    verifier_key: str
    size: int
    root: bytes
    certificate: str
    key_signature: str


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a record is in the log of `size` records; `note` is the signed state if that is its state now."""

    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Consistency:
    """The proof that an earlier state is the beginning of that of `size`; `note` as with an inclusion."""

    hashes: tuple[bytes, ...]
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class LogView:
    """One log as others may see it: its durable records and what follows from them."""

    log: AuditLog

    def checkpoint(self) -> SignedState:
        """Signs the state of the log as it is now."""
        return self._signed(self.log.frontier)

    def inclusion(self, seq: int, size: int = 0) -> Inclusion:
        """Proves record `seq` in the log of its first `size` records, 0 for all; raises RecordUnknown.

        What was stored of the tree is not believed: a proof that does not hold is none.
        """
        now = self.log.frontier
        size = size or now.size
        if not 1 <= seq <= size <= now.size:
            detail = f"there is no record {seq} among {size} of {now.size}"
            raise RecordUnknown(detail)
        nodes = self.log.nodes.node
        try:
            leaf = nodes(0, seq - 1)
            hashes = inclusion_proof(seq - 1, size, nodes)
            root = now.root() if size == now.size else root_at(size, nodes)
        except (NodeUnknown, OSError):
            raise _not_stored() from None
        if not verify_inclusion(leaf, seq - 1, size, hashes, root):
            raise _not_stored()
        return Inclusion(leaf, hashes, size, root, self._note(now, size))

    def consistency(self, old_size: int, new_size: int = 0) -> Consistency:
        """Proves that the first `old_size` records begin the log of `new_size`, 0 for all; raises RecordUnknown."""
        now = self.log.frontier
        size = new_size or now.size
        if not 1 <= old_size <= size <= now.size:
            detail = f"there are no {old_size} and {size} records among {now.size}"
            raise RecordUnknown(detail)
        nodes = self.log.nodes.node
        try:
            hashes = consistency_proof(old_size, size, nodes)
            old_root = root_at(old_size, nodes)
            root = now.root() if size == now.size else root_at(size, nodes)
        except (NodeUnknown, OSError):
            raise _not_stored() from None
        if not verify_consistency(old_size, old_root, size, root, hashes):
            raise _not_stored()
        return Consistency(hashes, size, root, self._note(now, size))

    def read(self, first_seq: int) -> Iterator[bytes]:
        """Yields the lines (without newline) of the durable records from `first_seq` on; raises OSError."""
        return self.log.read(first_seq)

    @property
    def first_seq(self) -> int:
        """Number of the first record that is still here; raises OSError."""
        return self.log.first_seq

    @property
    def last_seq(self) -> int:
        """Number of the last durable record."""
        return self.log.head.seq

    def _note(self, now: Frontier, size: int) -> str:
        return self._signed(now).note if size == now.size else ""

    def _signed(self, frontier: Frontier) -> SignedState:
        signer, root = self.log.signer, frontier.root()
        note = signer.sign(Checkpoint(signer.origin, frontier.size, root))
        started = self.log.started
        vouching = ("", "") if started is None else (started.certificate or "", started.key_signature or "")
        return SignedState(note, signer.verifier_key, frontier.size, root, *vouching)


def _not_stored() -> RecordUnknown:
    detail = "the tree above the record is not stored, or not yet"
    return RecordUnknown(detail)
