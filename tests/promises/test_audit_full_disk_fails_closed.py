"""Promise: while the disk does not take records nothing is acknowledged, and the log recovers by itself afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock, verify_file
from faulty_fs import FaultyFileSystem, mounted
from leadglass_agent.audit.file import AuditLogRefused, LogFile, has_room
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    opened.append(INTENT)
    yield opened
    opened.close()


def _append_until_refused(log: AuditLog) -> int:
    """Returns the number of the last record that was acknowledged before the disk was full."""
    for _ in range(1_000):
        acknowledged = log.head.seq
        try:
            log.append(OUTCOME)
        except AuditUnavailable:
            return acknowledged
    pytest.fail("the disk did not fill up")


def _kinds(path: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in path.read_bytes().splitlines()]


def _recovered_cause(path: Path) -> str:
    cause: str = json.loads(path.read_bytes().splitlines()[-1])["facts"]["cause"]
    return cause


@needs_mount
def test_a_full_disk_refuses_until_space_is_freed(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        path = tmp_path / "audit.jsonl"
        log = AuditLog.open(path, SteppingClock())
        log.append(INTENT)
        filler = tmp_path / "filler"
        filler.write_bytes(b"x" * (64 * 1024 - 2 * 4096))
        acknowledged = _append_until_refused(log)
        assert not log.probe()
        with pytest.raises(AuditUnavailable, match="NO_ROOM"):
            log.append(OUTCOME)
        assert log.head.seq == acknowledged

        filler.unlink()

        assert log.probe()
        log.append(INTENT)
        verdict = verify_file(path)
        assert verdict.intact
        assert verdict.head == log.head
        assert _kinds(path)[acknowledged:] in (
            ["TAIL_REPAIRED", "AUDIT_RECOVERED", "INTENT"],  # the last write was short
            ["AUDIT_RECOVERED", "INTENT"],  # it fitted to the byte, and the next found no space at all
        )
        log.close()


@needs_mount
def test_a_disk_that_fills_up_is_noticed_before_a_call_is(tmp_path: Path) -> None:
    with _tmpfs(tmp_path):
        log = AuditLog.open(tmp_path / "audit.jsonl", SteppingClock())
        log.append(INTENT)
        assert log.probe()

        (tmp_path / "filler").write_bytes(b"x" * 50_000)

        assert not log.probe()
        (tmp_path / "filler").unlink()
        assert log.probe()
        assert _kinds(tmp_path / "audit.jsonl") == ["INTENT"]
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
        log.append(INTENT)
        (tmp_path / "filler").write_bytes(b"x" * (64 * 1024 - 2 * 4096))
        acknowledged = _append_until_refused(log)
        (tmp_path / "filler").unlink()
        # A broken log holds no descriptor, else this would be refused as busy.
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)

        assert not log.probe()
        with pytest.raises(AuditUnavailable, match="EROFS"):
            log.append(OUTCOME)
        with path.open("rb") as stream:  # as a descriptor that was opened before the disk became read-only
            assert not has_room(LogFile(path, stream.fileno(), 0, 0))

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
        log.append(INTENT)
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("1")  # ext4(5): then errors=remount-ro acts

        for _ in range(3):
            with pytest.raises(AuditUnavailable, match="EROFS"):
                log.append(OUTCOME)
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
            log.append(OUTCOME)
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
            log.append(OUTCOME)
    assert log.head.seq == 1

    disk.fsync_error = 0
    log.append(INTENT)

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

    log.append(OUTCOME)

    assert disk.fsyncs == before + 1


@needs_fuse
@pytest.mark.fuse
def test_a_disk_that_takes_a_few_bytes_at_a_time_refuses(tmp_path: Path, disk: FaultyFileSystem, log: AuditLog) -> None:
    disk.write_at_most = 7
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="SHORT_WRITE"):
            log.append(OUTCOME)

    disk.write_at_most = 65_536
    log.append(OUTCOME)

    path = tmp_path / "audit.jsonl"
    assert _kinds(path) == ["INTENT", "TAIL_REPAIRED", "AUDIT_RECOVERED", "OUTCOME"]
    assert verify_file(path).intact


@needs_fuse
@pytest.mark.fuse
def test_a_disk_that_opens_nothing_refuses_until_it_does(tmp_path: Path, disk: FaultyFileSystem, log: AuditLog) -> None:
    disk.write_error = errno.EIO
    with pytest.raises(AuditUnavailable):
        log.append(OUTCOME)
    disk.write_error = 0
    disk.open_error = errno.EROFS

    assert not log.probe()
    with pytest.raises(AuditUnavailable, match="EROFS"):
        log.append(OUTCOME)

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
        log.append(OUTCOME)
    disk.write_error = 0
    size = (tmp_path / "audit.jsonl").stat().st_size

    with pytest.raises(AuditUnavailable, match="NO_ROOM"):
        log.append(OUTCOME)

    assert (tmp_path / "audit.jsonl").stat().st_size == size
