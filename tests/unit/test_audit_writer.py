"""Records of many callers become durable together; each caller gets its number, its receipt, or a refusal in time."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock
from faulty_fs import mounted
from leadglass_agent.api.audit_writer import AuditWriter, Recorded
from leadglass_agent.audit.checkpoint import open_note
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.proofs import verify_consistency, verify_inclusion
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import leaf_hash
from leadglass_agent.clock import Instant
from leadglass_agent.errors import AuditUnavailable, RecordUnknown
from leadglass_agent.redaction.redactor import Redactor
from whole_logs import assert_whole, files_of, kinds_in, lines_in, verify_whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CAP_SYS_ADMIN = 1 << 21  # capabilities(7)
_STARTED = Event(kind=EventKind.AGENT_STARTED)
_REFUSED = Event(kind=EventKind.REFUSED, call_id="c")
_MUCH_LATER = Instant(unix_ns=2**62, boot_ns=2**62)


def _can_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)
    return False


needs_fuse = pytest.mark.skipif(
    not (_can_mount() and os.access("/dev/fuse", os.R_OK | os.W_OK)),
    reason="a FUSE file system of our own needs CAP_SYS_ADMIN and /dev/fuse",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@asynccontextmanager
async def _writer(path: Path, segment_bytes: int = 2**26) -> AsyncIterator[tuple[AuditWriter, AuditLog]]:
    log = AuditLog.open(path, SteppingClock(), segment_bytes=segment_bytes)
    writer = AuditWriter(log, Redactor())
    try:
        yield writer, log
    finally:
        writer.close()


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _take_away(path: Path, *, blocked: bool) -> None:
    """Removes the log's file; blocked, nothing can be made in its place."""
    path.unlink()
    if blocked:
        path.mkdir()


def _unblock(path: Path) -> None:
    path.rmdir()


def _damage(path: Path) -> None:
    path.write_bytes(b"\xee" * path.stat().st_size)


def _holds(recorded: Recorded, line: bytes) -> bool:
    """Whether the receipt proves the line by its own key."""
    receipt = recorded.receipt
    if receipt is None or receipt.leaf_hash != leaf_hash(line) or receipt.seq != recorded.seq:
        return False
    state = open_note(receipt.checkpoint, receipt.verifier_key)
    return verify_inclusion(receipt.leaf_hash, receipt.seq - 1, state.size, receipt.hashes, state.root)


async def test_a_record_is_in_the_file_when_append_returns(path: Path) -> None:
    async with _writer(path) as (writer, _):
        assert (await writer.append(INTENT)).seq == 1
        assert kinds_in(path) == ["INTENT"]
        assert (await writer.append(OUTCOME)).seq == 2
        assert kinds_in(path) == ["INTENT", "OUTCOME"]


async def test_appends_that_wait_become_durable_together_and_keep_their_order(path: Path) -> None:
    sizes: list[int] = []
    async with _writer(path) as (writer, log):
        writer.on_commit = lambda records, _: sizes.append(records)
        recorded = await asyncio.gather(*(writer.append(replace(INTENT, call_id=str(n))) for n in range(300)))

        assert [one.seq for one in recorded] == list(range(1, 301))
        assert_whole(log)
    assert sum(sizes) == 300
    assert max(sizes) <= 128
    assert len(sizes) < 100


async def test_records_that_are_large_make_smaller_batches(path: Path) -> None:
    sizes: list[int] = []
    long = replace(INTENT, arguments=(("paths", "/x" * 4_000),) * 4)
    async with _writer(path) as (writer, _):
        writer.on_commit = lambda records, _: sizes.append(records)
        await asyncio.gather(*(writer.append(long) for _ in range(40)))

    assert sum(sizes) == 40
    assert max(sizes) <= 262_144 // 32_000


async def test_each_end_of_a_call_gets_a_receipt_that_proves_its_record(path: Path) -> None:
    async with _writer(path) as (writer, _):
        await writer.append(_STARTED)
        events = [INTENT, OUTCOME, _REFUSED] * 60
        recorded = await asyncio.gather(*(writer.append(event) for event in events))
        lines = {int(line["seq"]): number for number, line in enumerate(lines_in(path))}
        texts = _bytes(path).splitlines()

        for event, one in zip(events, recorded, strict=True):
            if event.kind is EventKind.INTENT:
                assert one.receipt is None
            else:
                assert _holds(one, texts[lines[one.seq]])
                assert not _holds(one, texts[lines[one.seq]] + b" ")


