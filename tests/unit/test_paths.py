"""Opening paths below a root."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.policy.glob import is_canonical
from leadglass_agent.views import paths
from leadglass_agent.views.kernel_filesystems import KERNEL_FILESYSTEMS, is_kernel_filesystem
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.rows import Unavailable
from sample_processes import EVERY_PATH, LIBC, answer_of, become, paths_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.policy.scope import Scope


@pytest.fixture
def root(tmp_path: Path) -> Iterator[TargetRoot]:
    fd = os.open(tmp_path, os.O_PATH)
    yield TargetRoot(fd)
    os.close(fd)


def _where(root: TargetRoot, path: str, scope: Scope = EVERY_PATH, *, follow: bool = True) -> str:
    """Gives the canonical path, or the reason."""
    opened = paths.open_path(root, paths.parse_path(path), scope, follow=follow)
    if isinstance(opened, Unavailable):
        return opened
    with opened:
        return os.fsdecode(opened.canonical)


@given(st.text(alphabet="/.ab\u00e9\0", max_size=20).map(lambda text: "/" + text))
def test_a_parsed_path_is_canonical_and_names_the_same_components(text: str) -> None:
    try:
        parsed = paths.parse_path(text)
    except InvalidRequest:
        assert "\0" in text or ".." in text.split("/")
        return
    assert is_canonical(parsed.decode())
    assert [part for part in parsed.decode().split("/") if part] == [
        part for part in text.split("/") if part not in ("", ".")
    ]


@pytest.mark.parametrize("text", ["", "a", "a/b", "/a/../b", "/..", "/a\0b", "/" + "a" * 4_096])
def test_a_text_that_is_no_absolute_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        paths.parse_path(text)


def test_the_canonical_path_is_where_links_lead_below_the_root(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "absolute").symlink_to("/a/b")
    (tmp_path / "a" / "up").symlink_to("../../../absolute/file")
    assert _where(root, "/") == "/"
    assert _where(root, "//a/./b/") == "/a/b"
    assert _where(root, "/absolute/file") == "/a/b/file"
    assert _where(root, "/a/up") == "/a/b/file"
    assert _where(root, "/a/up", follow=False) == "/a/up"
    assert _where(root, "/absolute/file", follow=False) == "/a/b/file"


def test_what_the_scope_hides_is_not_found_whether_it_exists_or_not(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "file").write_text("x")
    (tmp_path / "shown" / "link").symlink_to("/hidden/file")
    (tmp_path / "shown" / "dead").symlink_to("/hidden/none")
    (tmp_path / "shown" / "through").symlink_to("/hidden/file/more")
    (tmp_path / "shown" / "folder").symlink_to("/hidden")
    scope = paths_scope("/shown/**")
    for path in ("/hidden/file", "/hidden/none", "/hidden", "/"):
        assert _where(root, path, scope) == Unavailable.NOT_FOUND
    for name in ("link", "dead", "through", "folder", "folder/file", "folder/none", "folder/file/more", "link/more"):
        assert _where(root, f"/shown/{name}", scope) == Unavailable.NOT_FOUND, name
    assert _where(root, "/shown/link", scope, follow=False) == "/shown/link"
    assert _where(root, "/shown/link", paths_scope("/**", forbidden=("/hidden/**",))) == Unavailable.NOT_FOUND


def test_each_error_of_the_kernel_is_named(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "to-file").symlink_to("file")
    assert _where(root, "/none") == Unavailable.NOT_FOUND
    assert _where(root, "/file/more") == Unavailable.NOT_A_DIRECTORY
    assert _where(root, "/to-file/more") == Unavailable.NOT_A_DIRECTORY
    assert _where(root, "/a") == Unavailable.PATH_TOO_LONG
    assert _where(root, "/" + "n" * 256) == Unavailable.PATH_TOO_LONG
    assert _where(root, "/" + "n/" * 2_047) == Unavailable.NOT_FOUND


def test_a_directory_that_is_closed_to_us_is_named_unless_a_link_leads_to_a_hidden_one(tmp_path: Path) -> None:
    for name in ("shown", "hidden"):
        (tmp_path / name / "closed").mkdir(parents=True)
        (tmp_path / name / "closed" / "file").write_text("x")
    (tmp_path / "shown" / "link").symlink_to("/hidden")
    (tmp_path / "shown" / "own").symlink_to("closed")

    def look() -> list[str]:
        if os.geteuid() == 0:
            become(12_345, 12_345)
        root = TargetRoot(fd)
        names = ("closed/file", "own/file", "closed/none", "link/closed/file", "link/closed/none", "link/none")
        return [_where(root, f"/shown/{name}", paths_scope("/shown/**")) for name in names]

    fd = os.open(tmp_path, os.O_PATH)
    closed = [tmp_path / name / "closed" for name in ("shown", "hidden")]
    try:
        for folder in (tmp_path, tmp_path / "shown", tmp_path / "hidden"):
            folder.chmod(0o755)
        for folder in closed:
            folder.chmod(0)
        assert answer_of(look) == ["PERMISSION", "PERMISSION", "PERMISSION", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"]
    finally:
        os.close(fd)
        for folder in closed:
            folder.chmod(0o755)


def test_a_file_that_was_removed_is_told_from_one_with_such_a_name(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "kept (deleted)").write_text("x")
    assert _where(root, "/kept (deleted)") == "/kept (deleted)"
    (tmp_path / "gone").mkdir()
    fd = os.open(tmp_path / "gone", os.O_PATH)
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone (deleted)").mkdir()
    try:
        # The root itself is gone: whatever its link says, nothing is below it.
        assert _where(TargetRoot(fd), "/gone (deleted)") == Unavailable.NOT_FOUND
    finally:
        os.close(fd)


def test_a_file_that_is_removed_between_opening_and_naming_is_not_found(root: TargetRoot, tmp_path: Path) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            (tmp_path / "file").touch()
            (tmp_path / "file").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        answers = {_where(root, "/file") for _ in range(4_000)}
    finally:
        stop.set()
        thread.join()
    assert answers <= {"/file", Unavailable.NOT_FOUND}


def test_a_directory_opens_for_listing_and_nothing_else_does(root: TargetRoot, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    opened = paths.open_path(root, b"/fifo", EVERY_PATH, follow=True)
    assert not isinstance(opened, Unavailable)
    with opened:
        assert paths.open_directory(opened) is Unavailable.NOT_A_DIRECTORY
    opened = paths.open_path(root, b"/", EVERY_PATH, follow=True)
    assert not isinstance(opened, Unavailable)
    with opened:
        directory = paths.open_directory(opened)
    assert not isinstance(directory, Unavailable)
    assert os.listdir(directory) == ["fifo"]  # noqa: PTH208 - of a descriptor
    os.close(directory)


@pytest.mark.parametrize(
    ("path", "kernel"),
    [
        ("/proc", True),
        ("/proc/self/status", True),
        ("/sys", True),
        ("/dev/pts", True),
        ("/", False),
        ("/dev/null", False),
    ],
)
def test_file_systems_of_the_kernel_are_recognised(path: str, kernel: bool) -> None:  # noqa: FBT001 - of the table
    fd = os.open(path, os.O_PATH)
    try:
        assert is_kernel_filesystem(fd) is kernel
    finally:
        os.close(fd)


_HEADER = Path("/usr/include/linux/magic.h")
# What holds files of the target, of other machines, or nothing that a path leads to.
_OF_FILES = (
    "ADFS_SUPER AFFS_SUPER AFS_SUPER AFS_FS AUTOFS_SUPER BCACHEFS_SUPER BTRFS_SUPER BTRFS_TEST CEPH_SUPER "
    "CIFS_SUPER CODA_SUPER CRAMFS CRAMFS_MAGIC_WEND ECRYPTFS_SUPER EFS_SUPER EROFS_SUPER EXFAT_SUPER EXT2_SUPER "
    "EXT3_SUPER EXT4_SUPER F2FS_SUPER FUSE_SUPER FUTEXFS_SUPER HOSTFS_SUPER HPFS_SUPER HUGETLBFS ISOFS_SUPER "
    "JFFS2_SUPER MINIX2_SUPER MINIX3_SUPER MINIX_SUPER MSDOS_SUPER NCP_SUPER NFS_SUPER NILFS_SUPER OCFS2_SUPER "
    "OVERLAYFS_SUPER QNX4_SUPER QNX6_SUPER RAMFS REISERFS_SUPER SMB2_SUPER SMB_SUPER SQUASHFS STACK_END TMPFS "
    "UDF_SUPER V9FS XFS_SUPER NULL_FS "
)


@pytest.mark.skipif(not _HEADER.exists(), reason="needs the kernel's headers")
def test_each_file_system_of_the_kernels_header_is_known_to_speak_for_the_kernel_or_to_hold_files() -> None:
    """A new name is decided about when it appears, and not when somebody mounts it."""
    defined = re.findall(r"#define\s+(\w+?)_MAGIC(?:_V1|2)?\s+(0x[0-9A-Fa-f]+)", _HEADER.read_text("ascii"))
    known = frozenset(_OF_FILES.split())
    assert len(defined) > 60
    undecided = {name for name, number in defined if name not in known and int(number, 16) not in KERNEL_FILESYSTEMS}
    assert undecided == set()


@contextmanager
def _automount(folder: Path) -> Iterator[int]:
    """Mounts what an automounter mounts; gives the end of the pipe through which the kernel asks for a mount."""
    listening, asking = os.pipe()
    options = f"fd={asking},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct".encode()
    try:
        if LIBC.mount(b"leadglass", os.fsencode(folder), b"autofs", 0, options):
            pytest.skip("this kernel has no autofs")
        try:
            yield listening
        finally:
            LIBC.umount2(os.fsencode(folder), 2)  # MNT_DETACH, which also answers whoever waits
    finally:
        os.close(listening)
        os.close(asking)


def _makes_the_kernel_ask(listening: int, look: Callable[[], object]) -> bool:
    """Looks from a process of another group, since the automounter's own is never waited for."""
    looking = os.fork()
    if looking == 0:
        os.setpgid(0, 0)
        status = 1
        try:
            look()
            status = 0
        finally:
            os._exit(status)
    ended, status = 0, 0
    while not ended:
        if select.select([listening], [], [], 0.05)[0]:
            os.read(listening, 1_024)
            os.kill(looking, signal.SIGKILL)
            os.waitpid(looking, 0)
            return True
        ended, status = os.waitpid(looking, os.WNOHANG)
    assert status == 0
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_no_look_makes_the_machine_mount_anything(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()

    def look() -> None:
        for follow in (True, False):
            assert _where(root, "/net", follow=follow) == "/net"
        opened = paths.open_path(root, b"/", EVERY_PATH, follow=True)
        assert not isinstance(opened, Unavailable)
        directory = paths.open_directory(opened)
        assert not isinstance(directory, Unavailable)
        os.stat("net", dir_fd=directory, follow_symlinks=False)  # as a listing does
        assert not paths.is_kernel_entry(directory, b"net")

    with _automount(tmp_path / "net") as listening:
        assert not _makes_the_kernel_ask(listening, look)
        assert _makes_the_kernel_ask(listening, (tmp_path / "net").read_bytes)


def test_descriptors_are_closed_whatever_the_answer(root: TargetRoot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "out").symlink_to("/hidden")
    (tmp_path / "hidden").mkdir()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for path in ("/file", "/none", "/out", "/file/more", "/out/more"):
        _where(root, path, paths_scope("/file", "/file/**", "/out", "/out/**"))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
