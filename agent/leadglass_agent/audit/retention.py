"""Says which closed files of a log may be deleted: whole ones, the oldest first, old enough and copied elsewhere."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.file import AuditLogRefused, LogFile, read_tail
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.resume import last_record
from leadglass_agent.audit.segments import closed_segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_READ_BYTES: Final = 1_048_576
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Deletable:
    """A closed file that nobody needs any more, and what the log says of it before it goes."""

    path: Path
    first_seq: int
    last_seq: int
    size: int
    sha256: str


def deletable(path: Path, before_unix: float, shipped_seq: int) -> Iterator[Deletable]:
    """Yields the closed files whose records are all older than `before_unix` and numbered up to `shipped_seq` at most.

    Ends at the first file that has to stay, or that does not end in a record: nothing behind it goes before it does.
    Reads the files whole; raises OSError.
    """
    for segment in closed_segments(path):
        fd = os.open(segment.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            file = LogFile(segment.path, fd, 0, 0)
            try:
                tail = read_tail(file)
            except AuditLogRefused:
                return
            last = last_record(file, tail.end)
            if last is None or tail.head.seq > shipped_seq or last.unix_ns >= before_unix * _SECOND_NS:
                return
            sha256, size = hashlib.sha256(), 0
            while part := os.pread(fd, _READ_BYTES, size):
                sha256.update(part)
                size += len(part)
        finally:
            os.close(fd)
        yield Deletable(segment.path, segment.first_seq, tail.head.seq, size, sha256.hexdigest())


def deleted(segment: Deletable) -> Event:
    """Gives the record of a deletion."""
    return Event(
        kind=EventKind.SEGMENT_DELETED,
        facts=(
            ("first_seq", segment.first_seq),
            ("last_seq", segment.last_seq),
            ("bytes", segment.size),
            ("sha256", segment.sha256),
        ),
    )
