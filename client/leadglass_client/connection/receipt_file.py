"""Appends lines to a file that commands share, whole or not at all, and thins it out when it becomes large."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, Final

from leadglass_client.connection.receipt_lines import receipts_in

if sys.platform != "win32":  # there, two commands at once may lose a receipt while one of them thins the file out
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 2 * MAX_BYTES  # as large as it gets where there is no room to thin it out
_AFTER_THINNING: Final = MAX_BYTES * 3 // 4
_TAIL_BYTES: Final = 32 * 1024  # at least eight receipts, each with a path of 40 hashes
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_TRIES: Final = 10
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Opens the file that has this name now, and keeps other commands out of it; raises OSError."""
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    for _ in range(_TRIES):
        file = os.open(path, _FLAGS, _MODE)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_named(path, file):
                yield file
                return
        finally:
            os.close(file)
    message = "the file of receipts is replaced again and again"
    raise OSError(message)


def tail(file: int) -> list[bytes]:
    """Reads the last lines of an open file; of the first only the end may be there."""
    os.lseek(file, max(0, os.fstat(file).st_size - _TAIL_BYTES), os.SEEK_SET)
    return os.read(file, _TAIL_BYTES).split(b"\n")


def append(path: Path, file: int, line: bytes) -> None:
    """Appends a line to the locked file, or raises OSError and leaves the file as it was."""
    before = os.fstat(file).st_size
    if before and tail(file)[-1]:  # a command was killed while it wrote
        line = b"\n" + line
    after = before + len(line)
    try:
        _write(file, line)
        if after > MAX_BYTES:
            _thin(path, file)
    except OSError:
        # Without room for a copy the file goes on growing, as far as it is read.
        if os.fstat(file).st_size == after <= READ_BYTES:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(file, before)
        raise


def _is_named(path: Path, file: int) -> bool:
    """Whether the file has this name still: another command may have thinned it out since it was opened."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _write(file: int, data: bytes) -> None:
    """Writes all of it: a disk that is nearly full takes a part, and says so only when asked again."""
    while data:
        written = os.write(file, data)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data = data[written:]


def _thin(path: Path, file: int) -> None:
    """Replaces the file by one without every second of its older receipts; raises OSError and leaves it."""
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as stream:
        lines = _thinned(stream.read(READ_BYTES).splitlines(keepends=True))
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    written = os.open(new, _FLAGS | os.O_EXCL, _MODE)
    try:
        _write(written, b"".join(lines))
        os.fsync(written)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(written)


def _thinned(lines: Sequence[bytes]) -> list[bytes]:
    """Chooses the first and the last receipt of each key, the newest quarter, and every second of the rest."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    good: list[int] = []
    for number, text in enumerate(lines):
        for receipt in receipts_in([text]):
            good.append(number)
            first.setdefault(receipt.key, number)
            last[receipt.key] = number
    stay = sorted({*first.values(), *last.values(), *good[::2], *good[-(len(good) // 4) :]})
    while sum(len(lines[number]) for number in stay) > _AFTER_THINNING:  # hundreds of keys: the oldest are forgotten
        del stay[: len(stay) // 8 + 1]
    return [lines[number] for number in stay]