async def test_a_receipt_comes_only_with_a_record_that_is_durable(path: Path) -> None:
    async with _writer(path) as (writer, _):
        await writer.append(OUTCOME)
        _take_away(path, blocked=False)

        with pytest.raises(AuditUnavailable):
            await writer.append(OUTCOME)
        assert not writer.writable
        assert (await writer.append(OUTCOME)).receipt is not None
        assert writer.writable


async def test_all_records_of_a_batch_that_fails_are_refused(path: Path) -> None:
    async with _writer(path) as (writer, _):
        await writer.append(INTENT)
        _take_away(path, blocked=True)
        refused = await asyncio.gather(*(writer.append(INTENT) for _ in range(50)), return_exceptions=True)
        _unblock(path)

        assert all(isinstance(one, AuditUnavailable) for one in refused)
        assert await writer.probe()
        recovered = lines_in(path)[-1]
        assert recovered["kind"] == "AUDIT_RECOVERED"
        assert recovered["facts"]["records_refused"] == 50


async def test_a_caller_who_goes_away_takes_no_record_with_it(path: Path) -> None:
    async with _writer(path) as (writer, _):
        leaving = asyncio.create_task(writer.append(INTENT))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await writer.append(OUTCOME)

    assert kinds_in(path) == ["INTENT", "OUTCOME"]


async def test_what_callers_wrote_is_masked(path: Path) -> None:
    secret = "ghp_" + "x7Kq2mPz9LwR4tVb" + "N8sYc1FdGh5JaE3uQo6i"
    async with _writer(path) as (writer, _):
        await writer.append(
            replace(INTENT, arguments=(("paths", f"/srv/{secret}"),), reason_text=secret, ticket=secret)
        )

    assert secret.encode() not in _bytes(path)
    assert _bytes(path).count(b"[redacted:") == 3


async def test_more_than_wait_for_a_disk_are_refused_at_once(path: Path) -> None:
    async with _writer(path) as (writer, _):
        results = await asyncio.gather(*(writer.append(INTENT) for _ in range(600)), return_exceptions=True)

        refused = [one for one in results if isinstance(one, AuditUnavailable)]
        assert len(refused) == 600 - 512
        assert writer.records_waiting == 0
        assert (await writer.append(OUTCOME)).seq == 513
        assert kinds_in(path).count("INTENT") == 512


@needs_fuse
@pytest.mark.fuse
async def test_a_silent_disk_refuses_in_time_and_the_loop_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "disk"
    directory.mkdir()
    with mounted(directory) as disk:
        log = AuditLog.open(directory / "audit.jsonl", SteppingClock())
        writer = AuditWriter(log, Redactor())
        await writer.append(INTENT)
        disk.silent = True

        with pytest.raises(AuditUnavailable, match="in time"):
            await writer.append(OUTCOME)
        assert not await writer.probe()
        assert not writer.writable


@needs_fuse
@pytest.mark.fuse
async def test_a_receipt_that_was_made_while_the_disk_worked_is_not_given_out_if_it_failed(tmp_path: Path) -> None:
    directory = tmp_path / "disk"
    directory.mkdir()
    with mounted(directory) as disk:
        async with _writer(directory / "audit.jsonl") as (writer, log):
            await writer.append(_STARTED)
            disk.fsync_error = errno.EIO
            refused = await asyncio.gather(*(writer.append(OUTCOME) for _ in range(5)), return_exceptions=True)
            assert [type(one) for one in refused] == [AuditUnavailable] * 5
            disk.fsync_error = 0

            recorded = await writer.append(OUTCOME)
            assert recorded.receipt is not None
            assert kinds_in(log.path).count("OUTCOME") == 1
            assert _holds(recorded, _bytes(log.path).splitlines()[recorded.seq - 1])
            assert_whole(log)


