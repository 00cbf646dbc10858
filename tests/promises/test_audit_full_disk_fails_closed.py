"""Promise: while the disk does not take records nothing is acknowledged, and the log recovers by itself afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import grpc
import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock, lines_of, verify_file
from faulty_fs import FaultyFileSystem, mounted
from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_agent.audit.checkpoint import open_note
from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable
from running_agent import reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Line(TypedDict):
    kind: str
    facts: dict[str, str | int]


_CAP_SYS_ADMIN = 1 << 21  # capabilities(7): mount needs it, and root in a container may not have it


def _can_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)
    return False


needs_mount = pytest.mark.skipif(not _can_mount(), reason="mounting a file system needs CAP_SYS_ADMIN")
needs_fuse = pytest.mark.skipif(
    not (_can_mount() and os.access("/dev/fuse", os.R_OK | os.W_OK)),
    reason="a FUSE file system of our own needs CAP_SYS_ADMIN and /dev/fuse",
)


needs_ext4 = pytest.mark.skipif(
    not (_can_mount() and Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4")),
    reason="an ext4 file system of our own needs CAP_SYS_ADMIN, loop devices and mkfs.ext4",
)


@contextmanager
def _ext4(image: Path, directory: Path) -> Iterator[str]:
    """Mounts the image as disks usually are, and gives the name of its device."""
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, directory], check=True)
    try:
        found = subprocess.run(["findmnt", "-n", "-o", "SOURCE", directory], check=True, capture_output=True, text=True)
        yield Path(found.stdout.strip()).name
    finally:
        subprocess.run(["umount", directory], check=True)


@contextmanager
def _tmpfs(directory: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyFileSystem]:
    with mounted(tmp_path) as file_system:
        yield file_system


@pytest.fixture
def log(tmp_path: Path, disk: FaultyFileSystem) -> Iterator[AuditLog]:
    del disk  # mounted before the log is opened
    opened = AuditLog.open(tmp_path / "audit.jsonl", SteppingClock())
    opened.append([INTENT])
    yield opened
    opened.close()


def _append_until_refused(log: AuditLog) -> int:
    """Returns the number of the last record that was acknowledged before the disk was full."""
    for _ in range(1_000):
        acknowledged = log.head.seq
        try:
            log.append([OUTCOME])
        except AuditUnavailable:
            return acknowledged
    pytest.fail("the disk did not fill up")


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _lines(path: Path) -> list[_Line]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _kinds(path: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in path.read_bytes().splitlines()]


def _recovered_cause(path: Path) -> str:
    cause: str = json.loads(path.read_bytes().splitlines()[-1])["facts"]["cause"]
    return cause


def _fill(directory: Path) -> Path:
    """Takes what is left of the disk, to the last page."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"x" * 4_096)
    return filler


