"""The journal is durable or refuses, survives a kill at any byte, and never begins a budget anew by mistake."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faulty_fs import mounted
from journal_writer import calls_spent, restored
from leadglass_agent.access.accounts import AccountKey, Dimension, Spent
from leadglass_agent.access.halt_reviews import HaltOwed, HaltReviewed, HaltReviewId
from leadglass_agent.access.journal import (
    COMPACT_BYTES,
    MAX_BYTES,
    MAX_LINE,
    Entry,
    Journal,
    JournalRefused,
    journal_path,
)
from leadglass_agent.access.reveals import Begun, Closed, RevealAsked, RevealBook, RevealId, Undone, UsedGrants
from leadglass_agent.clock import Instant
from leadglass_agent.errors import AuditUnavailable, ReviewOwed
from leadglass_agent.policy.model import BreakGlass
from policies import ALICE, MALLORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITER = Path(__file__).parent.parent / "support" / "journal_writer.py"
_CAP_SYS_ADMIN = 1 << 21  # capabilities(7): mount needs it, and root in a container may not have it


def _can_mount() -> bool:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return bool(int(status["CapEff"], 16) & _CAP_SYS_ADMIN) and os.access("/dev/fuse", os.R_OK | os.W_OK)


needs_fuse = pytest.mark.skipif(
    not _can_mount(), reason="a FUSE file system of our own needs CAP_SYS_ADMIN and /dev/fuse"
)


def entry(number: int, names: int = 2) -> Spent:
    return Spent(
        key=AccountKey("grant:g"),
        until_unix=9,
        counters={Dimension.CALLS: number},
        names=tuple(bytes([number % 256, name % 256]) * 8 for name in range(names)),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl.spent"


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Opens the journal as the agent does at its start: what it holds is written anew before anything else."""
    found = Journal.open(path)
    try:
        found.journal.compact(found.entries)
        yield found.journal
    finally:
        found.journal.close()


def read(path: Path) -> tuple[Entry, ...]:
    found = Journal.open(path)
    found.journal.close()
    return found.entries


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Lets no file grow beyond the size: the write that crosses it is short, the next one fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


DIGESTS = st.lists(st.binary(min_size=16, max_size=16), max_size=4).map(tuple)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.integers(-(2**62), 2**62)
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        Spent,
        key=TEXTS.map(AccountKey),
        until_unix=NUMBERS,
        counters=st.dictionaries(st.sampled_from(Dimension), NUMBERS),
        names=DIGESTS,
        paths=DIGESTS,
    ),
    st.builds(
        Begun,
        reveal_id=TEXTS.map(RevealId),
        caller=st.just(ALICE),
        name=TEXTS,
        ticket=TEXTS,
        reason=TEXTS,
        unix_ns=NUMBERS,
        grant_id=TEXTS,
        is_review_owed=st.booleans(),
    ),
    st.builds(Undone, reveal_id=TEXTS.map(RevealId)),
    st.builds(Closed, reveal_id=TEXTS.map(RevealId), closer=st.just(MALLORY), finding=TEXTS, unix_ns=NUMBERS),
    st.builds(UsedGrants, digests=DIGESTS),
    st.builds(
        HaltOwed,
        review_id=TEXTS.map(HaltReviewId),
        caller=st.just(ALICE),
        cause=TEXTS,
        session_id=TEXTS,
        ticket=TEXTS,
        reason=TEXTS,
        unix_ns=NUMBERS,
    ),
    st.builds(HaltReviewed, review_id=TEXTS.map(HaltReviewId), closer=st.just(MALLORY), finding=TEXTS, unix_ns=NUMBERS),
)


