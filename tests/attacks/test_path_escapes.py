"""Paths and links that try to leave the target's root."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views import paths
from leadglass_agent.views.files import list_directory, stat_files
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.rows import FileRow, Unavailable
from sample_processes import EVERY_PATH, paths_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REDACTOR = Redactor()
RENAME_EXCHANGE = 2  # linux/fs.h


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    """Lays out a root with a file in it, and another file of the same path outside."""
    inside = tmp_path / "root"
    for folder in (inside, tmp_path):
        (folder / "etc").mkdir(parents=True)
        (folder / "etc" / "file").write_text("x" * (7 if folder == inside else 7_777))
    return inside


@pytest.fixture
def root(jail: Path) -> Iterator[TargetRoot]:
    fd = os.open(jail, os.O_PATH)
    yield TargetRoot(fd)
    os.close(fd)


def _size(root: TargetRoot, path: str) -> int | Unavailable:
    (row,) = stat_files(root, REDACTOR, EVERY_PATH, [path], follow_symlinks=True)
    return row.size_bytes if isinstance(row, FileRow) else row.reason


@pytest.mark.parametrize(
    "target",
    ["/etc/file", "etc/file", "../etc/file", "/../../../../etc/file", "../" * 30 + "etc/file", "/etc/../../etc/file"],
)
def test_a_link_of_any_spelling_leads_to_the_file_of_the_target(root: TargetRoot, jail: Path, target: str) -> None:
    (jail / "link").symlink_to(target)
    assert _size(root, "/link") == 7


@pytest.mark.parametrize(
    "magic", ["/proc/self/root", "/proc/self/cwd", "/proc/self/fd/0", "/proc/1/root", "/proc/self/exe"]
)
def test_no_magic_link_is_followed(magic: str) -> None:
    """Uses the machine's own root, where a real /proc is mounted."""
    root = TargetRoot(os.open("/", os.O_PATH))
    assert _size(root, magic) in {Unavailable.ESCAPES_ROOT, Unavailable.NOT_FOUND, Unavailable.PERMISSION}
    assert _size(root, f"{magic}/etc/passwd") in {
        Unavailable.ESCAPES_ROOT,
        Unavailable.NOT_FOUND,
        Unavailable.PERMISSION,
    }
    os.close(root.fd)


def test_our_own_magic_links_are_named_an_escape() -> None:
    root = TargetRoot(os.open("/", os.O_PATH))
    for path in ("/proc/self/root", "/proc/self/root/etc/passwd", "/proc/thread-self/root/etc"):
        assert _size(root, path) is Unavailable.ESCAPES_ROOT
    os.close(root.fd)


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/proc/1/stat", "/proc/self", "/sys/kernel", "/sys", "/dev/pts/ptmx"]
)
def test_a_kernel_file_system_inside_the_root_is_refused(path: str) -> None:
    root = TargetRoot(os.open("/", os.O_PATH))
    assert _size(root, path) is Unavailable.KERNEL_FILESYSTEM
    page = list_directory(root, REDACTOR, EVERY_PATH, EVERY_PATH, path, 0, 10)
    assert page.rows == ()
    assert page.unavailable is Unavailable.KERNEL_FILESYSTEM
    os.close(root.fd)


def test_a_link_to_the_kernel_file_system_does_not_help(tmp_path: Path) -> None:
    """Lets the link lie below the machine's own root, since only there is a /proc for it to lead to."""
    root = TargetRoot(os.open("/", os.O_PATH))
    (tmp_path / "environ").symlink_to("/proc/self/environ")
    (tmp_path / "root").symlink_to("/proc/self/root")
    assert _size(root, f"{tmp_path}/environ") is Unavailable.KERNEL_FILESYSTEM
    assert _size(root, f"{tmp_path}/root/etc") is Unavailable.ESCAPES_ROOT
    os.close(root.fd)


@given(st.lists(st.sampled_from(["..", ".", "", "etc", "file", "link", "root", "loop"]), max_size=12).map("/".join))
def test_no_combination_of_components_finds_the_file_outside(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    inside = outside / "root"
    (inside / "etc").mkdir(parents=True)
    (outside / "etc").mkdir()
    (outside / "file").write_text("x" * 7_777)
    (outside / "etc" / "file").write_text("x" * 7_777)
    (inside / "etc" / "file").write_text("x" * 7)
    (inside / "link").symlink_to("../../..")
    (inside / "root").symlink_to("/")
    (inside / "etc" / "link").symlink_to("..")
    (inside / "loop").symlink_to("loop/..")
    root = TargetRoot(os.open(inside, os.O_PATH))
    try:
        assert _size(root, f"/{path}") != 7_777
    except InvalidRequest:
        assert ".." in path.split("/")
    finally:
        os.close(root.fd)


def test_a_folder_that_is_swapped_for_a_link_while_paths_are_read_shows_nothing_of_outside(
    root: TargetRoot, jail: Path, tmp_path: Path
) -> None:
    (jail / "swap").mkdir()
    (jail / "swap" / "file").write_text("x" * 7)
    (jail / "secret").mkdir()
    (jail / "secret" / "file").write_text("x" * 7_777)
    (jail / "other").symlink_to("/secret")
    (jail / "outward").symlink_to(f"../..{tmp_path}/etc")
    stop = threading.Event()
    libc = ctypes.CDLL(None)
    names = [os.fsencode(jail / name) for name in ("swap", "other", "outward")]

    def swap() -> None:
        while not stop.is_set():
            for one, two in ((names[0], names[1]), (names[0], names[2])):
                libc.renameat2(-100, one, -100, two, RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    sizes: set[int | Unavailable] = set()
    try:
        for _ in range(2_000):
            scope = paths_scope("/swap/**", "/other/**", "/outward/**")
            (row,) = stat_files(root, REDACTOR, scope, ["/swap/file"], follow_symlinks=True)
            sizes.add(row.size_bytes if isinstance(row, FileRow) else row.reason)
    finally:
        stop.set()
        thread.join()
    assert 7 in sizes
    assert sizes <= {7, Unavailable.NOT_FOUND}


def test_the_entries_of_a_folder_that_is_renamed_away_stay_those_of_what_was_opened(
    root: TargetRoot, jail: Path
) -> None:
    opened = paths.open_path(root, b"/etc", EVERY_PATH, follow=True)
    assert not isinstance(opened, Unavailable)
    with opened:
        (jail / "etc").rename(jail / "old")
        (jail / "etc").symlink_to("/")
        directory = paths.open_directory(opened)
        assert not isinstance(directory, Unavailable)
        assert os.listdir(directory) == ["file"]  # noqa: PTH208 - of a descriptor
        os.close(directory)
