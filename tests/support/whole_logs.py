"""Logs that lie in several files: verified, listed and held against their stored tree, as an auditor would."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypedDict

from leadglass_agent.audit.proofs import root_at
from leadglass_agent.audit.segments import closed_segments
from leadglass_agent.audit.verify import verify_segments

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.log import AuditLog
    from leadglass_agent.audit.verdict import Verdict


class Line(TypedDict):
    """What tests look at in a record."""

    seq: int
    kind: str
    origin: str
    tree_size: int
    severity: str
    facts: dict[str, str | int]


def files_of(path: Path) -> list[Path]:
    """Lists the files of the log, the oldest first."""
    return [*(segment.path for segment in closed_segments(path)), path]


def lines_in(path: Path) -> list[Line]:
    """Reads all records of the log, over all of its files."""
    return [json.loads(line) for file in files_of(path) for line in file.read_bytes().splitlines()]


def kinds_in(path: Path) -> list[str]:
    """Lists the kinds of all records."""
    return [line["kind"] for line in lines_in(path)]


def verify_whole(path: Path) -> Verdict:
    """Verifies the log, over all of its files."""
    with ExitStack() as stack:
        return verify_segments([stack.enter_context(file.open("rb")) for file in files_of(path)])


def assert_whole(log: AuditLog) -> None:
    """Holds everything that an open log believes against what its files say."""
    verdict = verify_whole(log.path)
    assert verdict.intact, verdict
    assert verdict.head == log.head
    assert verdict.root == log.frontier.root().hex()
    assert log.frontier.size == log.head.seq
    assert log.nodes.size == log.head.seq
    assert root_at(log.head.seq, log.nodes.node) == log.frontier.root()