@settings(max_examples=60)
@given(st.lists(st.lists(ENTRIES, max_size=4), max_size=6), st.lists(ENTRIES, max_size=4))
def test_what_was_written_is_read_back_in_its_order(batches: list[list[Entry]], snapshot: list[Entry]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "journal"
        with opened(path) as journal:
            journal.compact(snapshot)
            for batch in batches:
                journal.append(batch)
        assert read(path) == tuple(chain(snapshot, *batches))


def test_an_entry_is_in_the_file_when_append_returns(path: Path) -> None:
    with opened(path) as journal:
        for number in range(5):
            journal.append((entry(number),))
            assert len(path.read_bytes().splitlines()) == number + 1


def test_the_first_journal_says_that_it_is_new(path: Path) -> None:
    found = Journal.open(path)
    found.journal.close()
    assert (found.is_new, found.entries) == (True, ())
    again = Journal.open(path)
    again.journal.close()
    assert not again.is_new


def test_the_journal_lies_beside_the_audit_log_and_others_cannot_read_it(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "audit.jsonl")
    assert path.parent == tmp_path
    before = os.umask(0)
    try:
        with opened(path) as journal:
            journal.append((entry(1),))
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_nothing_is_appended_before_all_was_written_anew(path: Path) -> None:
    found = Journal.open(path)
    assert found.journal.wants_compaction
    with pytest.raises(AuditUnavailable):
        found.journal.append((entry(1),))
    found.journal.compact(())
    assert not found.journal.wants_compaction
    found.journal.append((entry(1),))
    found.journal.close()
    assert read(path) == (entry(1),)


def test_a_journal_that_is_cut_at_any_byte_holds_every_line_before(path: Path) -> None:
    with opened(path) as journal:
        for number in range(3):
            journal.append((entry(number, names=0), Undone(RevealId(str(number)))))
    whole = path.read_bytes()
    ends = [at for at in range(len(whole) + 1) if whole[:at].endswith(b"\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        lines = sum(end <= cut for end in ends)
        pairs = ((entry(number, names=0), Undone(RevealId(str(number)))) for number in range(lines))
        expected = tuple(chain.from_iterable(pairs))
        assert read(path) == expected
        if cut % 8 == 0:
            with opened(path) as journal:
                journal.append((entry(9),))
            assert read(path) == (*expected, entry(9))


def test_a_last_line_that_the_disk_never_got_whole_is_dropped(path: Path) -> None:
    with opened(path) as journal:
        journal.append((entry(1),))
        journal.append((entry(2),))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[:first] + b"\0" * (len(whole) - first - 1) + b"\n")
    assert read(path) == (entry(1),)


def test_damage_before_the_end_stops_the_start_and_the_file_stays(path: Path) -> None:
    with opened(path) as journal:
        for number in range(3):
            journal.append((entry(number),))
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for damaged in (
        whole.replace(b'"calls":1', b'"calls":0'),
        whole[:second] + b"\n" + whole[second:],
        whole[:second] + b"not ours\n" + whole[second:],
        whole[second - 3 :],
    ):
        assert damaged != whole
        path.write_bytes(damaged)
        with pytest.raises(JournalRefused, match="damaged"):
            Journal.open(path)
        assert path.read_bytes() == damaged


@settings(max_examples=150)
@given(st.data())
def test_no_single_changed_byte_gives_other_entries(data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "journal"
        with opened(path) as journal:
            for number in range(3):
                journal.append((entry(number),))
        whole = bytearray(path.read_bytes())
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(whole)
        try:
            found = read(path)
        except JournalRefused:
            return
        assert found == tuple(map(entry, range(2)))


def test_an_entry_of_another_kind_stops_the_start(path: Path) -> None:
    with opened(path) as journal:
        journal.append((Undone(RevealId("x")),))
    assert b"undone" in path.read_bytes()
    encoded = b'[{"entry":"of a later agent"}]'
    digest = hashlib.sha256(encoded).hexdigest().encode()
    path.write_bytes(b'{"sha256":"' + digest + b'","entries":' + encoded + b"}\n")
    with pytest.raises(JournalRefused, match="does not know"):
        Journal.open(path)


def test_a_file_that_is_not_the_agents_own_stops_the_start(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(mode=0o600)
    link, directory, pipe, shared = (tmp_path / name for name in ("link", "directory", "pipe", "shared"))
    link.symlink_to(target)
    directory.mkdir()
    os.mkfifo(pipe, 0o600)
    shared.touch()
    shared.chmod(0o640)
    for path in (link, directory, pipe, shared, tmp_path / "absent" / "journal"):
        with pytest.raises(JournalRefused):
            Journal.open(path)


def test_a_second_agent_is_refused_also_after_the_file_was_written_anew(path: Path) -> None:
    with opened(path) as journal:
        for _ in range(2):
            with pytest.raises(JournalRefused, match="another agent"):
                Journal.open(path)
            journal.compact((entry(1),))
    assert read(path) == (entry(1),)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_stops_the_start(path: Path) -> None:
    path.touch(mode=0o600)
    os.chown(path, 65_534, 65_534)
    with pytest.raises(JournalRefused, match="belongs to user 65534"):
        Journal.open(path)


@needs_fuse
def test_a_disk_that_does_not_open_or_sync_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with mounted(tmp_path) as disk:
        disk.fsync_error = errno.EIO
        with pytest.raises(JournalRefused, match="EIO"):
            Journal.open(path)
        disk.fsync_error = 0
        disk.open_error = errno.EIO
        with pytest.raises(JournalRefused, match="EIO"):
            Journal.open(path)
        disk.open_error = 0
        with opened(path) as journal:
            journal.append((entry(1),))
        assert read(path) == (entry(1),)


def test_a_journal_that_is_too_large_stops_the_start(path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(JournalRefused, match="larger"):
        Journal.open(path)


def test_a_line_without_an_end_takes_bounded_memory_and_stops_the_start(path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, 3 * MAX_LINE)
    with pytest.raises(JournalRefused, match="damaged"):
        Journal.open(path)


def test_an_entry_that_is_too_long_for_a_line_is_refused(path: Path) -> None:
    with opened(path) as journal, pytest.raises(AuditUnavailable, match="TOO_LARGE"):
        journal.append((entry(1, names=MAX_LINE // 20),))


def test_a_journal_that_has_grown_is_written_anew(path: Path) -> None:
    with opened(path) as journal:
        for number in range(COMPACT_BYTES // 200_000 + 2):
            assert path.stat().st_size <= COMPACT_BYTES + 400_000
            if journal.wants_compaction:
                break
            journal.append((entry(number, names=10_000),))
        assert journal.wants_compaction
        journal.compact((entry(7),))
        assert not journal.wants_compaction
    assert read(path) == (entry(7),)


def test_a_write_that_stops_at_any_byte_is_refused_and_all_is_written_anew(path: Path) -> None:
    with opened(path) as journal:
        journal.append((entry(1),))
        size = path.stat().st_size
        for taken in range(size):
            with file_size_limit(path.stat().st_size + taken), pytest.raises(AuditUnavailable):
                journal.append((entry(2),))
            with pytest.raises(AuditUnavailable):
                journal.append((entry(3),))
            journal.compact((entry(1),))
    assert read(path) == (entry(1),)


def test_a_disk_that_is_full_when_all_is_written_anew_keeps_the_old_file(path: Path) -> None:
    with opened(path) as journal:
        journal.append((entry(1),))
        whole = path.read_bytes()
        for taken in range(0, len(whole) + 1, 7):
            with file_size_limit(taken), pytest.raises(AuditUnavailable):
                journal.compact((entry(1), entry(2)))
            assert path.read_bytes() == whole
            assert [file.name for file in path.parent.iterdir()] == [path.name]
        journal.append((entry(2),))
    assert read(path) == (entry(1), entry(2))


def test_what_a_killed_agent_left_beside_the_journal_is_no_hindrance(path: Path) -> None:
    with opened(path) as journal:
        journal.append((entry(1),))
    path.with_name(path.name + ".new").write_bytes(b"half a lin")
    with opened(path) as journal:
        journal.append((entry(2),))
    assert read(path) == (entry(1), entry(2))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_journal_that_was_removed_replaced_or_written_by_others_is_noticed(path: Path) -> None:
    def replaced() -> None:
        path.rename(path.with_name("aside"))
        path.touch(mode=0o600)

    def appended() -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with opened(path) as journal:
        for touch in (path.unlink, replaced, appended, lambda: os.truncate(path, 3)):
            touch()
            with pytest.raises(AuditUnavailable):
                journal.append((entry(2),))
            journal.compact((entry(1),))
            journal.append((entry(2),))
            assert len(path.read_bytes().splitlines()) == 2


def test_a_closed_journal_stays_closed(path: Path) -> None:
    with opened(path) as journal:
        journal.append((entry(1),))
    journal.close()
    for write in (journal.append, journal.compact):
        with pytest.raises(AuditUnavailable, match="closed"):
            write((entry(2),))
    assert read(path) == (entry(1),)


def test_a_refusal_says_a_code_and_the_caller_reads_the_fixed_text(path: Path) -> None:
    with opened(path) as journal, file_size_limit(1), pytest.raises(AuditUnavailable) as caught:
        journal.compact((entry(1),))
    assert "SHORT_WRITE" in str(caught.value)
    assert str(path) not in caught.value.public


def test_failures_leave_no_descriptor_open(path: Path) -> None:
    with opened(path) as journal:
        before = open_descriptors()
        for _ in range(5):
            with file_size_limit(1), pytest.raises(AuditUnavailable):
                journal.compact((entry(1),))
            with pytest.raises(JournalRefused):
                Journal.open(path)
            journal.compact((entry(1),))
        assert open_descriptors() == before


@needs_fuse
@pytest.mark.parametrize("fault", ["write", "fsync", "fsync that loses"])
def test_a_dying_disk_is_never_believed(tmp_path: Path, fault: str) -> None:
    with mounted(tmp_path) as disk, opened(tmp_path / "journal") as journal:
        journal.append((entry(1),))
        disk.write_error = errno.ENOSPC if fault == "write" else 0
        disk.fsync_error = 0 if fault == "write" else errno.EIO
        disk.fsync_loses_data = fault == "fsync that loses"
        for write in (journal.append, journal.compact, journal.append):
            with pytest.raises(AuditUnavailable):
                write((entry(2),))
        disk.write_error = disk.fsync_error = 0
        with pytest.raises(AuditUnavailable):
            journal.append((entry(2),))
        journal.compact((entry(1), entry(2)))
        journal.append((entry(3),))
        journal.close()
        assert read(tmp_path / "journal") == (entry(1), entry(2), entry(3))


@needs_fuse
def test_every_entry_costs_one_sync(tmp_path: Path) -> None:
    with mounted(tmp_path) as disk, opened(tmp_path / "journal") as journal:
        before = disk.fsyncs
        for number in range(5):
            journal.append((entry(number), entry(number)))
        assert disk.fsyncs - before == 5
        journal.append(())
        assert disk.fsyncs - before <= 6


def _write_until_killed(path: Path, seconds: float) -> int:
    """Runs a writer, kills it some time after its first entry, and returns how many calls it said were durable."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, _WRITER, path], stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        said = writer.stdout.readline()
        time.sleep(seconds)  # the moment of the kill, nothing is waited for
        writer.kill()
        said += writer.stdout.read()
    return int(said.split()[-1])


@pytest.mark.parametrize(
    "kills", [pytest.param(8, id="8 kills"), pytest.param(200, id="200 kills", marks=pytest.mark.slow)]
)
def test_what_was_durably_spent_is_spent_after_a_kill(path: Path, kills: int) -> None:
    chance = random.Random(11)  # noqa: S311  # moments of a test, not secrets
    for _ in range(kills):
        durable = _write_until_killed(path, chance.uniform(0, 0.05))
        calls, names = calls_spent(restored(read(path)))
        # One more may have reached the disk before its writer could say so.
        assert durable <= calls <= durable + 1
        assert names == calls


def test_a_review_that_is_owed_is_owed_after_a_restart(path: Path) -> None:
    asked = RevealAsked(ALICE, "grant", "DB_PASSWORD", "OPS-1", "checkout cannot log in", approvals=2, minutes=5)
    break_glass = BreakGlass(
        names=("DB_*",), approvals=2, approvers=("approver",), max_minutes=5, per_month=3, review_owed=True
    )
    reveals = RevealBook(lambda: "one")
    with opened(path) as journal:
        journal.append((reveals.begin(asked, break_glass, Instant(0, 1)),))
    again = RevealBook(lambda: "another")
    again.restore(entry for entry in read(path) if not isinstance(entry, Spent | HaltOwed | HaltReviewed))
    assert len(again.owed()) == 1
    assert again.owed() == reveals.owed()
    with pytest.raises(ReviewOwed):
        again.begin(asked, break_glass, Instant(0, 2))
