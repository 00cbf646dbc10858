"""HTTP/2 byte by byte over TLS or in the clear: frames that no library would send, as many as a flood needs."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import hpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
NO_WINDOW: Final = struct.pack("!HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE: the other side may send no byte of DATA
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = struct.Struct("!IBI")  # length << 8 | kind, flags, stream
_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 1.0
_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Port:
    """A port to attack; with the files of a client if it speaks TLS, and without a certificate if none is named."""

    address: str
    server_name: str = ""
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Makes a client's context, None for a port in the clear."""
        if self.authority is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        context.set_alpn_protocols(["h2"])
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def dial(self) -> socket.socket:
        """Opens a TCP connection and says nothing on it."""
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=_SECONDS)


class Wire:
    """One connection. What the other side says is thrown away; its end shows as `closed`."""

    def __init__(self, port: Port, context: ssl.SSLContext | None, settings: bytes = b"") -> None:
        self._socket: socket.socket = port.dial()
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=port.server_name)
        except OSError:
            self._socket.close()
            raise
        self.closed = False
        self._next = 1
        self.send(_PREFACE + frame(SETTINGS, payload=settings))

    def __enter__(self) -> Self:
        """Gives the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it without a word."""
        self._socket.close()

    def stream(self) -> int:
        """Gives the number of the next stream."""
        number, self._next = self._next, self._next + 2
        return number

    def send(self, data: bytes) -> None:
        """Sends bytes as they are; a connection that takes none for long, or has ended, is closed."""
        if self.closed:
            return
        self._socket.settimeout(_SEND_SECONDS)
        try:
            self._socket.sendall(data)
        except OSError:
            self.closed = True

    def drain(self) -> int:
        """Takes what has come and gives its bytes."""
        self._socket.settimeout(0.0)
        taken = 0
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            try:
                while not self.closed:
                    received = self._socket.recv(_READ)
                    taken += len(received)
                    self.closed = not received
            except (BlockingIOError, ssl.SSLWantReadError):
                raise
            except OSError:
                self.closed = True
        return taken


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Gives one frame (RFC 9113, section 4.1)."""
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def block(path: str, more: Iterable[tuple[str, str]] = ()) -> bytes:
    """Gives the header block of a call; no table is used, so that it can be sent any number of times."""
    fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "agent"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *more,
    ]
    return bytes(hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields], huffman=False))


def wires(port: Port, until: float, settings: bytes = b"") -> Iterator[Wire]:
    """Gives one connection after the other until a moment of the monotonic clock; one that is refused is no end."""
    context = port.context()
    while time.monotonic() < until:
        try:
            wire = Wire(port, context, settings)
        except OSError:
            time.sleep(0.01)
            continue
        with wire:
            yield wire