@needs_mount
def test_a_full_disk_is_said_in_the_log_and_refuses_until_space_is_freed(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        path = tmp_path / "audit.jsonl"
        log = AuditLog.open(path, SteppingClock())
        log.append([INTENT])
        filler = _fill(tmp_path)
        acknowledged = _append_until_refused(log)
        assert not log.probe()
        for _ in range(3):
            with pytest.raises(AuditUnavailable, match="NO_ROOM"):
                log.append([OUTCOME])
        lines = _lines(path)
        assert lines[-1]["kind"] == "AUDIT_HALT"
        assert lines[-1]["facts"] == {"cause": "ENOSPC"}
        assert log.head.seq == acknowledged + 1

        filler.unlink()

        assert log.probe()
        log.append([INTENT])
        verdict = verify_file(path)
        assert verdict.intact
        assert verdict.head == log.head
        assert _kinds(path)[acknowledged:] == ["AUDIT_HALT", "AUDIT_RECOVERED", "INTENT"]
        assert _lines(path)[-2]["facts"]["records_refused"] == 4
        log.close()


@needs_mount
def test_whatever_the_length_of_the_records_a_full_disk_is_always_said(tmp_path: Path) -> None:
    for length in range(0, 900, 60):
        directory = tmp_path / str(length)
        directory.mkdir()
        with _tmpfs(directory):
            path = directory / "audit.jsonl"
            log = AuditLog.open(path, SteppingClock())
            for _ in range(1_000):
                try:
                    log.append([replace(INTENT, detail="x" * length)] * 3)
                except AuditUnavailable:
                    break
            assert _kinds(path)[-1] == "AUDIT_HALT"
            assert verify_file(path).intact
            log.close()


@needs_mount
def test_the_last_word_of_a_full_disk_is_signed_however_long_the_name_of_the_log(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        path = tmp_path / "audit.jsonl"
        log = AuditLog.open(path, SteppingClock(), origin_base="o" * 480)
        notes: list[str] = []
        log.on_checkpoint = notes.append
        log.append([Event(kind=EventKind.AGENT_STARTED)])
        _fill(tmp_path)
        _append_until_refused(log)

        assert _kinds(path)[-2:] == ["AUDIT_HALT", "CHECKPOINT"]
        assert open_note(notes[-1], log.signer.verifier_key).size == log.head.seq - 1
        log.close()
        assert _kinds(path)[-1] == "CHECKPOINT"


@needs_mount
def test_a_disk_without_room_for_a_record_is_noticed_before_a_call_is(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        log = AuditLog.open(tmp_path / "audit.jsonl", SteppingClock())
        log.append([INTENT])
        filler = _fill(tmp_path)

        assert not log.probe()
        filler.unlink()
        assert log.probe()
        assert _kinds(tmp_path / "audit.jsonl") == ["INTENT"]

        _fill(tmp_path)
        assert log.probe()  # the room for one more is reserved
        log.close()


@needs_mount
def test_a_full_disk_at_the_start_refuses_the_repair_and_keeps_the_torn_line(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        path = tmp_path / "audit.jsonl"
        path.write_bytes(b'{"torn":')
        path.chmod(0o600)
        (tmp_path / "filler").write_bytes(b"x" * 50_000)

        with pytest.raises(AuditLogRefused, match="NO_ROOM"):
            AuditLog.open(path, SteppingClock())

        assert path.read_bytes() == b'{"torn":'


@needs_mount
def test_a_disk_that_became_read_only_refuses_until_it_is_writable_again(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        path = tmp_path / "audit.jsonl"
        log = AuditLog.open(path, SteppingClock())
        log.append([INTENT])
        filler = _fill(tmp_path)
        acknowledged = _append_until_refused(log)
        filler.unlink()
        # A broken log holds no descriptor, else this would be refused as busy.
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)

        assert not log.probe()
        with pytest.raises(AuditUnavailable, match="EROFS"):
            log.append([OUTCOME])

        subprocess.run(["mount", "-o", "remount,rw", tmp_path], check=True)
        assert log.probe()
        assert verify_file(path).intact
        assert verify_file(path).records > acknowledged
        log.close()


@needs_ext4
def test_a_file_system_that_turned_read_only_at_an_error_refuses_until_it_is_mounted_again(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(8 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    directory = tmp_path / "disk"
    directory.mkdir()
    path = directory / "audit.jsonl"
    with _ext4(image, directory) as device:
        log = AuditLog.open(path, SteppingClock())
        log.append([INTENT])
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("1")  # ext4(5): then errors=remount-ro acts

        for _ in range(3):
            with pytest.raises(AuditUnavailable, match="EROFS"):
                log.append([OUTCOME])
        assert not log.probe()

    with _ext4(image, directory):
        assert log.probe()
        assert _kinds(path) == ["INTENT", "AUDIT_RECOVERED"]
        assert _recovered_cause(path) == "EROFS"
        log.close()


@needs_fuse
@pytest.mark.fuse
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_failing_write_refuses_until_it_works_again(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog, number: int
) -> None:
    disk.write_error = number
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match=errno.errorcode[number]):
            log.append([OUTCOME])
    assert not log.writable
    assert not log.probe()

    disk.write_error = 0

    assert log.probe()
    path = tmp_path / "audit.jsonl"
    assert _kinds(path) == ["INTENT", "AUDIT_RECOVERED"]
    assert _recovered_cause(path) == errno.errorcode[number]
    assert verify_file(path).intact


@needs_fuse
@pytest.mark.fuse
@pytest.mark.parametrize("loses_data", [False, True], ids=["data stays", "data is lost"])
def test_a_record_whose_fdatasync_failed_is_never_acknowledged_and_never_kept(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog, *, loses_data: bool
) -> None:
    disk.fsync_error = errno.EIO
    disk.fsync_loses_data = loses_data
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="EIO"):
            log.append([OUTCOME])
    assert log.head.seq == 1

    disk.fsync_error = 0
    log.append([INTENT])

    path = tmp_path / "audit.jsonl"
    kinds = _kinds(path)
    assert "OUTCOME" not in kinds
    assert [kind for kind in kinds if kind != "TAIL_REPAIRED"] == ["INTENT", "AUDIT_RECOVERED", "INTENT"]
    assert ("TAIL_REPAIRED" in kinds) is not loses_data
    assert verify_file(path).intact


@needs_fuse
@pytest.mark.fuse
def test_an_append_returns_only_after_the_disk_was_told_to_sync(disk: FaultyFileSystem, log: AuditLog) -> None:
    before = disk.fsyncs

    log.append([OUTCOME])

    assert disk.fsyncs == before + 1


@needs_fuse
@pytest.mark.fuse
def test_a_disk_that_takes_a_few_bytes_at_a_time_refuses(tmp_path: Path, disk: FaultyFileSystem, log: AuditLog) -> None:
    disk.write_at_most = 7
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="SHORT_WRITE"):
            log.append([OUTCOME])

    disk.write_at_most = 65_536
    log.append([OUTCOME])

    path = tmp_path / "audit.jsonl"
    assert _kinds(path) == ["INTENT", "TAIL_REPAIRED", "AUDIT_RECOVERED", "OUTCOME"]
    assert verify_file(path).intact


@needs_fuse
@pytest.mark.fuse
def test_a_disk_that_opens_nothing_refuses_until_it_does(tmp_path: Path, disk: FaultyFileSystem, log: AuditLog) -> None:
    disk.write_error = errno.EIO
    with pytest.raises(AuditUnavailable):
        log.append([OUTCOME])
    disk.write_error = 0
    disk.open_error = errno.EROFS

    assert not log.probe()
    with pytest.raises(AuditUnavailable, match="EROFS"):
        log.append([OUTCOME])

    disk.open_error = 0
    assert log.probe()
    assert _recovered_cause(tmp_path / "audit.jsonl") == "EIO"


@needs_fuse
@pytest.mark.fuse
def test_a_disk_without_free_blocks_is_not_healthy_and_gets_no_torn_line(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog
) -> None:
    disk.free_blocks = 0
    assert not log.probe()
    disk.write_error = errno.ENOSPC
    with pytest.raises(AuditUnavailable, match="ENOSPC"):
        log.append([OUTCOME])
    disk.write_error = 0
    size = (tmp_path / "audit.jsonl").stat().st_size

    with pytest.raises(AuditUnavailable, match="NO_ROOM"):
        log.append([OUTCOME])

    assert (tmp_path / "audit.jsonl").stat().st_size == size


@needs_fuse
@pytest.mark.fuse
def test_a_write_that_stops_at_any_byte_is_refused_and_leaves_a_log_that_verifies(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog
) -> None:
    path = tmp_path / "audit.jsonl"
    length = sum(map(len, lines_of([OUTCOME, INTENT], log.head)))
    for taken in range(length):
        disk.write_at_most = taken
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME, INTENT])
        assert not log.writable

        disk.write_at_most = 65_536
        assert log.probe()
        assert log.writable

    verdict = verify_file(path)
    assert verdict.intact
    assert verdict.head == log.head
    kinds = _kinds(path)
    assert kinds[:4] == ["INTENT", "AUDIT_RECOVERED", "TAIL_REPAIRED", "AUDIT_RECOVERED"]
    assert kinds.count("INTENT") == 1
    assert "OUTCOME" not in kinds


@needs_fuse
@pytest.mark.fuse
def test_a_recovery_says_why_how_long_and_how_many_calls_were_refused(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog
) -> None:
    disk.write_at_most = 10
    for _ in range(4):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME, INTENT])
    disk.write_at_most = 65_536

    log.append([OUTCOME])

    lines = _lines(tmp_path / "audit.jsonl")
    assert [line["kind"] for line in lines] == ["INTENT", "TAIL_REPAIRED", "AUDIT_RECOVERED", "OUTCOME"]
    recovered = lines[2]["facts"]
    assert recovered["cause"] == "SHORT_WRITE"
    assert recovered["records_refused"] == 8
    assert int(recovered["broken_ms"]) >= 4_000
    assert lines[1]["facts"]["pieces"] == 4  # the refused events, and three attempts to record their repair
    assert verify_file(tmp_path / "audit.jsonl").intact


