"""Framing between the agent's processes: length-prefixed, at most 256 KiB, without I/O."""

from __future__ import annotations

import struct

_LENGTH = struct.Struct("!I")
MAX_FRAME = 256 * 1024


class ChannelError(Exception):
    """The other side broke the framing or sent an unknown message: the channel ends."""


def frame(payload: bytes) -> bytes:
    """Puts a length before a payload of 1 to 262,144 bytes."""
    if not 0 < len(payload) <= MAX_FRAME:
        message = f"a frame of {len(payload)} bytes is out of bounds"
        raise ChannelError(message)
    return _LENGTH.pack(len(payload)) + payload


class FrameBuffer:
    """Cuts a byte stream into frames; holds at most one frame and what one read brought."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Takes what was read and gives the payloads that are complete; raises ChannelError on a bad length."""
        self._pending += data
        complete: list[bytes] = []
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            if not 0 < length <= MAX_FRAME:
                message = f"a frame of {length} bytes is out of bounds"
                raise ChannelError(message)
            end = _LENGTH.size + length
            if len(self._pending) < end:
                break
            complete.append(bytes(self._pending[_LENGTH.size : end]))
            del self._pending[:end]
        return complete
