"""Metadata of files and entries of directories."""

from __future__ import annotations

import os
import socket
import stat
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views.file_times import shown_time
from leadglass_agent.views.files import MAX_ENTRIES, MAX_NAMES_BYTES, ListingMemory, list_directory, stat_files
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.rows import DirectoryPage, FileRow, FileType, MissingFile, Unavailable
from planted_secrets import plant
from sample_processes import EVERY_PATH, paths_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.policy.scope import Scope

REDACTOR = Redactor()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[TargetRoot]:
    fd = os.open(tmp_path, os.O_PATH)
    yield TargetRoot(fd)
    os.close(fd)


def _stat(
    root: TargetRoot, *requested: str, scope: Scope = EVERY_PATH, follow: bool = False
) -> tuple[FileRow | MissingFile, ...]:
    return stat_files(root, REDACTOR, scope, requested, follow_symlinks=follow)


def _list(
    root: TargetRoot,
    path: str,
    scope: Scope = EVERY_PATH,
    metadata: Scope | None = EVERY_PATH,
    after: int = 0,
    limit: int = 1_000,
) -> DirectoryPage:
    return list_directory(root, REDACTOR, scope, metadata, path, after, limit)


def _names(page: DirectoryPage) -> list[str]:
    return [row.name.text for row in page.rows]


def _reason(row: FileRow | MissingFile) -> Unavailable | None:
    return row.reason if isinstance(row, MissingFile) else None


def _make_one_of_each_kind(folder: Path) -> None:
    (folder / "regular").write_bytes(b"x" * 5_000)
    (folder / "regular").chmod(0o4751)
    (folder / "directory").mkdir()
    (folder / "link").symlink_to("/regular")
    os.mkfifo(folder / "fifo")
    os.link(folder / "regular", folder / "second")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(folder / "socket"))
    with (folder / "sparse").open("wb") as file:
        file.truncate(10_000_000)


_KINDS = {
    "directory": FileType.DIRECTORY,
    "fifo": FileType.FIFO,
    "link": FileType.SYMLINK,
    "regular": FileType.REGULAR,
    "second": FileType.REGULAR,
    "socket": FileType.SOCKET,
    "sparse": FileType.REGULAR,
}


def test_each_kind_of_file_is_described_as_stat_does_in_both_views(root: TargetRoot, tmp_path: Path) -> None:
    _make_one_of_each_kind(tmp_path)
    listed = _list(root, "/")
    stated = _stat(root, *(f"/{name}" for name in _KINDS))
    assert _names(listed) == list(_KINDS)
    for in_list, alone, (name, kind) in zip(listed.rows, stated, _KINDS.items(), strict=True):
        truth = (tmp_path / name).lstat()
        assert isinstance(alone, FileRow)
        assert in_list == msgspec.structs.replace(alone, name=in_list.name)
        assert alone.name.text == f"/{name}"
        assert alone.type is kind
        assert alone.mode == stat.S_IMODE(truth.st_mode)
        assert (alone.owner_uid, alone.owner_gid, alone.size_bytes) == (truth.st_uid, truth.st_gid, truth.st_size)
        assert (alone.modify_unix_ns, alone.change_unix_ns) == (truth.st_mtime_ns, truth.st_ctime_ns)
        assert (alone.hard_links, alone.allocated_bytes) == (truth.st_nlink, truth.st_blocks * 512)
        assert (alone.link_target.text if alone.link_target else None) == ("/regular" if name == "link" else None)


def test_a_link_is_followed_only_if_asked(root: TargetRoot, tmp_path: Path) -> None:
    _make_one_of_each_kind(tmp_path)
    (row,) = _stat(root, "/link", follow=True)
    assert isinstance(row, FileRow)
    assert (row.name.text, row.type, row.link_target) == ("/link", FileType.REGULAR, None)


