"""Opens the files of a log and brings together what they say of where it goes on."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.file import open_file, read_tail, sync_names
from leadglass_agent.audit.node_store import NodeStore
from leadglass_agent.audit.recovery import Writing
from leadglass_agent.audit.resume import find_end, resume_tree
from leadglass_agent.audit.segments import first_seq_in
from leadglass_agent.audit.stored_tree import StoredTree, nodes_path

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.file import LogFile
    from leadglass_agent.audit.resume import LastRecord

_LOG_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Opened:
    """A log as it was found: where it goes on, its stored nodes, its name, its last record, what is torn behind it."""

    state: Writing
    tree: StoredTree
    origin: str
    last: LastRecord | None
    torn: bytes


def open_log(path: Path, origin_base: str) -> Opened:
    """Opens or creates the log; `origin_base` begins the name of a new one. Raises OSError or AuditLogRefused."""
    file = open_file(path)
    nodes: NodeStore | None = None
    try:
        tail = read_tail(file)
        end = find_end(file, tail)
        nodes = NodeStore.open(nodes_path(path))
        tree = resume_tree(path, end.head, nodes)
        first_seq = first_seq_in(file) if tail.end else None
    except BaseException:
        os.close(file.fd)
        if nodes is not None:
            nodes.close()
        raise
    return Opened(
        state=Writing(file, end.head, tail.end, first_seq or end.head.seq + 1, tree.frontier),
        tree=StoredTree(path, nodes),
        origin=tree.origin or f"{origin_base}/log/{secrets.token_hex(_LOG_ID_BYTES)}",
        last=end.last,
        torn=tail.torn,
    )


def next_file(state: Writing) -> LogFile:
    """Makes the file that follows one with its closed name, and lets go of that; raises as `open_log` does."""
    sync_names(state.file.path)
    file = open_file(state.file.path)
    with suppress(OSError):
        os.ftruncate(state.file.fd, state.size)  # what was reserved behind its end is needed elsewhere
    os.close(state.file.fd)
    return file
