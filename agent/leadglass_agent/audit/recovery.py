"""What a log remembers when it breaks, and how its chain goes on afterwards."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.file import read_at
from leadglass_agent.audit.record import RECORD_BYTES, Event, EventKind
from leadglass_agent.audit.reserve import NoRoom
from leadglass_agent.errors import Severity

if TYPE_CHECKING:
    from leadglass_agent.audit.chain import Head
    from leadglass_agent.audit.file import LogFile
    from leadglass_agent.audit.record import Fact
    from leadglass_agent.audit.reserve import Reserve
    from leadglass_agent.audit.tree import Frontier
    from leadglass_agent.clock import Instant

_NO_ROOM: Final = "NO_ROOM"
_NAME_TAKEN: Final = "NAME_TAKEN"


@dataclass(frozen=True, slots=True)
class Writing:
    """The log as its last durable record left it."""

    file: LogFile
    head: Head
    size: int
    first_seq: int  # of the file's first record; of its next one while it is empty
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class Broken:
    """Why and since when nothing can be written, and what of the file was acknowledged before."""

    cause: str
    since: Instant
    refused: int
    last: Writing  # its descriptor is closed
    attempt: bytes  # the lines that failed: whatever of it reached the disk was never acknowledged


@dataclass(frozen=True, slots=True)
class Cuts:
    """Unacknowledged ends that were cut off and are not recorded yet: one hash over all pieces in order."""

    pieces: int
    size: int
    sha256: hashlib._Hash

    def plus(self, piece: bytes) -> Cuts:
        """Returns these cuts and one more."""
        sha256 = self.sha256.copy()
        sha256.update(piece)
        return Cuts(self.pieces + 1, self.size + len(piece), sha256)


class Repairs:
    """Cuts unacknowledged ends off, and remembers them until a record of them is durable.

    `aside` are the names that foreign files got which lay in the log's place; they wait for a record as well.
    """

    def __init__(self, reserve: Reserve) -> None:
        self._reserve = reserve
        self._cuts = _no_cuts()
        self.aside: tuple[str, ...] = ()

    def need_room(self, file: LogFile) -> None:
        """Makes sure of room for a record of any size; raises NoRoom or OSError."""
        try:
            self._reserve.ensure(file, os.fstat(file.fd).st_size, RECORD_BYTES)
        except NoRoom:
            raise NoRoom(_NO_ROOM) from None

    def cut(self, file: LogFile, end: int, rest: bytes) -> None:
        """Cuts `rest` off; raises NoRoom or OSError."""
        if rest:
            self.need_room(file)  # else the cut would be made and its record could not be written
            os.ftruncate(file.fd, end)
            self._reserve.forget()
            self._cuts = self._cuts.plus(rest)

    def events(self) -> tuple[Event, ...]:
        """Gives the record of what was cut off, if anything was."""
        return (_repaired(self._cuts),) if self._cuts.pieces else ()

    def recorded(self) -> None:
        """Takes note that this record is durable, and the one of a recovery."""
        self._cuts = _no_cuts()
        self.aside = ()


def _no_cuts() -> Cuts:
    return Cuts(pieces=0, size=0, sha256=hashlib.sha256())


def left_of_attempt(file: LogFile, broken: Broken) -> bytes:
    """Returns what the failed write left after the last durable record, whole or torn; nothing if it is anything else.

    It was never acknowledged, and after a failed fdatasync the kernel may hold pages that the disk never got: it is
    written anew rather than believed.
    """
    last = broken.last
    size = os.fstat(file.fd).st_size
    if (file.device, file.inode) != (last.file.device, last.file.inode) or size > last.size + len(broken.attempt):
        return b""
    rest = read_at(file, last.size, size)
    return rest if broken.attempt.startswith(rest) else b""


def next_head(acknowledged: Head, found: Head) -> Head:
    """Returns the head to continue from: the one on disk, unless acknowledged records are missing there.

    Then the chain goes on from the last acknowledged record, so that verification shows the gap instead of hiding it.
    A log that was moved away goes on in a new file, and the two verify as one.
    """
    return found if found.seq > acknowledged.seq else acknowledged


def _repaired(cuts: Cuts) -> Event:
    return Event(
        kind=EventKind.TAIL_REPAIRED,
        facts=(("bytes", cuts.size), ("pieces", cuts.pieces), ("sha256", cuts.sha256.hexdigest())),
    )


def recovered(broken: Broken, found: Head, now: Instant, aside: tuple[str, ...] = ()) -> Event:
    """Returns the record of a recovery; it names both heads if the disk did not hold the acknowledged one.

    `aside` are the foreign files that were moved out of the log's place.
    """
    facts: tuple[Fact, ...] = (
        ("cause", broken.cause),
        ("records_refused", broken.refused),
        ("broken_ms", (now.boot_ns - broken.since.boot_ns) // 1_000_000),
    )
    expected = broken.last.head
    if found != expected:
        facts += (
            ("expected_seq", expected.seq),
            ("expected_hash", expected.digest),
            ("found_seq", found.seq),
            ("found_hash", found.digest),
        )
    return Event(
        kind=EventKind.AUDIT_RECOVERED,
        severity=Severity.CRITICAL if aside else None,
        facts=(*facts, *_foreign(aside)),
    )


def name_taken(aside: str, name: str) -> Event:
    """Returns the record that a file lay where the log's own was to get its closed name, and what it is called now."""
    return Event(
        kind=EventKind.AUDIT_RECOVERED,
        severity=Severity.CRITICAL,
        facts=(("cause", _NAME_TAKEN), ("name", name), *_foreign((aside,))),
    )


def name_kept(name: str, cause: str) -> Event:
    """Returns the record that such a file cannot be moved, so that the log's own goes on growing."""
    return Event(
        kind=EventKind.AUDIT_RECOVERED,
        severity=Severity.CRITICAL,
        facts=(("cause", _NAME_TAKEN), ("name", name), ("not_moved", cause)),
    )


def _foreign(aside: tuple[str, ...]) -> tuple[Fact, ...]:
    return tuple((f"foreign_{number}", name) for number, name in enumerate(aside, start=1))