async def test_each_tick_signs_what_has_waited_and_says_so_on_the_loop(path: Path) -> None:
    notes: list[str] = []
    async with _writer(path) as (writer, log):
        writer.on_checkpoint = notes.append
        await writer.append(INTENT)
        await writer.tick(_MUCH_LATER)
        assert notes == []  # nobody knows the key yet

        await writer.append(_STARTED)
        assert open_note(notes.pop(), writer.verifier_key).size == 2  # a start is signed at once
        await writer.append(OUTCOME)
        await writer.tick(Instant(unix_ns=0, boot_ns=0))
        assert notes == []  # nothing has waited long
        await writer.tick(_MUCH_LATER)
        await writer.tick(_MUCH_LATER)  # and an idle log gets none

        assert kinds_in(path) == ["INTENT", "AGENT_STARTED", "CHECKPOINT", "OUTCOME", "CHECKPOINT"]
        state = open_note(notes[0], writer.verifier_key)
        assert (state.size, len(notes)) == (4, 1)
        await writer.append(INTENT)
        assert_whole(log)
    assert kinds_in(path)[-1] == "CHECKPOINT"  # as the log was closed with a record that none covered
    assert len(notes) == 2


async def test_a_checkpoint_comes_with_every_64th_record(path: Path) -> None:
    notes: list[str] = []
    async with _writer(path) as (writer, _):
        writer.on_checkpoint = notes.append
        await writer.append(_STARTED)
        for _ in range(200):
            await writer.append(INTENT)

    kinds = kinds_in(path)
    assert kinds.count("CHECKPOINT") == len(notes) == 5
    assert [number for number, kind in enumerate(kinds) if kind == "CHECKPOINT"][:3] == [1, 66, 131]
    assert verify_whole(path).intact


async def test_each_tick_closes_a_file_that_has_grown_large(path: Path) -> None:
    async with _writer(path, segment_bytes=2_000) as (writer, log):
        await writer.append(_STARTED)
        for _ in range(20):
            await writer.append(INTENT)
            await writer.tick(_MUCH_LATER)

        assert len(files_of(path)) > 3
        assert_whole(log)
        await writer.delete_shipped(1e11, 8)
        assert log.first_seq > 1
        assert "SEGMENT_DELETED" in kinds_in(path)


async def test_the_view_proves_every_record_and_every_earlier_state(path: Path) -> None:
    async with _writer(path, segment_bytes=4_000) as (writer, log):
        await writer.append(_STARTED)
        view = writer.view
        states = []
        for number in range(30):
            await writer.append(OUTCOME if number % 2 else INTENT)
            await writer.tick(_MUCH_LATER)
            states.append(view.checkpoint())
        now = view.checkpoint()
        assert open_note(now.note, now.verifier_key).root == log.frontier.root() == now.root
        assert now.size == log.head.seq == view.last_seq

        for seq, line in enumerate(view.read(1), 1):
            for size in (seq, now.size, 0):
                proof = view.inclusion(seq, size)
                assert proof.leaf_hash == leaf_hash(line)
                assert verify_inclusion(proof.leaf_hash, seq - 1, proof.size, proof.hashes, proof.root)
                assert bool(proof.note) is (proof.size == now.size)
        for state in states:
            both = view.consistency(state.size)
            assert verify_consistency(state.size, state.root, both.size, both.root, both.hashes)


@pytest.mark.parametrize(("seq", "size"), [(0, 0), (-1, 0), (3, 0), (2, 1), (1, 3), (1, -1), (2**70, 0)])
async def test_a_record_that_is_not_there_has_no_proof(path: Path, seq: int, size: int) -> None:
    async with _writer(path) as (writer, _):
        await writer.append(INTENT)
        await writer.append(OUTCOME)

        with pytest.raises(RecordUnknown):
            writer.view.inclusion(seq, size)
        with pytest.raises(RecordUnknown):
            writer.view.consistency(seq or 0, size)


async def test_a_stored_tree_that_somebody_changed_proves_nothing(path: Path) -> None:
    async with _writer(path) as (writer, _):
        for _ in range(9):
            await writer.append(INTENT)
        _damage(path.with_name("audit.jsonl.tree"))

        with pytest.raises(RecordUnknown):
            writer.view.inclusion(3)
        with pytest.raises(RecordUnknown):
            writer.view.consistency(3)
        assert (await writer.append(OUTCOME)).receipt is not None


async def test_a_log_that_was_never_written_is_closed(path: Path) -> None:
    async with _writer(path) as (writer, _):
        assert await writer.probe()
    assert _bytes(path) == b""
