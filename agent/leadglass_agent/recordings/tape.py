"""One recording that is being written: what its next frames are, and the digest of each call's frames."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadglass_agent.recordings.format import FrameSealer
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied, encode

if TYPE_CHECKING:
    from hashlib import _Hash

    from leadglass_agent.recordings.format import Header
    from leadglass_agent.recordings.records import Record

_MAX_ENDED: Final = 16  # calls that ended last, of which a second end may come


@dataclass(slots=True)
class TapedCall:
    """A call that has begun in the recording: the digest of its frames, and how many messages it had."""

    digest: _Hash = field(default_factory=hashlib.sha256)
    replies: int = 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """Frames that are ready to be written, with the call that each belongs to; "" for none."""

    frames: tuple[tuple[str, bytes], ...]

    @property
    def content(self) -> bytes:
        """The bytes as they shall lie in the file."""
        return b"".join(raw for _, raw in self.frames)


class Tape:
    """The state of a recording between two writes; only what `written` was told has happened."""

    def __init__(self, header: Header, data_key: bytes) -> None:
        self.header = header
        self._sealer = FrameSealer(data_key, header.digest)
        self._frames = 0
        self._attempt = 0
        self.size = len(header.encode())
        self.calls: dict[str, TapedCall] = {}
        self._ended: OrderedDict[str, TapedCall] = OrderedDict()
        self.is_closed = False
        self.fault = ""

    def sealed(self, records: tuple[Record, ...]) -> Sealed:
        """Gives the frames of records, in their order; raises RecordingError for what has no room in one."""
        return Sealed(
            tuple(
                (
                    "" if isinstance(record, Opened | Closed) else record.call_id,
                    self._sealer.seal(
                        encode(record), self._frames + at, self._attempt, is_last=isinstance(record, Closed)
                    ),
                )
                for at, record in enumerate(records)
            )
        )

    def written(self, records: tuple[Record, ...], sealed: Sealed) -> None:
        """Takes note of frames that are in the file."""
        for record, (call_id, raw) in zip(records, sealed.frames, strict=True):
            self._frames += 1
            self.size += len(raw)
            match record:
                case Called():
                    self.calls[call_id] = TapedCall()
                case Replied():
                    self.calls[call_id].replies += 1
                case Closed():
                    self.is_closed = True
                case _:
                    pass
            call = self.call(call_id)
            if call is not None:
                call.digest.update(raw)
            if isinstance(record, Ended):
                self._end(call_id)

    def failed(self) -> None:
        """Takes note that frames were not written: what is sealed next has another nonce."""
        self._attempt += 1

    def call(self, call_id: str) -> TapedCall | None:
        """Gives a call that is running, or that was one of the last to end."""
        return self.calls.get(call_id) or self._ended.get(call_id)

    def digest(self, call_id: str) -> str:
        """Gives the SHA-256 of a call's frames in hexadecimal, "" of one that is not known any more."""
        call = self.call(call_id)
        return "" if call is None else call.digest.hexdigest()

    def _end(self, call_id: str) -> None:
        call = self.calls.pop(call_id, None)
        if call is not None:
            self._ended[call_id] = call
        while len(self._ended) > _MAX_ENDED:
            self._ended.popitem(last=False)
