"""Keeps the stored nodes of the tree up with the log; a disk that does not take them never stops the log."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.audit.node_store import NodeStore
from leadglass_agent.audit.resume import catch_up, keep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.audit.tree import Frontier


class StoredTree:
    """The nodes of the log at `path`. They are no evidence: proofs need them, records and receipts do not."""

    def __init__(self, path: Path, nodes: NodeStore) -> None:
        self._path = path
        self._is_open = True
        self.nodes = nodes

    def keep(self, before: Frontier, leaves: Sequence[bytes]) -> None:
        """Stores the nodes of new records, unless some before them are missing."""
        keep(self.nodes, before, leaves)

    def catch_up(self, last_seq: int) -> None:
        """Stores some of what is missing of the nodes of durable records, if the disk takes it now."""
        if not self._is_open:
            self.reopen()
        if self._is_open and self.nodes.size != last_seq:
            with suppress(OSError):
                catch_up(self._path, last_seq, self.nodes)

    def reopen(self) -> None:
        """Opens the file again, if it is there and the agent's own."""
        with suppress(OSError, AuditLogRefused):
            self.nodes = NodeStore.open(nodes_path(self._path))
            self._is_open = True

    def close(self) -> None:
        """Lets go of the file: nothing shall keep a disk from being repaired."""
        self._is_open = False
        self.nodes.close()


def nodes_path(path: Path) -> Path:
    """Gives the place of the stored nodes of the log at `path`."""
    return path.with_name(f"{path.name}.tree")
