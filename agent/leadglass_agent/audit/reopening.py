"""Opens a broken log again: what this process acknowledged is never replaced by what somebody put in its place."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.chain import Fault, follows, read_line
from leadglass_agent.audit.file import open_file, read_tail, sync_names
from leadglass_agent.audit.recovery import Writing, left_of_attempt, next_head
from leadglass_agent.audit.resume import find_end
from leadglass_agent.audit.segments import closed_segments, first_seq_in, read_records
from leadglass_agent.audit.tree import leaf_hash

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.chain import Head
    from leadglass_agent.audit.recovery import Broken, Repairs
    from leadglass_agent.audit.tree import Frontier

_MAX_FOREIGN: Final = 99  # names, so that nobody fills the folder by putting file after file in place
_AT_ONCE: Final = 4  # files that one attempt moves aside
_FOLLOWED: Final = 100_000  # records that another agent wrote meanwhile, some five seconds


@dataclass(frozen=True, slots=True)
class Reopened:
    """Where the log goes on, and the end that was found there first."""

    state: Writing
    found: Head


def reopen(broken: Broken, repairs: Repairs) -> Reopened:
    """Opens the log's file, and begins a new one where it does not go on from the last acknowledged record.

    Raises OSError, AuditLogRefused, NoRoom or ValueError; nothing is open then.
    """
    last = broken.last
    first_found: Head | None = None
    for _ in range(_AT_ONCE):
        file = open_file(last.file.path)
        try:
            repairs.need_room(file)  # so that a full disk gets no torn line at each try
            repairs.cut(file, last.size, left_of_attempt(file, broken))
            tail = read_tail(file)
            found = find_end(file, tail).head
            frontier = _continued(last, found)
            first_found = first_found or found
            if frontier is None:
                foreign = file.path if tail.end else closed_segments(file.path)[-1].path
                repairs.aside = (*repairs.aside, move_aside(file.path, foreign))
            else:
                repairs.cut(file, tail.end, tail.torn)
                head = next_head(last.head, found)
                first_seq = (first_seq_in(file) if tail.end else None) or head.seq + 1
                return Reopened(Writing(file, head, tail.end, first_seq, frontier), first_found)
        except BaseException:
            os.close(file.fd)
            raise
        os.close(file.fd)
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def move_aside(path: Path, foreign: Path) -> str:
    """Gives a file that is not of this log a name that says so, and returns that; raises OSError."""
    for number in range(1, _MAX_FOREIGN + 1):
        target = path.with_name(f"{path.name}.foreign.{number}")
        if not os.path.lexists(target):
            foreign.rename(target)
            sync_names(path)
            return target.name
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _continued(last: Writing, found: Head) -> Frontier | None:
    """Gives the tree up to `found`; None if that does not follow from the last acknowledged record.

    It grows from the tree that this process has signed, and from nothing that is stored: whoever can put a file in the
    log's place can put nodes beside it. A log that is behind goes on from the acknowledged record, and shows a gap.
    """
    head, frontier = last.head, last.frontier
    if found.seq < head.seq or found == head:
        return frontier
    for _, line in islice(read_records(last.file.path, head.seq + 1, found.seq), _FOLLOWED):
        record = read_line(line)
        if isinstance(record, Fault) or follows(head, record) is not None:
            return None
        head, frontier = record.head, frontier.plus(leaf_hash(line))
    return frontier if head == found else None
