"""Only whole, old, shipped files are deleted, each after a record of it, and what remains verifies."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, START, SteppingClock
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.retention import deletable
from leadglass_agent.audit.segments import closed_segments, seq_of
from leadglass_agent.errors import AuditUnavailable
from whole_logs import files_of, kinds_in, lines_in, verify_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EVER = 1e11  # seconds since 1970, in some three thousand years


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    """Gives a log of four closed files of five records each, and one that is written."""
    opened = AuditLog.open(path, SteppingClock(), segment_bytes=1)
    opened.append([Event(kind=EventKind.AGENT_STARTED), INTENT, INTENT, INTENT])
    opened.rotate_if_due()
    for _ in range(3):
        opened.append([INTENT, INTENT, INTENT])
        opened.rotate_if_due()
    yield opened
    opened.close()


def test_files_that_are_old_and_shipped_go_and_the_log_says_so(path: Path, log: AuditLog) -> None:
    oldest = files_of(path)[0]
    content = oldest.read_bytes()

    log.delete_shipped(_EVER, 5)

    assert not oldest.exists()
    assert log.first_seq == 6
    last = lines_in(path)[-1]
    assert last["kind"] == "SEGMENT_DELETED"
    assert last["facts"] == {
        "first_seq": 1,
        "last_seq": 5,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert len(files_of(path)) == 4


def test_what_remains_verifies_under_the_noted_head(path: Path, log: AuditLog) -> None:
    log.delete_shipped(_EVER, 10)
    log.close()

    again = AuditLog.open(path, SteppingClock())
    assert again.frontier == log.frontier
    again.append([INTENT])
    assert [seq_of(line) for line in again.read(1)] == list(range(11, again.head.seq + 1))
    again.close()
    verdict = verify_whole(path)
    assert verdict.head == again.head
    assert verdict.root == again.frontier.root().hex()


@pytest.mark.parametrize(("shipped", "left"), [(0, 4), (4, 4), (5, 3), (9, 3), (10, 2), (1_000, 0)])
def test_a_file_stays_until_its_last_record_is_shipped(path: Path, log: AuditLog, shipped: int, left: int) -> None:
    log.delete_shipped(_EVER, shipped)

    assert len(closed_segments(path)) == left


def test_a_file_stays_until_its_last_record_is_old(path: Path, log: AuditLog) -> None:
    start = START.unix_ns / 1e9
    log.delete_shipped(start, 1_000)
    assert len(closed_segments(path)) == 4
    log.delete_shipped(start + 1e6, 1_000)
    assert closed_segments(path) == ()


def test_the_file_that_is_written_is_never_deleted(path: Path, log: AuditLog) -> None:
    log.delete_shipped(_EVER, 1_000_000)
    log.delete_shipped(_EVER, 1_000_000)

    assert files_of(path) == [path]
    assert path.exists()
    assert log.writable


def test_a_file_that_does_not_end_in_a_record_stays_with_all_after_it(path: Path, log: AuditLog) -> None:
    oldest = files_of(path)[0]
    with oldest.open("ab") as stream:
        stream.write(b"{}\n")

    log.delete_shipped(_EVER, 1_000)

    assert len(closed_segments(path)) == 4
    assert list(deletable(path, _EVER, 1_000)) == []


def test_nothing_is_deleted_that_the_log_cannot_say(path: Path, log: AuditLog) -> None:
    path.unlink()
    path.write_bytes(b"")
    path.chmod(0o644)  # somebody else's

    with pytest.raises(AuditUnavailable):
        log.delete_shipped(_EVER, 1_000)

    assert len(closed_segments(path)) == 4


def test_a_kill_between_the_record_and_the_deletion_is_made_good_by_the_next_one(path: Path, log: AuditLog) -> None:
    oldest = files_of(path)[0]
    content = oldest.read_bytes()
    log.delete_shipped(_EVER, 5)
    oldest.write_bytes(content)
    oldest.chmod(0o600)

    log.delete_shipped(_EVER, 5)

    assert not oldest.exists()
    assert kinds_in(path).count("SEGMENT_DELETED") == 2
