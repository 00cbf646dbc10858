"""The log is durable or refuses, notices who touches it, and goes on with a record of what happened."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock, lines_of, verify_bytes, verify_file
from leadglass_agent.audit.chain import MAX_SEQ, Fault, Head
from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import leaf_hash
from leadglass_agent.errors import AuditUnavailable
from tampering import changed, rechained

if TYPE_CHECKING:
    from collections.abc import Iterator


_UNDER_A_HARD_LIMIT = """
import resource, sys
from pathlib import Path
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import now
from leadglass_agent.errors import AuditUnavailable
log = AuditLog.open(Path(sys.argv[1]), now)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    log.append([Event(kind=EventKind.INTENT)])
except AuditUnavailable as error:
    print(error)
    print(error.public)
"""


class _Line(TypedDict):
    seq: int
    kind: str
    facts: dict[str, str | int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    opened = AuditLog.open(path, SteppingClock())
    yield opened
    opened.close()


@contextmanager
def _soft_limit(limit: int, value: int) -> Iterator[None]:
    """Lowers what this process may do, as any neighbour of the same user can."""
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(limit, before)


def _lines(path: Path) -> list[_Line]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def test_an_event_is_in_the_file_when_append_returns(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    assert [line["kind"] for line in _lines(path)] == ["INTENT"]
    log.append([OUTCOME])
    assert [line["seq"] for line in _lines(path)] == [1, 2]
    assert verify_file(path).head == log.head


def test_a_log_that_is_opened_again_continues_its_chain(path: Path) -> None:
    for _ in range(3):
        log = AuditLog.open(path, SteppingClock())
        log.append([INTENT])
        log.append([OUTCOME])
        log.close()

    verdict = verify_file(path)
    assert verdict.intact
    assert verdict.last_seq == 6


def test_a_line_cut_at_any_byte_is_repaired_with_a_record_of_it(path: Path) -> None:
    whole, last = lines_of([INTENT, OUTCOME])
    for length in range(1, len(last)):
        _write(path, whole + last[:length])

        AuditLog.open(path, SteppingClock()).close()

        lines = _lines(path)
        assert [line["kind"] for line in lines] == ["INTENT", "TAIL_REPAIRED"]
        digest = hashlib.sha256(last[:length]).hexdigest()
        assert lines[-1]["facts"] == {"bytes": length, "pieces": 1, "sha256": digest}
        assert verify_file(path).intact


def test_a_first_line_that_is_torn_is_repaired_too(path: Path) -> None:
    _write(path, lines_of([INTENT])[0][:100])

    AuditLog.open(path, SteppingClock()).close()

    assert [line["kind"] for line in _lines(path)] == ["TAIL_REPAIRED"]
    assert verify_file(path).intact


def test_a_last_line_that_is_no_record_stops_the_start_and_stays(path: Path) -> None:
    first, second = lines_of([INTENT, OUTCOME])
    data = first + second.replace(b'"rows":2', b'"rows":3')
    _write(path, data)

    with pytest.raises(AuditLogRefused, match=r"HASH_MISMATCH.*leadglass audit verify"):
        AuditLog.open(path, SteppingClock())
    assert path.read_bytes() == data


def test_a_place_that_does_not_exist_or_takes_no_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AuditLogRefused, match="ENOENT"):
        AuditLog.open(tmp_path / "missing" / "audit.jsonl", SteppingClock())
    with pytest.raises(AuditLogRefused, match="EISDIR"):
        AuditLog.open(tmp_path, SteppingClock())


def test_a_removed_file_is_noticed_and_a_new_one_does_not_hide_it(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    expected = log.head
    path.unlink()

    with pytest.raises(AuditUnavailable, match="FILE_REPLACED"):
        log.append([OUTCOME])
    log.append([OUTCOME])

    verdict = verify_file(path)
    assert verdict.fault is not None
    assert verdict.fault.fault is Fault.FRONTIER_UNVOUCHED  # nobody signs that the log began with this file
    started, recovered = _lines(path)[:2]
    assert started["kind"] == "SEGMENT_STARTED"
    facts = recovered["facts"]
    assert facts["cause"] == "FILE_REPLACED"
    assert (facts["expected_seq"], facts["expected_hash"], facts["found_seq"]) == (1, expected.digest, 0)
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_log_that_was_moved_away_goes_on_in_a_new_file_and_both_verify_as_one(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    old = path.with_suffix(".1")
    path.rename(old)

    assert not log.probe()
    assert log.probe()
    log.append([OUTCOME])

    assert verify_bytes(old.read_bytes() + path.read_bytes()).intact
    assert verify_bytes(old.read_bytes()).intact


def test_a_file_that_somebody_else_put_in_place_is_not_written(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    path.unlink()
    path.write_bytes(b"")
    path.chmod(0o666)

    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME])
    assert path.read_bytes() == b""


def test_records_that_vanish_behind_the_agents_back_leave_a_gap_that_verification_shows(
    path: Path, log: AuditLog
) -> None:
    log.append([INTENT])
    after_first = path.stat().st_size
    log.append([OUTCOME])
    log.append([INTENT])
    os.truncate(path, after_first)

    with pytest.raises(AuditUnavailable, match="SIZE_CHANGED"):
        log.append([OUTCOME])
    log.append([OUTCOME])

    verdict = verify_file(path)
    assert verdict.fault is not None
    assert (verdict.fault.fault, verdict.fault.line) == (Fault.SEQ_GAP, 2)
    facts = _lines(path)[1]["facts"]
    assert (facts["expected_seq"], facts["found_seq"]) == (3, 1)


def test_a_line_that_somebody_appends_is_never_cut_and_nothing_is_written_after_it(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    with path.open("ab") as stream:
        stream.write(b'{"forged":true}\n')
    data = path.read_bytes()

    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME])

    assert not log.probe()
    assert path.read_bytes() == data


def test_a_torn_line_that_somebody_appends_is_cut_with_a_record_of_it(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    with path.open("ab") as stream:
        stream.write(b'{"forged":tr')

    assert not log.probe()
    assert log.probe()

    facts = _lines(path)[1]["facts"]
    assert facts == {"bytes": 12, "pieces": 1, "sha256": hashlib.sha256(b'{"forged":tr').hexdigest()}
    assert verify_file(path).intact


def test_a_closed_log_stays_closed(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    log.close()
    log.close()

    with pytest.raises(AuditUnavailable, match="closed"):
        log.append([OUTCOME])
    assert not log.probe()
    assert not log.writable
    assert len(_lines(path)) == 1
    assert log.head == verify_file(path).head


def test_the_longest_event_is_found_again_at_the_end_of_the_log(path: Path, log: AuditLog) -> None:
    long = Event(kind=EventKind.INTENT, arguments=tuple(("paths", "🙂" * 4_000) for _ in range(100)))
    log.append([long])
    log.append([long])
    head = log.head
    log.close()

    again = AuditLog.open(path, SteppingClock())
    assert again.head == head == Head(2, head.digest)
    again.close()


def test_a_neighbour_that_lowers_the_limit_of_file_sizes_stops_nothing(path: Path, log: AuditLog) -> None:
    with _soft_limit(resource.RLIMIT_FSIZE, 10):
        log.append([INTENT])
        log.append([OUTCOME])

    assert [line["kind"] for line in _lines(path)] == ["INTENT", "OUTCOME"]


def test_a_neighbour_that_lowers_the_limit_of_open_files_does_not_keep_a_broken_log_broken(
    path: Path, log: AuditLog
) -> None:
    log.append([INTENT])
    path.rename(path.with_suffix(".1"))
    assert not log.probe()

    with _soft_limit(resource.RLIMIT_NOFILE, 3):
        log.append([OUTCOME])

    assert [line["kind"] for line in _lines(path)] == ["SEGMENT_STARTED", "AUDIT_RECOVERED", "OUTCOME"]


def test_a_hard_limit_refuses_with_a_code_for_the_log_and_nothing_for_the_caller(path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _UNDER_A_HARD_LIMIT, path], capture_output=True, text=True, check=True, timeout=120
    )

    private, public = child.stdout.splitlines()
    assert "SHORT_WRITE" in private
    assert str(path) not in public
    AuditLog.open(path, SteppingClock()).close()
    assert [line["kind"] for line in _lines(path)] == ["TAIL_REPAIRED"]
    assert verify_file(path).intact


def _forged(path: Path, count: int, *, seed: bytes = b"") -> bytes:
    """Makes another history from the log's own lines, with more records: everything fits, but it never happened."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines = [changed(line, caller="spiffe://test.leadglass/user/mallory") for line in lines] * count
    return seed + b"".join(rechained(lines, 0))


