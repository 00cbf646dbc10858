"""What the barrier reads: environments of processes as they come, change and go, and files of secret mounts."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from gathering import gather_here, gather_nothing
from leadglass_agent.barrier.barrier import Barrier
from leadglass_agent.errors import KnownValue, KnownValuesUnread
from leadglass_agent.views.procfs import open_proc
from sample_processes import OnDisk, lay_out, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FIRST, _SECOND = "first-Value-4711", "second-Value-0815"
_FAR_NS = 60_000_000_000


def _origins(barrier: Barrier, text: str, pid: int = 0) -> set[str]:
    return set(barrier.held(text.encode(), pid, time.monotonic_ns() + _FAR_NS).values())


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[tuple[Path, Barrier]]:
    folder = tmp_path / "proc"
    proc = open_proc(lay_out(folder, OnDisk(pid=7, environment=f"A_TOKEN={_FIRST}\0LANG=C\0".encode())))
    yield folder, Barrier(proc, gather_here)
    proc.close()


def test_a_variable_is_named_with_its_process(on_disk: tuple[Path, Barrier]) -> None:
    assert _origins(on_disk[1], f"x {_FIRST} y") == {"environment variable A_TOKEN of process 7"}
    assert _origins(on_disk[1], "x first-Value-4710 LANG=C y") == set()


def test_a_name_that_holds_a_value_is_not_told(tmp_path: Path) -> None:
    block = f"TOKEN_{_FIRST}_KEY={_FIRST}\0".encode()
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=block)))
    assert _origins(Barrier(proc, gather_here), _FIRST) == {"environment variable (unnamed) of process 7"}
    proc.close()


def test_a_hostile_name_is_told_in_plain_characters_and_cut(tmp_path: Path) -> None:
    block = b"\xff\xe2\x80\xae" + b"TOKEN" * 100 + f"={_FIRST}\0".encode()
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=block)))
    (origin,) = _origins(Barrier(proc, gather_here), _FIRST)
    assert origin.startswith("environment variable \\xff")
    assert len(origin.encode()) < 400
    proc.close()


def test_what_an_exec_brings_is_known_at_once_to_a_call_about_the_process(on_disk: tuple[Path, Barrier]) -> None:
    folder, barrier = on_disk
    assert _origins(barrier, _SECOND, 7) == set()
    (folder / "7" / "environ").write_bytes(f"A_TOKEN={_SECOND}\0".encode())
    assert _origins(barrier, _SECOND, 7) == {"environment variable A_TOKEN of process 7"}
    # A log may still hold what the process had before.
    assert _origins(barrier, _FIRST, 7) != set()


def test_a_new_process_is_known_to_a_call_about_all(on_disk: tuple[Path, Barrier], tmp_path: Path) -> None:
    folder, barrier = on_disk
    assert _origins(barrier, _SECOND) == set()
    lay_out(tmp_path / "other", OnDisk(pid=8, environment=f"B_TOKEN={_SECOND}\0".encode()))
    (tmp_path / "other" / "8").rename(folder / "8")
    assert _origins(barrier, _SECOND) == {"environment variable B_TOKEN of process 8"}


def test_nothing_is_answered_before_every_process_was_read(on_disk: tuple[Path, Barrier]) -> None:
    barrier = on_disk[1]
    with pytest.raises(KnownValuesUnread):
        barrier.held(b"harmless", 0, time.monotonic_ns() - 1)
    assert _origins(barrier, _FIRST) != set()


def test_more_values_than_the_small_filter_takes_are_read_again_into_the_large_one(tmp_path: Path) -> None:
    block = b"".join(f"TOKEN_{number}=the-{number}-Value-{number * 7919}\0".encode() for number in range(2_500))
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=block)))
    barrier = Barrier(proc, gather_here)
    for number in (0, 1_249, 2_499):
        assert _origins(barrier, f"the-{number}-Value-{number * 7919}") == {
            f"environment variable TOKEN_{number} of process 7",
        }
    proc.close()


def test_a_pod_with_more_values_than_can_be_kept_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadglass_agent.barrier.barrier.SMALL_PIECES", 50)
    monkeypatch.setattr("leadglass_agent.barrier.barrier.MAX_PIECES", 100)
    block = b"".join(f"TOKEN_{number}=the-{number}-Value-{number * 7919}\0".encode() for number in range(50))
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=block)))
    barrier = Barrier(proc, gather_here)
    for _ in range(2):
        with pytest.raises(KnownValuesUnread):
            _origins(barrier, "harmless")
    proc.close()


def test_a_reply_made_of_ends_of_known_values_is_withheld(tmp_path: Path) -> None:
    block = b"".join(f"TOKEN_{number}={'xyz12' * number}-abcdefgh\0".encode() for number in range(1, 7))
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=block)))
    with pytest.raises(KnownValue):
        _origins(Barrier(proc, gather_here), "abcdefgh" * 20_000)
    proc.close()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[], Barrier]]:
    proc = open_proc()
    yield lambda: Barrier(proc, gather_here, (str(tmp_path / "secret"),))
    proc.close()


def test_files_of_a_mount_are_known_and_other_files_are_not(mounted: Callable[[], Barrier], tmp_path: Path) -> None:
    # As the kubelet lays a Secret out: a link to a link, so that all files change at once.
    inner = tmp_path / "secret" / "..2026_11_22"
    inner.mkdir(parents=True)
    (inner / "api-token").write_text(f"{_FIRST}\n")
    (tmp_path / "secret" / "..data").symlink_to("..2026_11_22")
    (tmp_path / "secret" / "api-token").symlink_to("..data/api-token")
    (tmp_path / "api-token").write_text(f"{_SECOND}\n")
    with running() as pid:
        barrier = mounted()
        assert {origin.rpartition(" of ")[0] for origin in _origins(barrier, _FIRST, pid)} == {
            "secret mount's file api-token",
        }
        assert _origins(barrier, _SECOND, pid) == set()


def test_pipes_and_devices_in_a_mount_are_passed_over(mounted: Callable[[], Barrier], tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    os.mkfifo(tmp_path / "secret" / "a-pipe")
    (tmp_path / "secret" / "a-loop").symlink_to("a-loop")
    (tmp_path / "secret" / "zero").symlink_to("/dev/zero")
    (tmp_path / "secret" / "token").write_text(_FIRST)
    with running() as pid:
        assert _origins(mounted(), _FIRST, pid) != set()


def test_no_copy_is_left_behind(mounted: Callable[[], Barrier], tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with running() as pid:
        before = _children()
        _origins(mounted(), "harmless", pid)
        assert _children() == before


def _children() -> list[int]:
    own = os.getpid()
    with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as text:  # noqa: PTH123 - one line
        return [int(number) for number in text.read().split()]


_MOUNTS = """\
22 21 0:5 / / rw - overlay overlay rw
23 22 0:6 / /dev/shm rw - tmpfs shm rw
24 22 0:7 / /etc/creds\\040of\\040shop rw - tmpfs tmpfs rw,size=65536k
25 22 0:8 / /cache rw - tmpfs tmpfs rw
26 22 8:1 /x /run/secrets/db-credential rw - ext4 /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("path", "is_known"),
    [
        ("etc/creds of shop/..data/key", True),
        ("run/secrets/db-credential", True),
        ("run/secrets/folder/token", True),
        ("cache/session", False),
        ("dev/shm/thing", False),
        ("home/key", False),
    ],
)
def test_secret_volumes_are_told_from_other_mounts(tmp_path: Path, path: str, is_known: bool) -> None:  # noqa: FBT001 - a parameter of the test
    folder, root = tmp_path / "proc", tmp_path / "root"
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(_FIRST)
    proc = open_proc(lay_out(folder, OnDisk(pid=7)))
    (folder / "7" / "ns").mkdir()
    (folder / "7" / "ns" / "mnt").symlink_to("mnt:[4026531841]")
    (folder / "7" / "mountinfo").write_text(_MOUNTS)
    (folder / "7" / "root").symlink_to(root)
    assert bool(_origins(Barrier(proc, gather_here), _FIRST, 7)) is is_known
    proc.close()


def test_a_mount_that_hangs_keeps_back_what_is_about_its_process_alone(tmp_path: Path) -> None:
    folder = tmp_path / "proc"
    proc = open_proc(lay_out(folder, OnDisk(pid=7), OnDisk(pid=8)))
    (folder / "7" / "ns").mkdir()
    (folder / "7" / "ns" / "mnt").symlink_to("mnt:[4026531841]")
    (folder / "7" / "mountinfo").write_text(_MOUNTS)
    (folder / "7" / "root").symlink_to(tmp_path)
    barrier = Barrier(proc, gather_nothing)
    assert _origins(barrier, "harmless") == set()
    assert _origins(barrier, "harmless", 8) == set()
    with pytest.raises(KnownValuesUnread):
        _origins(barrier, "harmless", 7)
    proc.close()
