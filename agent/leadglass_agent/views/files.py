"""Shows the metadata of files and the entries of directories below a target's root; never content."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.escape import visible
from leadglass_agent.views import paths
from leadglass_agent.views.file_times import shown_time
from leadglass_agent.views.page_budget import MAX_PAGE_ROWS, MAX_PAGE_TEXT_BYTES, text_bytes
from leadglass_agent.views.rows import DirectoryPage, FileRow, FileType, MissingFile, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.redaction.escape import Visible
    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.views.paths import OpenPath, TargetRoot

MAX_ENTRIES: Final = 100_000
# The names of one directory: entries of 80 bytes up to MAX_ENTRIES, and fewer of longer ones. Each worker keeps a list.
MAX_NAMES_BYTES: Final = 8 * 1024 * 1024
_MAX_CHARACTERS: Final = 1_024
_BLOCK_BYTES: Final = 512  # the unit of st_blocks, stat(2)
_MOST_BYTES: Final = 2**63 - 1  # that a file may have, LLONG_MAX
_TYPES: Final = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
}


class ListingMemory:
    """The last directory that was listed: its next pages need not read and sort it again; a change is noticed."""

    def __init__(self) -> None:
        self.kept: tuple[tuple[bytes, int, int, int, int, Scope], tuple[bytes, ...], bool] | None = None


def stat_files(
    root: TargetRoot,
    redactor: Redactor,
    scope: Scope,
    requested: Sequence[str],
    *,
    follow_symlinks: bool,
) -> tuple[FileRow | MissingFile, ...]:
    """Reads the metadata of each path in order, or why there is none; what the scope hides is NOT_FOUND.

    Raises InvalidRequest if one is no path, and RedactionError.
    """
    parsed = [paths.parse_path(text) for text in requested]
    return tuple(_stat_file(root, redactor, scope, path, follow=follow_symlinks) for path in parsed)


def list_directory(
    root: TargetRoot,
    redactor: Redactor,
    scope_list: Scope,
    scope_metadata: Scope | None,
    path: str,
    after_index: int,
    limit: int,
    *,
    memory: ListingMemory | None = None,
) -> DirectoryPage:
    """Reads one page of a directory in the order of its names' bytes; the scope must admit the directory itself, too.

    Entries that scope_list hides are not there; those that scope_metadata hides have a name alone. Links on the way and
    in the last component are followed. Raises InvalidRequest if `path` is none, and RedactionError.
    """
    requested = paths.parse_path(path)
    opened = paths.open_path(root, requested, scope_list, follow=True)
    if isinstance(opened, Unavailable):
        return _unavailable(redactor, requested, opened)
    with opened:
        directory = paths.open_directory(opened)
        if isinstance(directory, Unavailable):
            return _unavailable(redactor, requested, directory)
        try:
            shown, truncated = _shown(scope_list, opened, directory, memory or ListingMemory())
            rows = _page(redactor, scope_metadata, opened, directory, shown[after_index:], limit)
        except OSError as error:
            return _unavailable(redactor, requested, paths.reason_of(error))
        finally:
            os.close(directory)
    end = after_index + len(rows)
    return DirectoryPage(
        path=_text(redactor, opened.canonical),
        rows=rows,
        next_index=end if end < len(shown) else 0,
        unavailable=None,
        truncated=truncated,
    )


def _stat_file(
    root: TargetRoot, redactor: Redactor, scope: Scope, path: bytes, *, follow: bool
) -> FileRow | MissingFile:
    name = _text(redactor, path)
    opened = paths.open_path(root, path, scope, follow=follow)
    if isinstance(opened, Unavailable):
        return MissingFile(name, opened)
    with opened:
        try:
            found = os.fstat(opened.fd)
            target = os.readlink(b"", dir_fd=opened.fd) if stat.S_ISLNK(found.st_mode) else None
        except OSError as error:
            return MissingFile(name, paths.reason_of(error))
    return _row(redactor, name, found, target)


def _shown(scope: Scope, opened: OpenPath, directory: int, memory: ListingMemory) -> tuple[tuple[bytes, ...], bool]:
    """Gives the names that the scope admits in the order of their bytes, and whether some were not read."""
    found = os.fstat(directory)
    key = (opened.canonical, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, scope)
    if memory.kept is None or memory.kept[0] != key:
        names, truncated = _names(directory)
        admitted = sorted(name for name in names if paths.admits(scope, paths.child(opened.canonical, name)))
        memory.kept = (key, tuple(admitted), truncated)
    return memory.kept[1], memory.kept[2]


def _names(directory: int) -> tuple[list[bytes], bool]:
    """Reads the names in the order that the file system has, up to both bounds; True if there are more."""
    names: list[bytes] = []
    room = MAX_NAMES_BYTES
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            room -= len(name)
            if len(names) == MAX_ENTRIES or room < 0:
                return names, True
            names.append(name)
    return names, False


def _page(
    redactor: Redactor,
    scope: Scope | None,
    opened: OpenPath,
    directory: int,
    names: Sequence[bytes],
    limit: int,
) -> tuple[FileRow | MissingFile, ...]:
    device = os.fstat(directory).st_dev
    rows: list[FileRow | MissingFile] = []
    size = 0
    for name in names:
        if len(rows) >= min(limit, MAX_PAGE_ROWS) or size >= MAX_PAGE_TEXT_BYTES:
            break
        shown = _text(redactor, name)
        if scope is None or not paths.admits(scope, paths.child(opened.canonical, name)):
            row: FileRow | MissingFile = MissingFile(shown, Unavailable.NOT_PERMITTED)
        else:
            row = _entry(redactor, directory, device, name, shown)
        rows.append(row)
        size += text_bytes(row.name, row.link_target if isinstance(row, FileRow) else None)
    return tuple(rows)


def _entry(redactor: Redactor, directory: int, device: int, name: bytes, shown: Visible) -> FileRow | MissingFile:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        # Only another device can be a mounted kernel file system.
        if found.st_dev != device and paths.is_kernel_entry(directory, name):
            return MissingFile(shown, Unavailable.KERNEL_FILESYSTEM)
        target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(found.st_mode) else None
    except OSError as error:
        return MissingFile(shown, paths.reason_of(error))
    return _row(redactor, shown, found, target)


def _row(redactor: Redactor, name: Visible, found: os.stat_result, target: bytes | None) -> FileRow | MissingFile:
    kind = _TYPES.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return MissingFile(name, Unavailable.KERNEL_REFUSED)
    # Who serves the file system says what it likes: what no field can hold is shown as the nearest that one can.
    return FileRow(
        name=name,
        type=kind,
        mode=stat.S_IMODE(found.st_mode),
        owner_uid=found.st_uid,
        owner_gid=found.st_gid,
        size_bytes=max(0, found.st_size),
        # st_blocks is signed to Python alone: a count above 2**63 comes out below nothing.
        allocated_bytes=min(found.st_blocks % 2**64 * _BLOCK_BYTES, _MOST_BYTES),
        modify_unix_ns=shown_time(found.st_mtime_ns),
        change_unix_ns=shown_time(found.st_ctime_ns),
        hard_links=found.st_nlink,
        link_target=None if target is None else _text(redactor, target),
    )


def _unavailable(redactor: Redactor, path: bytes, reason: Unavailable) -> DirectoryPage:
    return DirectoryPage(_text(redactor, path), rows=(), next_index=0, unavailable=reason, truncated=False)


def _text(redactor: Redactor, raw: bytes) -> Visible:
    return visible(redactor.redact(raw).text, _MAX_CHARACTERS)