def _put_in_place(path: Path, data: bytes) -> None:
    fresh = path.with_name("fresh")
    _write(fresh, data)
    fresh.rename(path)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("loses_nodes", [False, True])
def test_a_foreign_history_in_the_logs_place_is_moved_aside_and_never_signed(
    path: Path, log: AuditLog, count: int, *, loses_nodes: bool
) -> None:
    log.append([Event(kind=EventKind.AGENT_STARTED)])
    log.append([INTENT, OUTCOME])
    acknowledged, tree, own = log.head, log.frontier, path.read_bytes()
    forged = _forged(path, count)
    _put_in_place(path, forged)
    if loses_nodes:
        path.with_name("audit.jsonl.tree").unlink()

    assert not log.probe()
    written = log.append([OUTCOME])

    assert path.with_name("audit.jsonl.foreign.1").read_bytes() == forged
    started, recovered = _lines(path)[:2]
    assert (started["kind"], started["seq"]) == ("SEGMENT_STARTED", acknowledged.seq + 1)
    assert (recovered["kind"], recovered["facts"]["foreign_1"]) == ("AUDIT_RECOVERED", "audit.jsonl.foreign.1")
    assert recovered["facts"]["expected_hash"] == acknowledged.digest
    assert recovered["facts"]["found_seq"] == len(forged.splitlines())
    assert written.before.size == tree.size + 2
    assert verify_bytes(own + path.read_bytes()).fault is None  # the one history that this process has told of


