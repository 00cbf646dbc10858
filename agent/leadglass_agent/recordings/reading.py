"""Reads a recording record by record, and holds them to the order in which an agent writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.recordings.format import FrameReader, RecordingError
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.recordings.format import Frame, Header
    from leadglass_agent.recordings.records import Record


class RecordReader:
    """Reads what a FrameReader reads; `is_complete` and `torn_bytes` are those of the file, after the last record."""

    def __init__(self, read: Callable[[int], bytes], data_key: bytes) -> None:
        self._frames = FrameReader(read, data_key)
        self._replies: dict[str, int] = {}

    @property
    def header(self) -> Header:
        """What is in clear, and vouched for by the first frame that opens."""
        return self._frames.header

    @property
    def is_complete(self) -> bool:
        """Whether the last record was the last that was written."""
        return self._frames.is_complete

    @property
    def torn_bytes(self) -> int:
        """Bytes at the end that are no whole frame."""
        return self._frames.torn_bytes

    def __iter__(self) -> Iterator[tuple[Frame, Record]]:
        """Gives frames with what they hold; raises RecordingError."""
        for frame in self._frames:
            record = decode(frame.plain)
            if not self._is_in_order(frame, record):
                message = f"frame {frame.number} holds what cannot stand there"
                raise RecordingError(message)
            yield frame, record

    def _is_in_order(self, frame: Frame, record: Record) -> bool:
        if isinstance(record, Opened) is not (frame.number == 0) or isinstance(record, Closed) is not frame.is_last:
            return False
        match record:
            case Opened(session_id=session_id):
                return session_id == self.header.session_id
            case Called(call_id=call_id):
                return self._replies.setdefault(call_id, 0) == 0
            case Replied(call_id=call_id, number=number):
                is_next = self._replies.get(call_id) == number
                self._replies[call_id] = number + 1
                return is_next
            case Ended(call_id=call_id, replies=replies):
                # A second end follows when a disk was too slow and the caller was refused in the end.
                return self._replies.get(call_id, -1) >= 0 and replies >= 0
            case Closed():
                return True
