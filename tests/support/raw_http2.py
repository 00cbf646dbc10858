"""A small HTTP/2 client that does what gRPC's own never does: TLS 1.2, resumed sessions, half streams, resets."""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SECONDS = 10.0
_READ = 64 * 1024
_PREFIX = struct.Struct("!BI")  # gRPC over HTTP/2: compressed flag, length


@dataclass(frozen=True, slots=True)
class Way:
    """Where an agent is, the name that its certificate must carry, and the files of a client's own."""

    address: str
    server_name: str
    certificate: Path
    key: Path
    authority: Path


@dataclass
class Answer:
    """What a stream brought: headers and trailers as one mapping, its bytes, and how it ended."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset_with: int | None = None

    @property
    def status(self) -> int | None:
        """The number of the gRPC status, None if there is none."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None

    @property
    def reason(self) -> str:
        """The stable reason of a refusal, empty if there is none."""
        packed = self.headers.get("grpc-status-details-bin", "")
        status = status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
        info = error_details_pb2.ErrorInfo()
        return str(info.reason) if status.details and status.details[0].Unpack(info) else ""


def tls_context(way: Way, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Makes a client's context that speaks no newer TLS than told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(way.authority)
    context.load_cert_chain(way.certificate, way.key)
    context.set_alpn_protocols(["h2"])
    context.maximum_version = newest
    return context


class RawConnection:
    """One HTTP/2 connection; nothing is read but by `pump` and what calls it, and every wait has an end."""

    def __init__(self, way: Way, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None) -> None:
        host, _, port = way.address.rpartition(":")
        plain = socket.create_connection((host, int(port)), timeout=_SECONDS)
        try:
            self.tls = (context or tls_context(way)).wrap_socket(
                plain, server_hostname=way.server_name, session=session
            )
        except OSError:
            plain.close()
            raise
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._answers: dict[int, Answer] = {}
        self.closed = False
        self.max_streams: int | None = None
        self._http.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        """Gives the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it without a word."""
        self.tls.close()

    def settle(self) -> None:
        """Reads and acknowledges the other side's settings, which bind nobody before that."""
        while self.max_streams is None and not self.closed:
            self.pump()

    def open(self, method: str, metadata: Iterable[tuple[str, str]] = (), *, verb: str = "POST") -> int:
        """Starts a stream with its headers alone and gives its number."""
        number = self._http.get_next_available_stream_id()
        headers = [
            (":method", verb),
            (":scheme", "https"),
            (":path", method),
            (":authority", "agent"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *metadata,
        ]
        self._http.send_headers(number, headers)
        self._answers[number] = Answer()
        self._flush()
        return number

    def send(self, number: int, message: bytes, *, end: bool = True) -> None:
        """Sends one message on a stream, which is short enough for the first flow-control window."""
        self.send_raw(number, _PREFIX.pack(0, len(message)) + message, end=end)

    def send_raw(self, number: int, data: bytes, *, end: bool = True) -> None:
        """Sends bytes as they are on a stream."""
        size = self._http.max_outbound_frame_size
        for start in range(0, len(data), size):
            self._http.send_data(number, data[start : start + size])
        if end:
            self._http.end_stream(number)
        self._flush()

    def reset(self, number: int) -> None:
        """Takes a stream back."""
        self._http.reset_stream(number)
        self._flush()

    def call(self, method: str, message: bytes, metadata: Iterable[tuple[str, str]] = ()) -> Answer:
        """Makes one whole call."""
        number = self.open(method, metadata)
        self.send(number, message)
        return self.answer(number)

    def answer(self, number: int, seconds: float = _SECONDS) -> Answer:
        """Reads until the stream or the connection has ended, and fails if neither does."""
        deadline = time.monotonic() + seconds
        answer = self._answers[number]
        while not answer.ended and not self.closed:
            assert time.monotonic() < deadline, "the stream did not end"
            self.pump()
        return answer

    def pump(self) -> None:
        """Reads once what the other side sent; takes the end of the connection as it comes."""
        self.tls.settimeout(_SECONDS)
        try:
            data = self.tls.recv(_READ)
            events = self._http.receive_data(data) if data else []
        except (OSError, h2.exceptions.ProtocolError):
            self.closed = True
            return
        self.closed = self.closed or not data
        for event in events:
            self._take(event)
        self._flush()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                headers = {str(name): str(value) for name, value in event.headers or ()}
                self._answers[event.stream_id or 0].headers |= headers
            case h2.events.DataReceived():
                self._answers[event.stream_id or 0].body += event.data or b""
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            case h2.events.StreamEnded():
                self._answers[event.stream_id or 0].ended = True
            case h2.events.StreamReset():
                answer = self._answers[event.stream_id or 0]
                answer.reset_with, answer.ended = int(event.error_code or 0), True
            case h2.events.ConnectionTerminated():
                self.closed = True
            case h2.events.RemoteSettingsChanged():
                changed = event.changed_settings.get(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS)
                self.max_streams = changed.new_value if changed else self.max_streams
            case _:
                pass  # nothing of it is an answer

    def _flush(self) -> None:
        data = self._http.data_to_send()
        if data and not self.closed:
            try:
                self.tls.sendall(data)
            except OSError:
                self.closed = True