def test_answers_come_in_the_order_asked_for_with_a_reason_for_each_that_is_missing(
    root: TargetRoot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    rows = _stat(root, "/none", "/file", "/file/x", "/hidden", "/file", scope=paths_scope("/none", "/file/**"))
    missing, gone, odd = Unavailable.NOT_FOUND, Unavailable.NOT_FOUND, Unavailable.NOT_A_DIRECTORY
    assert [_reason(row) for row in rows] == [missing, None, odd, gone, None]
    with pytest.raises(InvalidRequest):
        _stat(root, "/file", "/../file")


def test_files_of_the_kernel_are_refused_in_both_views() -> None:
    root = TargetRoot(os.open("/", os.O_PATH))
    rows = _stat(root, "/proc/self/environ", "/proc", "/sys/kernel", "/dev/null")
    assert [_reason(row) for row in rows] == [Unavailable.KERNEL_FILESYSTEM] * 3 + [None]
    listed = dict(zip(_names(_list(root, "/")), _list(root, "/").rows, strict=True))
    assert _reason(listed["proc"]) is Unavailable.KERNEL_FILESYSTEM
    assert _reason(listed["dev"]) is None
    assert _list(root, "/proc").unavailable is Unavailable.KERNEL_FILESYSTEM
    os.close(root.fd)


def test_entries_that_the_scope_hides_are_not_there_and_metadata_needs_its_own_scope(
    root: TargetRoot, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    for name in ("a.log", "b.log", "key.pem"):
        (folder / name).write_text("x")
    (tmp_path / "alias").symlink_to("app")
    shown = paths_scope("/app", "/app/*.log", "/alias")
    for path in ("/app", "/alias"):
        page = _list(root, path, shown, paths_scope("/app/b.log"))
        assert (_names(page), page.path.text) == (["a.log", "b.log"], "/app")
        assert [_reason(row) for row in page.rows] == [Unavailable.NOT_PERMITTED, None]
        assert [_reason(row) for row in _list(root, path, shown, None).rows] == [Unavailable.NOT_PERMITTED] * 2
    assert _list(root, "/app", paths_scope("/app/*.log")).unavailable is Unavailable.NOT_FOUND
    assert _list(root, "/alias", paths_scope("/alias", "/alias/**")).unavailable is Unavailable.NOT_FOUND


def test_what_is_no_directory_cannot_be_listed(root: TargetRoot, tmp_path: Path) -> None:
    _make_one_of_each_kind(tmp_path)
    for name in ("regular", "fifo", "socket", "link"):
        assert _list(root, f"/{name}").unavailable is Unavailable.NOT_A_DIRECTORY
    assert _list(root, "/none").unavailable is Unavailable.NOT_FOUND


_FILE_NAME = st.binary(min_size=1, max_size=12).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in {b".", b".."}
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(names=st.sets(_FILE_NAME, max_size=12), size=st.integers(1, 5))
def test_pages_together_hold_every_entry_once_in_the_order_of_bytes(
    tmp_path_factory: pytest.TempPathFactory, names: set[bytes], size: int
) -> None:
    folder = os.fsencode(tmp_path_factory.mktemp("folder"))
    for name in names:
        os.mkdir(folder + b"/" + name)  # noqa: PTH102 - names of any bytes
    root = TargetRoot(os.open(folder, os.O_PATH))
    found: list[str] = []
    after = 0
    for _ in range(20):
        page = _list(root, "/", after=after, limit=size)
        found += _names(page)
        assert all(isinstance(row, FileRow) for row in page.rows)
        after = page.next_index
        if not after:
            break
    os.close(root.fd)
    assert len(found) == len(names)
    assert all(text.isprintable() for text in found)
    plain = [name.decode() for name in sorted(names) if name.isalnum()]
    assert [text for text in found if text.isalnum() and text.isascii()] == plain


def test_a_page_ends_at_its_bytes_of_text_and_the_next_goes_on(root: TargetRoot, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number:03}").symlink_to("\U0001f600" * 1_000)
    first = _list(root, "/")
    assert 0 < first.next_index == len(first.rows) < 400
    assert len(msgspec.msgpack.encode(first)) < 1.2 * 2**20
    second = _list(root, "/", after=first.next_index)
    assert len(first.rows) + len(second.rows) == 400


def test_a_remembered_listing_is_used_by_the_next_page_and_never_for_another_scope_or_after_a_change(
    root: TargetRoot, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    memory = ListingMemory()

    def names(scope: Scope, after: int) -> list[str]:
        return _names(list_directory(root, REDACTOR, scope, EVERY_PATH, "/", after, 10, memory=memory))

    assert names(EVERY_PATH, 0) == ["a", "b", "c"]
    kept = memory.kept
    assert names(EVERY_PATH, 1) == ["b", "c"]
    assert memory.kept is kept
    assert names(paths_scope("/", "/b"), 0) == ["b"]
    assert names(EVERY_PATH, 0) == ["a", "b", "c"]
    os.utime(tmp_path, ns=(1, 1))  # a coarse clock could give the new entry the same time as the last one
    (tmp_path / "d").touch()
    assert names(EVERY_PATH, 1) == ["b", "c", "d"]


def test_a_directory_above_the_bound_is_cut_and_says_so(tmp_path: Path) -> None:
    # In memory, where there is one: a disk may take a minute for so many files.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with TemporaryDirectory(dir=memory) as folder:
        fd = os.open(folder, os.O_PATH)
        for number in range(MAX_ENTRIES + 1):
            os.mknod(f"{number}", dir_fd=fd)
        page = _list(TargetRoot(fd), "/", after=MAX_ENTRIES - 2)
        assert (len(page.rows), page.next_index, page.truncated) == (2, 0, True)
        os.unlink("0", dir_fd=fd)
        assert not _list(TargetRoot(fd), "/").truncated
        os.close(fd)


def test_the_names_of_a_directory_are_bounded_by_their_bytes_too(tmp_path: Path) -> None:
    room = MAX_NAMES_BYTES // 255
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as folder:
        fd = os.open(folder, os.O_PATH)
        for number in range(room):
            os.symlink("x", f"{number}".rjust(255, "n"), dir_fd=fd)
        page = _list(TargetRoot(fd), "/", after=room - 2)
        assert (len(page.rows), page.next_index, page.truncated) == (2, 0, False)
        os.symlink("x", "n" * 255, dir_fd=fd)
        page = _list(TargetRoot(fd), "/", after=room - 2)
        assert (len(page.rows), page.next_index, page.truncated) == (2, 0, True)
        os.close(fd)


@given(st.integers(-(2**80), 2**80))
def test_a_time_is_shown_as_itself_or_as_the_nearest_that_a_row_holds(unix_ns: int) -> None:
    shown = shown_time(unix_ns)
    assert -(2**63) <= shown < 2**63
    assert shown == unix_ns or abs(unix_ns) >= 2**63


def test_secrets_in_names_and_targets_are_masked(root: TargetRoot, tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    (tmp_path / token).symlink_to(f"/cache/{token}")
    reply = (_list(root, "/"), _stat(root, f"/{token}"), _list(root, f"/{token}"))
    assert token.encode() not in msgspec.msgpack.encode(reply)


def test_no_content_is_in_a_reply(root: TargetRoot, tmp_path: Path) -> None:
    planted = plant("content")
    (tmp_path / "file").write_text(planted["content"])
    assert planted.leaks(msgspec.msgpack.encode((_list(root, "/"), _stat(root, "/file")))) == ()
