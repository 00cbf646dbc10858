"""Keeps receipts in a file for each log, one JSON object a line, which only grows until it is thinned out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from leadglass_client.settings.folders import receipts_folder

if sys.platform != "win32":  # there, two commands at once may lose a receipt while one of them thins the file out
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAX_BYTES: Final = 1024 * 1024
_AFTER_THINNING: Final = MAX_BYTES * 3 // 4
_COMPARED: Final = 8  # receipts: commands that run at once finish in any order
_TAIL_BYTES: Final = 32 * 1024  # so many, each with a path of 40 hashes
_NAME_DIGITS: Final = 16
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_TRIES: Final = 10
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """What is kept of one call, in the words of the file; `time` is when the receipt came, RFC 3339 in UTC."""

    seq: int
    leaf: str
    hashes: tuple[str, ...]
    checkpoint: str
    key: str
    method: str
    time: str


def path_of(origin: str) -> Path:
    """Gives the file of a log's receipts."""
    return receipts_folder() / f"{hashlib.sha256(origin.encode()).hexdigest()[:_NAME_DIGITS]}.jsonl"


def keep(origin: str, receipt: StoredReceipt) -> tuple[StoredReceipt, ...]:
    """Appends a receipt, and gives those that stood there last before it; raises OSError."""
    path = path_of(origin)
    receipts_folder().mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    text = json.dumps(asdict(receipt), separators=(",", ":")).encode() + b"\n"
    with _locked(path) as file:
        size = os.fstat(file).st_size
        os.lseek(file, max(0, size - _TAIL_BYTES), os.SEEK_SET)
        before = os.read(file, _TAIL_BYTES)
        if size and not before.endswith(b"\n"):  # a command was killed while it wrote
            text = b"\n" + text
        os.write(file, text)
        if size + len(text) > MAX_BYTES:
            _thin(path, file)
    return tuple(receipts_in(before.split(b"\n")[-_COMPARED - 1 :]))


def receipts_in(lines: Iterable[bytes]) -> Iterator[StoredReceipt]:
    """Yields the receipts among the lines; what is none is passed over, as the end of a write that failed is."""
    for text in lines:
        try:
            document: object = json.loads(text)
        except (ValueError, RecursionError):
            continue
        match document:
            case {
                "seq": int(seq),
                "leaf": str(leaf),
                "hashes": list(hashes),
                "checkpoint": str(checkpoint),
                "key": str(key),
                "method": str(method),
                "time": str(time),
            }:
                yield StoredReceipt(seq, leaf, tuple(str(one) for one in hashes), checkpoint, key, method, time)
            case _:
                pass


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Opens the file that has this name now, and keeps other commands out of it."""
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


def _is_named(path: Path, file: int) -> bool:
    """Whether the file has this name still: another command may have thinned it out since it was opened."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _thin(path: Path, file: int) -> None:
    """Replaces the file by one without every second of its older receipts."""
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as stream:
        lines = _thinned(stream.read(2 * MAX_BYTES).splitlines(keepends=True))
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    written = os.open(new, _FLAGS | os.O_EXCL, _MODE)
    try:
        os.write(written, b"".join(lines))
    finally:
        os.close(written)
    new.replace(path)


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
