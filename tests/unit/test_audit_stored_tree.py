"""The stored nodes of the tree may fail, be behind or be gone: no record waits for them, and they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.node_store import NodeUnknown
from leadglass_agent.audit.record import Event, EventKind
from whole_logs import assert_whole, kinds_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def log(path: Path, clock: SteppingClock) -> Iterator[AuditLog]:
    opened = AuditLog.open(path, clock, segment_bytes=3_000)
    opened.append([Event(kind=EventKind.AGENT_STARTED)])
    yield opened
    opened.close()


def _break_and_recover(log: AuditLog) -> None:
    """Moves the log away, so that it opens all of its files again."""
    log.path.rename(log.path.with_name(f"moved-{log.head.seq}"))
    assert not log.probe()
    assert log.probe()


def test_a_tree_that_cannot_be_opened_again_stops_no_record_and_is_made_up_for(
    path: Path, log: AuditLog, clock: SteppingClock
) -> None:
    tree = path.with_name("audit.jsonl.tree")
    for how in ("directory", "mode"):
        kept = tree.read_bytes()
        log.append([INTENT, OUTCOME])
        if how == "directory":
            tree.unlink()
            tree.mkdir()
        else:
            tree.chmod(0o666)
        _break_and_recover(log)
        log.append([INTENT])
        log.checkpoint(clock())
        log.append([OUTCOME])
        with pytest.raises(NodeUnknown):
            log.nodes.node(0, log.head.seq - 1)

        if how == "directory":
            tree.rmdir()
            tree.write_bytes(kept)
        tree.chmod(0o600)
        log.checkpoint(clock())

        assert log.nodes.size == log.head.seq
        log.nodes.node(0, log.head.seq - 1)


def test_nodes_that_are_missing_come_back_at_the_next_ticks(log: AuditLog, clock: SteppingClock) -> None:
    for _ in range(150):
        log.append([INTENT] * 80)
    log.nodes.truncate(70)
    log.append([OUTCOME])
    assert log.nodes.size == 70

    ticks = 0
    while log.nodes.size != log.head.seq:
        ticks += 1
        assert ticks <= 10
        log.checkpoint(clock())

    assert ticks > 1  # a few at a time: appends wait meanwhile
    assert_whole(log)


def test_nodes_whose_beginning_is_gone_come_back_too(path: Path, log: AuditLog, clock: SteppingClock) -> None:
    for _ in range(4):
        log.append([INTENT] * 70)
        log.rotate_if_due()
    log.delete_shipped(1e11, 100)
    assert log.first_seq > 1
    log.nodes.truncate(0)

    log.append([OUTCOME])
    log.checkpoint(clock())

    assert log.nodes.size == log.head.seq
    with pytest.raises(NodeUnknown):
        log.nodes.node(0, 0)
    log.nodes.node(0, log.first_seq - 1)
    assert "SEGMENT_DELETED" in kinds_in(path)
