"""The files of one log: the one that is written, and closed ones beside it, each named by its first record."""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.record import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from leadglass_agent.audit.file import LogFile

_DIGITS: Final = 12
_SUFFIX: Final = re.compile(r"\d{12,19}", re.ASCII)
_SEQ: Final = b',"seq":'
_MAX_SEQ_DIGITS: Final = 19
_SCANNED_BYTES: Final = 131_072  # this near the record a search reads on line by line


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed file of the log, and the number of its first record."""

    path: Path
    first_seq: int


def segment_path(path: Path, first_seq: int) -> Path:
    """Gives the name that the log's file gets when it is closed."""
    return path.with_name(f"{path.name}.{first_seq:0{_DIGITS}d}")


def closed_segments(path: Path) -> tuple[Segment, ...]:
    """Lists the closed files of the log at `path`, the oldest first; raises OSError."""
    prefix = f"{path.name}."
    found: list[Segment] = []
    with os.scandir(path.parent) as entries:
        for entry in entries:
            suffix = entry.name.removeprefix(prefix)
            if entry.name.startswith(prefix) and _SUFFIX.fullmatch(suffix) and entry.is_file(follow_symlinks=False):
                found.append(Segment(path.with_name(entry.name), int(suffix)))
    return tuple(sorted(found, key=lambda segment: segment.first_seq))


def first_seq_in(file: LogFile) -> int | None:
    """Reads the number of the file's first record; None if it has none."""
    line, newline, _ = os.pread(file.fd, RECORD_BYTES, 0).partition(b"\n")
    return seq_of(line) if newline else None


def close_segment(file: LogFile, first_seq: int) -> None:
    """Gives the log's file its closed name; the name is durable on return. Raises OSError, FileExistsError too."""
    target = segment_path(file.path, first_seq)
    # Only this process names files so, and the lock keeps others out: nothing comes between the look and the rename.
    if os.path.lexists(target):
        raise FileExistsError
    file.path.rename(target)


def seq_of(line: bytes) -> int | None:
    """Finds the number in a record's canonical text without parsing it; None if there is none.

    Inside of strings every quote is escaped, and no field that may come after `seq` has names of its own.
    """
    at = line.rfind(_SEQ)
    if at < 0:
        return None
    digits = line[at + len(_SEQ) : at + len(_SEQ) + _MAX_SEQ_DIGITS].partition(b",")[0]
    return int(digits) if digits.isdigit() else None


def read_records(path: Path, first_seq: int, last_seq: int) -> Generator[tuple[int, bytes], None, None]:
    """Yields number and line (without its newline) of the records from `first_seq` to `last_seq`, over all files.

    Safe beside the thread that writes, as long as the last one is durable: whatever is closed or deleted meanwhile.
    Lines that are no records are passed over. Raises OSError.
    """
    with ExitStack() as opened:
        # Before the closed ones are listed: a file that is closed in between is then read under either name.
        active = _opened(path, opened)
        segments = closed_segments(path)
        for number, segment in enumerate(segments):
            if number + 1 < len(segments) and segments[number + 1].first_seq <= first_seq:
                continue
            with ExitStack() as closing:
                for seq, line in _records_in(_opened(segment.path, closing), first_seq):
                    if seq > last_seq:
                        return
                    yield seq, line
                    first_seq = seq + 1
        for seq, line in _records_in(active, first_seq):
            if seq > last_seq:
                return
            yield seq, line


def _opened(path: Path, stack: ExitStack) -> BinaryIO | None:
    """Opens a file of the log for reading; None if there is none (any more)."""
    with suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        stream = stack.enter_context(os.fdopen(fd, "rb"))
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return stream
    return None


def _records_in(stream: BinaryIO | None, first_seq: int) -> Iterator[tuple[int, bytes]]:
    if stream is None:
        return
    _seek(stream, first_seq)
    while line := stream.readline(RECORD_BYTES + 1):
        seq = seq_of(line)
        if seq is not None and seq >= first_seq and line.endswith(b"\n"):
            yield seq, line[:-1]


def _seek(stream: BinaryIO, first_seq: int) -> None:
    """Leaves the stream at the start of a line not far before the record; at the file's start if in doubt."""
    low, high = 0, os.fstat(stream.fileno()).st_size
    while high - low > _SCANNED_BYTES:
        middle = (low + high) // 2
        stream.seek(middle)
        stream.readline(RECORD_BYTES + 1)  # the rest of a line
        start = stream.tell()
        seq = seq_of(stream.readline(RECORD_BYTES + 1))
        if seq is None or start >= high:
            break
        low, high = (start, high) if seq < first_seq else (low, middle)
    stream.seek(low)
