"""Writes and reads the bytes of a recording: a clear header, then frames that only the data key opens, in their order.

It is documented in docs/recordings.md; all integers are big endian. A frame is bound to its file and its place in it,
so that one dropped, moved, cut or swapped with another file's does not open.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PLAIN: Final = 16 * 1024 * 1024  # a message of the contract has 4 MiB at most
FRAME_HEAD_BYTES: Final = 8
TAG_BYTES: Final = 16
DATA_KEY_BYTES: Final = 32
MAX_ATTEMPT: Final = 2**24 - 1
MAX_HEADER: Final = 81

_MAGIC: Final = b"LGREC\0\1\n"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIME_BYTES: Final = 8
_DOMAIN: Final = b"leadglass recording frame v1\0"
_LAST: Final = 1
_KNOWN_FLAGS: Final = _LAST


class RecordingError(Exception):
    """What is no recording, or not as it was written; the text names the frame and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What of a recording is in clear: the session's id, and when it was opened in nanoseconds since 1970."""

    session_id: str
    open_unix_ns: int

    def encode(self) -> bytes:
        """Gives the bytes that the file begins with."""
        name = self.session_id.encode("ascii")
        return b"".join((_MAGIC, len(name).to_bytes(), name, self.open_unix_ns.to_bytes(_TIME_BYTES)))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the header, to which the key and each frame are bound."""
        return hashlib.sha256(self.encode()).digest()


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One frame: its number from 0, its bytes as they lie in the file, what they hold, and whether it is the last."""

    number: int
    raw: bytes
    plain: bytes
    is_last: bool

    def __repr__(self) -> str:
        """Shows nothing of what it holds."""
        return f"Frame({self.number})"


def is_session_id(text: str) -> bool:
    """Says whether a text can be a session's id, and with that the name of a file."""
    return _ID.fullmatch(text) is not None


def read_header(data: bytes) -> tuple[Header, int]:
    """Gives the header that `data` begins with, and where it ends; raises RecordingError."""
    at = len(_MAGIC) + 1
    end = at + (data[at - 1] if len(data) >= at else 0)
    if not data.startswith(_MAGIC) or len(data) < end + _TIME_BYTES:
        message = "this is no recording: it does not begin as one"
        raise RecordingError(message)
    name = data[at:end].decode("ascii", "replace")
    if not is_session_id(name):
        message = "this is no recording: its header names no session"
        raise RecordingError(message)
    return Header(name, int.from_bytes(data[end : end + _TIME_BYTES])), end + _TIME_BYTES


class FrameSealer:
    """Seals the frames of one recording.

    A nonce is the frame's number and how many writes have failed so far: the same number may be sealed again after a
    write that failed half way, and then with other content, which must not happen under the same nonce.
    """

    def __init__(self, data_key: bytes, header_digest: bytes) -> None:
        self._cipher = AESGCM(data_key)
        self._header_digest = header_digest

    def __repr__(self) -> str:
        """Shows nothing of the key."""
        return "FrameSealer(...)"

    def seal(self, plain: bytes, number: int, attempt: int, *, is_last: bool = False) -> bytes:
        """Gives the frame as it lies in the file; raises RecordingError for what has no room in one."""
        if len(plain) > MAX_PLAIN or attempt > MAX_ATTEMPT:
            message = f"frame {number} is larger than {MAX_PLAIN} bytes, or was written too often in vain"
            raise RecordingError(message)
        head = (len(plain) + TAG_BYTES).to_bytes(4) + (_LAST if is_last else 0).to_bytes() + attempt.to_bytes(3)
        return head + self._cipher.encrypt(
            _nonce(number, attempt), plain, _associated(self._header_digest, number, head)
        )


class FrameReader:
    """Reads a recording from the front, frame by frame; `read` gives at most so many bytes, none at the end.

    After the last frame `is_complete` says whether it was the last that was written. If not, the agent was killed or
    the end was cut off, and `torn_bytes` at the end are no whole frame: which of both it was, only the audit log tells.
    """

    def __init__(self, read: Callable[[int], bytes], data_key: bytes) -> None:
        self._read = read
        self.header, extra = self._header()
        self._digest = self.header.digest
        self._left = extra
        try:
            self._cipher = AESGCM(data_key)
        except ValueError:
            message = "the key of a recording has 32 bytes"
            raise RecordingError(message) from None
        self.is_complete = False
        self.torn_bytes = 0

    def __iter__(self) -> Iterator[Frame]:
        """Gives the frames; raises RecordingError at the first that is not as it was written, or not in its place."""
        number = 0
        while head := self._exactly(FRAME_HEAD_BYTES):
            if self.is_complete:
                message = f"frame {number} stands behind the last one"
                raise RecordingError(message)
            if len(head) < FRAME_HEAD_BYTES:
                self.torn_bytes = len(head)
                return
            size, flags, attempt = int.from_bytes(head[:4]), head[4], int.from_bytes(head[5:])
            if not TAG_BYTES <= size <= MAX_PLAIN + TAG_BYTES or flags & ~_KNOWN_FLAGS:
                message = f"frame {number} does not begin as one"
                raise RecordingError(message)
            sealed = self._exactly(size)
            if len(sealed) < size:
                self.torn_bytes = len(head) + len(sealed)
                return
            try:
                plain = self._cipher.decrypt(_nonce(number, attempt), sealed, _associated(self._digest, number, head))
            except InvalidTag:
                message = f"frame {number} is not as it was written, or not in its place, or the key is another's"
                raise RecordingError(message) from None
            self.is_complete = bool(flags & _LAST)
            yield Frame(number, head + sealed, plain, self.is_complete)
            number += 1

    def _header(self) -> tuple[Header, bytes]:
        data = b""
        while len(data) < MAX_HEADER and (part := self._read(MAX_HEADER - len(data))):
            data += part
        header, end = read_header(data)
        return header, data[end:]

    def _exactly(self, size: int) -> bytes:
        """Reads so many bytes, fewer if the file ends before."""
        parts, self._left = [self._left[:size]], self._left[size:]
        missing = size - len(parts[0])
        while missing and (part := self._read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


def _nonce(number: int, attempt: int) -> bytes:
    return attempt.to_bytes(4) + number.to_bytes(8)


def _associated(header_digest: bytes, number: int, head: bytes) -> bytes:
    return b"".join((_DOMAIN, header_digest, number.to_bytes(8), head))
