"""A log goes on in a new file when one is full, and is one log over all of them, whatever stops it on the way."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.segments import closed_segments, read_records, segment_path, seq_of
from leadglass_agent.errors import AuditUnavailable
from whole_logs import assert_whole, files_of, kinds_in, lines_in, verify_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STARTED = Event(kind=EventKind.AGENT_STARTED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    opened = AuditLog.open(path, SteppingClock(), segment_bytes=1_000)
    opened.append([_STARTED])
    yield opened
    opened.close()


def _write_segments(log: AuditLog, count: int) -> None:
    for _ in range(count):
        log.append([INTENT, OUTCOME, INTENT])
        log.rotate_if_due()


def test_a_file_that_is_full_is_closed_under_the_number_of_its_first_record(path: Path, log: AuditLog) -> None:
    _write_segments(log, 2)
    log.append([OUTCOME])

    assert [file.name for file in files_of(path)] == [
        "audit.jsonl.000000000001",
        "audit.jsonl.000000000007",
        "audit.jsonl",
    ]
    first, second, active = ([line["kind"] for line in lines] for lines in _lines_by_file(path))
    assert first == ["AGENT_STARTED", "CHECKPOINT", "INTENT", "OUTCOME", "INTENT", "CHECKPOINT"]
    assert second == ["SEGMENT_STARTED", "INTENT", "OUTCOME", "INTENT", "CHECKPOINT"]
    assert active == ["SEGMENT_STARTED", "OUTCOME"]
    assert all(file.stat().st_mode & 0o7777 == 0o600 for file in files_of(path))
    assert_whole(log)


def _lines_by_file(path: Path) -> list[list[dict[str, str]]]:
    return [[json.loads(line) for line in file.read_bytes().splitlines()] for file in files_of(path)]


def test_a_file_that_is_not_full_stays(path: Path) -> None:
    log = AuditLog.open(path, SteppingClock())
    log.append([INTENT])
    log.rotate_if_due()
    log.close()

    assert files_of(path) == [path]


def test_a_new_file_says_which_one_it_continues_and_what_the_tree_was(path: Path, log: AuditLog) -> None:
    _write_segments(log, 1)

    started = lines_in(path)[6]
    assert started["kind"] == "SEGMENT_STARTED"
    assert started["facts"] == {"previous": "audit.jsonl.000000000001"}
    assert (started["tree_size"], started["origin"]) == (6, log.signer.origin)


def test_a_new_file_names_the_key_of_the_boot_record_which_may_be_deleted_one_day(path: Path) -> None:
    log = AuditLog.open(path, SteppingClock(), segment_bytes=1)
    log.append([Event(kind=EventKind.AGENT_STARTED, verifier_key="k", certificate="c", key_signature="s")])
    log.rotate_if_due()
    log.close()

    started = _lines_by_file(path)[1][0]
    assert (started["verifier_key"], started["certificate"], started["key_signature"]) == ("k", "c", "s")


def test_a_start_between_two_files_goes_on_from_the_last_one(path: Path, log: AuditLog) -> None:
    _write_segments(log, 1)
    log.append([OUTCOME])
    origin, head = log.signer.origin, log.head
    log.close()
    path.rename(segment_path(path, 7))  # as if the agent was killed right after it closed the file

    again = AuditLog.open(path, SteppingClock(), segment_bytes=1_000)

    assert again.signer.origin == origin
    assert again.head.seq > head.seq
    assert kinds_in(path)[-1] == "SEGMENT_STARTED"
    assert_whole(again)
    again.close()


@pytest.mark.parametrize("length", [0, 1, 50, 400])
def test_a_start_in_a_new_file_whose_first_record_is_torn_begins_it_again(
    path: Path, log: AuditLog, length: int
) -> None:
    _write_segments(log, 1)
    log.close()
    path.write_bytes(path.read_bytes()[:length])

    again = AuditLog.open(path, SteppingClock(), segment_bytes=1_000)
    again.append([OUTCOME])

    assert kinds_in(path)[6:] == ["SEGMENT_STARTED", *["TAIL_REPAIRED"] * (length > 0), "OUTCOME"]
    assert_whole(again)
    again.close()


@pytest.mark.parametrize("content", [b"", b"somebody's"])
def test_what_lies_under_a_closed_name_is_moved_aside_with_a_record_of_it(
    path: Path, log: AuditLog, content: bytes
) -> None:
    segment_path(path, 1).write_bytes(content)

    _write_segments(log, 2)

    assert (path.parent / "audit.jsonl.foreign.1").read_bytes() == content
    assert len(files_of(path)) == 3
    (record,) = (line for line in lines_in(path) if line["kind"] == "AUDIT_RECOVERED")
    assert record["severity"] == "CRITICAL"
    assert record["facts"] == {
        "cause": "NAME_TAKEN",
        "name": "audit.jsonl.000000000001",
        "foreign_1": "audit.jsonl.foreign.1",
    }
    assert_whole(log)


def test_a_closed_name_that_cannot_be_freed_is_recorded_once_and_the_file_grows_on(path: Path, log: AuditLog) -> None:
    taken = segment_path(path, 1)
    taken.write_bytes(b"somebody's")
    names = [path.parent / f"audit.jsonl.foreign.{number}" for number in range(1, 100)]
    for name in names:
        name.touch()

    _write_segments(log, 3)

    assert taken.read_bytes() == b"somebody's"
    assert log.writable
    taken.unlink()
    (record,) = (line for line in lines_in(path) if line["kind"] == "AUDIT_RECOVERED")
    assert record["facts"] == {"cause": "NAME_TAKEN", "name": taken.name, "not_moved": "EEXIST"}
    log.rotate_if_due()
    assert len(files_of(path)) == 2
    assert_whole(log)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes in directories that are read-only")
def test_a_directory_that_takes_no_names_keeps_the_log_in_its_file(path: Path, log: AuditLog) -> None:
    path.parent.chmod(0o500)
    try:
        _write_segments(log, 2)
        log.append([OUTCOME])
    finally:
        path.parent.chmod(0o700)

    assert files_of(path) == [path]
    _write_segments(log, 1)
    assert len(files_of(path)) == 2
    assert_whole(log)


def test_a_directory_that_cannot_be_changed_keeps_the_log_in_its_file(path: Path, log: AuditLog) -> None:
    if subprocess.run(["chattr", "+a", path.parent], check=False, capture_output=True).returncode != 0:
        pytest.skip("chattr +a needs root and a file system that knows it")
    try:
        _write_segments(log, 2)
        log.append([OUTCOME])
        assert files_of(path) == [path]
    finally:
        subprocess.run(["chattr", "-a", path.parent], check=True)

    _write_segments(log, 1)
    assert len(files_of(path)) == 2
    assert_whole(log)


def test_a_new_file_that_cannot_be_made_breaks_the_log_until_it_can(path: Path, log: AuditLog) -> None:
    log.append([INTENT, OUTCOME, INTENT])
    closed = segment_path(path, 1)
    log.rotate_if_due()
    path.unlink()
    path.mkdir()  # what stands in the new file's way

    with pytest.raises(AuditUnavailable):
        log.append([OUTCOME])
    assert closed.exists()
    path.rmdir()
    log.append([OUTCOME])

    assert kinds_in(path)[-2:] == ["AUDIT_RECOVERED", "OUTCOME"]


def test_records_are_read_from_any_number_on_over_all_files(path: Path, log: AuditLog) -> None:
    _write_segments(log, 4)
    log.append([INTENT])
    everything = [line for file in files_of(path) for line in file.read_bytes().splitlines()]

    for first in range(1, log.head.seq + 2):
        assert list(log.read(first)) == everything[first - 1 :]
    assert log.first_seq == 1


def test_records_are_found_in_a_large_file_without_reading_what_is_before(path: Path) -> None:
    log = AuditLog.open(path, SteppingClock())
    for _ in range(40):
        log.append([INTENT] * 50)

    for first in (1, 777, 1_024, 1_999, 2_000):
        read = read_records(path, first, 2_000)
        seq, line = next(read)
        read.close()
        assert seq == seq_of(line) == first
        assert [seq for seq, _ in read_records(path, first, first + 3)] == list(range(first, min(first + 4, 2_001)))
    log.close()


def test_a_reader_sees_every_record_once_while_files_are_closed_under_it(log: AuditLog) -> None:
    _write_segments(log, 3)
    last = log.head.seq
    reading = log.read(1)
    seen = [seq_of(next(reading)) for _ in range(7)]

    _write_segments(log, 3)
    seen += [seq_of(line) for line in reading]

    assert seen == list(range(1, last + 1))


def test_an_attempt_that_was_never_acknowledged_is_not_read(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    log.close()
    whole = path.read_bytes()
    log = AuditLog.open(path, SteppingClock())
    head = log.head.seq
    with path.open("ab") as stream:
        stream.write(whole.splitlines(keepends=True)[-1].replace(b'"seq":4', b'"seq":5'))

    assert len(list(log.read(1))) == head
    log.close()


def test_other_files_beside_the_log_are_none_of_its_segments(path: Path, log: AuditLog) -> None:
    for name in ("audit.jsonl.1", "audit.jsonl.000000000009.gz", "audit.jsonl.00000000000a", "other.000000000001"):
        (path.parent / name).write_bytes(b"x")
    (path.parent / "audit.jsonl.000000000005").mkdir()
    (path.parent / "audit.jsonl.000000000004").symlink_to(path)

    assert closed_segments(path) == ()
    assert verify_whole(path).intact
    assert log.first_seq == 1
