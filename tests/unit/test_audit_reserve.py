"""Room behind the end of the log is really the log's: nobody else gets it, and it costs no bytes of the file."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.audit.file import open_file
from leadglass_agent.audit.reserve import HALT_BYTES, NoRoom, Reserve, raise_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.audit.file import LogFile

_CAP_SYS_ADMIN = 1 << 21  # capabilities(7)


def _can_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)
    return False


needs_mount = pytest.mark.skipif(not _can_mount(), reason="mounting a file system needs CAP_SYS_ADMIN")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", directory], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


def _opened(directory: Path) -> LogFile:
    return open_file(directory / "audit.jsonl")


def _free(directory: Path) -> int:
    space = os.statvfs(directory)
    return space.f_bavail * space.f_frsize


@needs_mount
def test_what_is_reserved_is_taken_from_the_disk_and_not_added_to_the_file(small_disk: Path) -> None:
    file = _opened(small_disk)
    before = _free(small_disk)

    Reserve(file.path).ensure(file, 0, 10_000)

    assert before - _free(small_disk) >= 10_000 + HALT_BYTES
    assert file.path.stat().st_size == 0
    os.close(file.fd)


@needs_mount
def test_what_is_reserved_can_be_written_when_the_disk_is_full(small_disk: Path) -> None:
    file = _opened(small_disk)
    reserve = Reserve(file.path)
    reserve.ensure(file, 0, 10_000)
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(filler, b"x" * 4_096)
    assert _free(small_disk) == 0

    with pytest.raises(NoRoom, match="ENOSPC"):
        reserve.ensure(file, 0, 200_000)
    assert os.write(file.fd, b"r" * (10_000 + HALT_BYTES)) == 10_000 + HALT_BYTES
    os.fdatasync(file.fd)
    os.close(filler)
    os.close(file.fd)


@needs_mount
def test_a_small_disk_is_not_taken_whole(small_disk: Path) -> None:
    file = _opened(small_disk)

    Reserve(file.path).ensure(file, 0, 1_000)

    assert _free(small_disk) > 200_000
    os.close(file.fd)


@needs_mount
def test_the_nearer_the_disk_is_to_its_end_the_less_is_reserved_but_never_less_than_is_needed(small_disk: Path) -> None:
    file = _opened(small_disk)
    reserve = Reserve(file.path)
    written = 0
    with suppress(NoRoom):
        while True:
            reserve.ensure(file, written, 1_000)
            written += os.write(file.fd, b"x" * 1_000)

    assert written > 200_000
    assert os.write(file.fd, b"h" * HALT_BYTES) == HALT_BYTES
    os.close(file.fd)


def test_another_file_has_a_reserve_of_its_own(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "audit.jsonl")
    first = _opened(tmp_path)
    reserve.ensure(first, 0, 1_000)
    first.path.rename(tmp_path / "moved")
    second = _opened(tmp_path)

    reserve.ensure(second, 0, 1_000)

    blocks = [os.fstat(file.fd).st_blocks for file in (first, second)]
    if blocks[0] == 0:
        pytest.skip("the file system of the tests' directory reserves nothing")
    assert blocks[1] > 0
    os.close(first.fd)
    os.close(second.fd)


_LOWERED = """
import resource, sys
sys.path[:0] = sys.argv[1:]
from leadglass_agent.audit.reserve import raise_limit
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 5_000))
raise_limit(resource.RLIMIT_FSIZE, 1_000)
print(*resource.getrlimit(resource.RLIMIT_FSIZE))
raise_limit(resource.RLIMIT_FSIZE, 10_000)
print(*resource.getrlimit(resource.RLIMIT_FSIZE))
"""


def test_a_lowered_soft_limit_is_raised_to_the_hard_one_and_no_further() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOWERED, *sys.path], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.splitlines() == ["5000 5000", "5000 5000"]


def test_a_limit_that_is_high_enough_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    raise_limit(resource.RLIMIT_NOFILE, 3)

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