def test_a_true_last_record_on_top_of_another_history_changes_nothing_of_the_tree(path: Path, log: AuditLog) -> None:
    log.append([Event(kind=EventKind.AGENT_STARTED)])
    log.append([INTENT, OUTCOME])
    lines = path.read_bytes().splitlines(keepends=True)
    before = log.frontier
    forged = [changed(line, detail="never happened") for line in lines[:-1]]
    (further,) = lines_of([OUTCOME], log.head)
    _put_in_place(path, b"".join((*rechained(forged, 0), lines[-1], further)))

    assert not log.probe()
    log.append([OUTCOME])

    expected = before.plus(leaf_hash(further[:-1]))
    for line in path.read_bytes().splitlines()[len(lines) + 1 :]:
        expected = expected.plus(leaf_hash(line))
    assert log.frontier == expected
    assert not verify_file(path).intact


def test_records_that_another_agent_added_meanwhile_are_gone_on_from(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    with path.open("ab") as stream:
        stream.write(b"".join(lines_of([OUTCOME, INTENT], log.head)))

    assert not log.probe()
    log.append([OUTCOME])

    assert [line["kind"] for line in _lines(path)] == ["INTENT", "OUTCOME", "INTENT", "AUDIT_RECOVERED", "OUTCOME"]
    assert verify_file(path).intact
    assert not path.with_name("audit.jsonl.foreign.1").exists()


def test_a_foreign_closed_file_does_not_lend_its_numbers_to_a_log_whose_own_is_gone(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    own = path.read_bytes()
    forged = _forged(path, 5)
    path.unlink()
    _write(path.with_name("audit.jsonl.000000000001"), forged)

    assert not log.probe()
    log.append([OUTCOME])

    assert path.with_name("audit.jsonl.foreign.1").read_bytes() == forged
    assert list(log.read(1)) == path.read_bytes().splitlines()
    assert verify_bytes(own + path.read_bytes()).intact


def test_a_foreign_file_that_cannot_be_moved_keeps_the_log_broken(path: Path, log: AuditLog) -> None:
    log.append([INTENT])
    forged = _forged(path, 3)
    _put_in_place(path, forged)
    for number in range(1, 100):
        path.with_name(f"audit.jsonl.foreign.{number}").touch()

    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME])
    assert path.read_bytes() == forged


@pytest.mark.parametrize(
    ("field", "number"),
    [("seq", 2**48 + 1), ("seq", 2**63 - 1), ("seq", 10**30), ("boot_ns", 2**63 + 1), ("boot_ns", 10**400)],
)
def test_a_record_with_an_impossible_number_ends_neither_the_process_nor_a_start_without_words(
    path: Path, log: AuditLog, field: str, number: int
) -> None:
    log.append([INTENT])
    bogus = changed(path.read_bytes(), **{field: number})
    _put_in_place(path, bogus)

    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME])
    assert not log.probe()
    log.close()
    with pytest.raises(AuditLogRefused, match="does not end in a valid record"):
        AuditLog.open(path, SteppingClock())


def test_a_log_whose_last_number_is_the_last_that_there_is_refuses_with_words(path: Path) -> None:
    _write(path, changed(lines_of([INTENT])[0], seq=MAX_SEQ))

    log = AuditLog.open(path, SteppingClock())

    with pytest.raises(AuditUnavailable, match="a log ends at record"):
        log.append([OUTCOME])
    log.close()
