"""Finds where a log goes on: the end of its chain, its name, and the tree over all its records."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.canonical import NotCanonical, NotJson, parse
from leadglass_agent.audit.chain import GENESIS, Head, Record, read_line
from leadglass_agent.audit.file import LogFile, read_at, read_tail
from leadglass_agent.audit.node_store import NodeUnknown
from leadglass_agent.audit.proofs import frontier_at
from leadglass_agent.audit.record import RECORD_BYTES, EventKind
from leadglass_agent.audit.segments import closed_segments, read_records, seq_of
from leadglass_agent.audit.tree import EMPTY, Frontier, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.audit.file import Tail
    from leadglass_agent.audit.node_store import NodeStore

# A checkpoint comes every 64 records, or after a batch of 128; a log that never says AGENT_STARTED has none.
_LOOKED_BACK: Final = 512
_WINDOW_BYTES: Final = 262_144
_AT_ONCE: Final = 1_024  # leaves
_CAUGHT_UP: Final = 5_000  # records of one call, some 50 ms that no append can use
_ANCHORS: Final = (b'"kind":"CHECKPOINT"', b'"frontier":[')
_NAMES: Final = (b'"origin":"', b'"verifier_key":"')
_ORIGIN: Final = re.compile(r"[!-*,-~]{1,512}")  # a note's name: no space, no plus
_MAX_SIZE: Final = 2**63 - 1
_MISSING: Final = leaf_hash(b"")  # no record is empty


@dataclass(frozen=True, slots=True)
class LastRecord:
    """The last record that was there before this start and is no signature of the log's state, and its times."""

    seq: int
    kind: str
    unix_ns: int
    boot_ns: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """The end of the chain over all files, and its last record; none in a new log."""

    head: Head
    last: LastRecord | None


