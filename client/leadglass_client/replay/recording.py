"""The recording of one session, read to its end: who opened it, and each call with its replies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.recordings.reading import RecordReader
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call; `ended` is None if it was under way when the recording stops, `digest` is what the audit log holds.

    `replied` is what was sent: a reply is recorded first, and is not sent if the disk is too slow for that.
    """

    number: int
    called: Called
    replied: tuple[Replied, ...]
    ended: Ended | None
    digest: str

    @property
    def refusal(self) -> str:
        """The reason of its refusal; "" if it was answered."""
        return "" if self.ended is None else self.ended.refusal


@dataclass(frozen=True, slots=True)
class Recording:
    """A session with its calls in the order of their beginning, numbered from 1.

    `closed` is None, and `is_complete` False, if the agent died before the session's end, or the file was cut.
    """

    opened: Opened
    calls: tuple[RecordedCall, ...]
    closed: Closed | None
    is_complete: bool
    torn_bytes: int
    frames: int


class _Growing:
    """One call whose frames are still coming."""

    def __init__(self, called: Called) -> None:
        self.called = called
        self.replied: list[Replied] = []
        self.ended: Ended | None = None
        self.hash = hashlib.sha256()

    def sent(self) -> tuple[Replied, ...]:
        ended = self.ended
        return tuple(reply for reply in self.replied if ended is None or reply.number < ended.replies)


def read_recording(read: Callable[[int], bytes], data_key: bytes) -> Recording:
    """Reads a whole recording from what `read` gives; raises RecordingError."""
    reader = RecordReader(read, data_key)
    opened: Opened | None = None
    closed: Closed | None = None
    growing: dict[str, _Growing] = {}
    frames = 0
    for frame, record in reader:
        frames += 1
        if isinstance(record, Opened):
            opened = record
            continue
        if isinstance(record, Closed):
            closed = record
            continue
        if isinstance(record, Called):
            if record.call_id in growing:
                raise _broken(frame.number, "begins a call that has begun before")
            growing[record.call_id] = _Growing(record)
        one = growing.get(record.call_id)
        if one is None:
            raise _broken(frame.number, "belongs to a call that has not begun")
        one.hash.update(frame.raw)
        if isinstance(record, Replied):
            one.replied.append(record)
        elif isinstance(record, Ended):
            one.ended = record
    if opened is None:
        raise _broken(0, "is missing")
    return Recording(
        opened=opened,
        calls=tuple(
            RecordedCall(number, one.called, one.sent(), one.ended, one.hash.hexdigest())
            for number, one in enumerate(growing.values(), start=1)
        ),
        closed=closed,
        is_complete=reader.is_complete,
        torn_bytes=reader.torn_bytes,
        frames=frames,
    )


def _broken(frame: int, fault: str) -> RecordingError:
    return RecordingError(f"frame {frame} {fault}")