@needs_fuse
@pytest.mark.fuse
def test_a_repair_that_cannot_be_recorded_stops_the_start(tmp_path: Path, disk: FaultyFileSystem) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(lines_of([INTENT, OUTCOME])[0][:-1])
    path.chmod(0o600)
    disk.write_at_most = 50

    with pytest.raises(AuditLogRefused, match="cannot be recorded: SHORT_WRITE"):
        AuditLog.open(path, SteppingClock())


@needs_fuse
@pytest.mark.fuse
def test_records_of_an_agent_that_took_over_meanwhile_are_kept_and_continued(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog
) -> None:
    path = tmp_path / "audit.jsonl"
    disk.write_error = errno.EIO
    with pytest.raises(AuditUnavailable, match="EIO"):
        log.append([OUTCOME])
    disk.write_error = 0
    other = AuditLog.open(path, SteppingClock())
    other.append([OUTCOME])

    with pytest.raises(AuditUnavailable, match="another agent"):
        log.append([INTENT])
    other.close()
    log.append([INTENT])

    assert verify_file(path).intact
    assert verify_file(path).root == log.frontier.root().hex()
    facts = _lines(path)[2]["facts"]
    assert (facts["expected_seq"], facts["found_seq"], facts["records_refused"]) == (1, 2, 2)