@dataclass(frozen=True, slots=True)
class Resumed:
    """The tree over all records, and the log's name if it has one."""

    frontier: Frontier
    origin: str | None


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A record that says what the tree was before it; with a frontier it says all of it."""

    seq: int
    root: bytes
    frontier: Frontier | None
    origin: str | None


def find_end(file: LogFile, tail: Tail) -> Found:
    """Finds the last record of the log: in the active file, else in the newest closed one. Raises AuditLogRefused."""
    if tail.end:
        return Found(tail.head, last_record(file, tail.end))
    closed = closed_segments(file.path)
    if not closed:
        return Found(GENESIS, None)
    fd = os.open(closed[-1].path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        segment = LogFile(closed[-1].path, fd, 0, 0)
        end = read_tail(segment)
        return Found(end.head, last_record(segment, end.end))
    finally:
        os.close(fd)


def resume_tree(path: Path, head: Head, nodes: NodeStore) -> Resumed:
    """Finds the tree of the log that ends at `head`, and brings the stored nodes up to it.

    Reads back to the last record that says what the tree was, if the stored nodes agree with it; else every file
    that is here, in bounded memory. Raises OSError.
    """
    anchor = next(_anchors_backwards(path, head), None)
    before = None if anchor is None else _stored(anchor, nodes)
    if anchor is None or before is None:
        return _replayed(path, 1, head.seq, EMPTY, nodes)
    return _replayed(path, anchor.seq, head.seq, before, nodes)


def catch_up(path: Path, last_seq: int, nodes: NodeStore) -> None:
    """Stores some of the nodes that a disk did not take earlier; the rest at the next call. Raises OSError."""
    try:
        before = frontier_at(nodes.size, nodes.node)
    except NodeUnknown:
        before = EMPTY
    first = next(read_records(path, before.size + 1, last_seq), None)
    if first is not None:
        _replayed(path, first[0], min(last_seq, first[0] + _CAUGHT_UP), before, nodes)


def _replayed(path: Path, first_seq: int, last_seq: int, frontier: Frontier, nodes: NodeStore) -> Resumed:
    """Goes through the records from `first_seq` on, with the tree before it, and stores the nodes.

    Where records are missing the tree goes on from a frontier that a record after the gap gives. A log of an agent that
    wrote none gets a tree in which all records before the gap count as empty.
    """
    origin: str | None = None
    _jump(nodes, frontier)
    records = read_records(path, first_seq, last_seq)
    while some := tuple(islice(records, _AT_ONCE)):
        before, leaves = frontier, list[bytes]()
        for seq, line in some:
            if seq != frontier.size + 1:
                keep(nodes, before, leaves)
                anchor = _anchor(line)
                before = frontier = (anchor and anchor.frontier) or _as_if_empty(seq - 1)
                leaves = []
                _jump(nodes, frontier)
            if any(name in line for name in _NAMES):
                origin = _named(line) or origin
            leaves.append(leaf_hash(line))
            frontier = frontier.plus(leaves[-1])
        keep(nodes, before, leaves)
    return Resumed(frontier if frontier.size == last_seq else _as_if_empty(last_seq), origin)


def keep(nodes: NodeStore, before: Frontier, leaves: Sequence[bytes]) -> None:
    """Stores the nodes of new records if those of all records before are stored and the disk takes them.

    They are no evidence: a failure is made good by `catch_up`, and stops nothing.
    """
    if leaves and nodes.size == before.size:
        with suppress(OSError):
            nodes.append(before, leaves)


def _jump(nodes: NodeStore, frontier: Frontier) -> None:
    with suppress(OSError):
        nodes.jump(frontier)


def _stored(anchor: _Anchor, nodes: NodeStore) -> Frontier | None:
    """Gives the tree before the anchor from the stored nodes, if they agree with it."""
    try:
        frontier = frontier_at(anchor.seq - 1, nodes.node)
    except (NodeUnknown, OSError):
        return None
    return frontier if frontier.root() == anchor.root else None


def _anchors_backwards(path: Path, head: Head) -> Iterator[_Anchor]:
    """Yields what is found among the last records, the last first."""
    for looked, line in enumerate(_lines_backwards(path)):
        if looked > _LOOKED_BACK:
            return
        seq = seq_of(line)
        if seq is None or seq > head.seq or not any(mark in line for mark in _ANCHORS):
            continue
        anchor = _anchor(line)
        if anchor is not None:
            yield anchor


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yields the lines of the active file, else of the newest closed one, the last first."""
    for candidate in (path, *(segment.path for segment in reversed(closed_segments(path)[-1:]))):
        try:
            fd = os.open(candidate, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            file = LogFile(candidate, fd, 0, 0)
            end, rest = os.fstat(fd).st_size, b""
            while end > 0 and len(rest) <= RECORD_BYTES:
                start = max(0, end - _WINDOW_BYTES)
                lines = (read_at(file, start, end) + rest).split(b"\n")
                rest = lines[0]
                yield from reversed(lines[1:])
                end = start
            yield rest
        finally:
            os.close(fd)


def _anchor(line: bytes) -> _Anchor | None:
    fields = _fields(line)
    seq, size, root = fields.get("seq"), fields.get("tree_size"), fields.get("root_hash")
    if not isinstance(seq, int) or seq < 1 or size != seq - 1 or not isinstance(root, str):
        return None
    roots = fields.get("frontier")
    try:
        frontier = Frontier.of(size, [bytes.fromhex(str(one)) for one in roots]) if isinstance(roots, list) else None
        expected = bytes.fromhex(root)
    except ValueError:
        return None
    if frontier is not None and frontier.root() != expected:
        return None
    return _Anchor(seq, expected, frontier, _named(line))


def _named(line: bytes) -> str | None:
    """Reads the log's name from a record that has it."""
    fields = _fields(line)
    origin = fields.get("origin") or str(fields.get("verifier_key", "")).partition("+")[0]
    return origin if isinstance(origin, str) and _ORIGIN.fullmatch(origin) else None


def _fields(line: bytes) -> dict[str, Json]:
    try:
        return parse(line)
    except (NotJson, NotCanonical):
        return {}


def _as_if_empty(size: int) -> Frontier:
    """Gives a tree of `size` empty records; each perfect subtree of them is made of the one half as large."""
    roots: list[bytes] = []
    root = _MISSING
    for level in range(min(size, _MAX_SIZE).bit_length()):
        if size >> level & 1:
            roots.insert(0, root)
        root = node_hash(root, root)
    return Frontier.of(size, roots)


def last_record(file: LogFile, end: int) -> LastRecord | None:
    """Reads the one that ends at `end`, or the one before if it only signs the log's state; None if none is there."""
    window = read_at(file, max(0, end - 2 * RECORD_BYTES - 1), end - 1)
    before, _, line = window.rpartition(b"\n")
    record = read_line(line)
    if isinstance(record, Record) and record.kind == EventKind.CHECKPOINT and before:
        record = read_line(before.rpartition(b"\n")[2])
    if not isinstance(record, Record):
        return None
    return LastRecord(record.seq, record.kind, _unix_ns_of(record.time), record.boot_ns, record.boot_id)


def _unix_ns_of(time: str) -> int:
    """Reads the time of a record, in nanoseconds since 1970; 0 for a date that does not exist."""
    try:
        seconds = int(datetime.fromisoformat(f"{time[:19]}+00:00").timestamp())
    except ValueError:
        return 0
    return (seconds * 1_000_000 + int(time[20:26])) * 1_000