@needs_fuse
@pytest.mark.fuse
def test_failures_leave_no_descriptor_open(disk: FaultyFileSystem, log: AuditLog) -> None:
    before = _open_descriptors()
    disk.write_at_most = 5
    for _ in range(5):
        with pytest.raises(AuditUnavailable):
            log.append([OUTCOME])
    disk.write_at_most = 65_536
    log.append([OUTCOME])

    assert _open_descriptors() == before


@needs_fuse
@pytest.mark.fuse
def test_a_disk_that_reserves_nothing_keeps_a_file_in_place_of_the_room(
    tmp_path: Path, disk: FaultyFileSystem, log: AuditLog
) -> None:
    stand_in = tmp_path / "audit.jsonl.reserve"
    assert stand_in.stat().st_size >= 4_096
    disk.free_blocks = 0

    with pytest.raises(AuditUnavailable, match="ENOSPC"):
        log.append([OUTCOME])

    assert _kinds(tmp_path / "audit.jsonl") == ["INTENT", "AUDIT_HALT"]
    assert not stand_in.exists()
    disk.free_blocks = 1_000
    log.append([OUTCOME])
    assert stand_in.exists()
    assert _kinds(tmp_path / "audit.jsonl") == ["INTENT", "AUDIT_HALT", "AUDIT_RECOVERED", "OUTCOME"]
    assert verify_file(tmp_path / "audit.jsonl").intact


def test_a_text_that_is_followed_ends_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    followed = tmp_path / "app.log"
    followed.write_text("started\n", encoding="utf-8")
    (tmp_path / "agent").mkdir()
    with running_agent(tmp_path / "agent") as agent:
        caller = agent.caller()
        process = common_pb2.ProcessRef(pid=os.getpid())
        lines = caller.inspect.ReadText(
            inspect_pb2.ReadTextRequest(process=process, path=str(followed), follow=True),
            timeout=60,
            metadata=(("leadglass-session", caller.session_id),),
        )
        assert next(lines).lines
        folder, away = agent.audit_log.parent, tmp_path / "away"
        folder.rename(away)
        try:
            with pytest.raises(grpc.RpcError) as ended:
                for _ in lines:
                    pass
        finally:
            away.rename(folder)
        assert reason_of(ended.value) == "AUDIT_UNAVAILABLE"
