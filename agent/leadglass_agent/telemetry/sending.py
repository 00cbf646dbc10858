"""Sends one OTLP request after the other over HTTP: bounded, with one deadline for all of it, and silent about content.

Our own few lines over http.client: the exporter package of OpenTelemetry brings `requests` and six more packages,
follows redirects and reads proxies from the environment (docs/decisions/0010-telemetry-over-http.md).
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Final

from leadglass_agent.mounted_files import FilesUnread, read_set
from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry.endpoint import EndpointError, parse_endpoint
from leadglass_agent.telemetry.faults import NotTaken, SendFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.telemetry.endpoint import Endpoint

_WAIT_SECONDS: Final = 5.0  # for one answer of the socket
_WHOLE_SECONDS: Final = 10.0  # for all of a request: a peer that drips bytes must not hold the sender
_MAX_REPLY: Final = 64 * 1024
_MAX_FILE: Final = 256 * 1024
_MAX_HEADERS: Final = 16
_HEADER: Final = re.compile(
    r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}):[ \t]*(?P<value>[\x21-\x7e](?:[\x20-\x7e]{0,4095}))"
)
_OWN_HEADERS: Final = frozenset({"content-type", "content-length", "host", "connection", "transfer-encoding"})


class Signal(StrEnum):
    """What is sent, as the path that OTLP/HTTP gives it."""

    LOGS = "/v1/logs"
    METRICS = "/v1/metrics"
    TRACES = "/v1/traces"


class Sender:
    """One connection to a peer, for one thread; it is made again after each failure."""

    def __init__(
        self, endpoint: str, authorities: str, headers_file: str, dial: Callable[[], socket.socket] | None = None
    ) -> None:
        """Takes who makes the connections; raises StartRefused for an endpoint, authorities or headers of no use."""
        self._dial = dial
        self._headers_file = headers_file
        self._connection: HTTPConnection | None = None
        try:
            self._endpoint: Endpoint = parse_endpoint(endpoint)
            self._tls = _context(authorities) if self._endpoint.is_tls else None
            _headers(headers_file)
        except EndpointError as error:
            message = f"the telemetry endpoint {error}"
            raise StartRefused(message) from None
        except FilesUnread as error:
            raise StartRefused(str(error)) from None

    def send(self, signal: Signal, body: bytes) -> bytes:
        """Gives the reply of a peer that took the request; raises NotTaken."""
        try:
            headers = _headers(self._headers_file)  # each time: a mounted secret is rotated
        except FilesUnread:
            raise NotTaken(SendFault.HEADERS_UNREAD) from None
        is_fresh = self._connection is None
        try:
            return self._exchange(signal, body, headers)
        except NotTaken as error:
            if is_fresh or error.fault is not SendFault.UNREACHABLE:
                raise
        return self._exchange(signal, body, headers)  # the peer had closed a connection that was kept

    def close(self) -> None:
        """Closes the connection; the next request makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, signal: Signal, body: bytes, headers: dict[str, str]) -> bytes:
        watch: threading.Timer | None = None
        is_open, is_kept = self._connection is not None, False
        try:
            connection = self._connection = self._connection or self._connected()
            opened: socket.socket = connection.sock
            watch = threading.Timer(_WHOLE_SECONDS, _cut, (opened,))
            watch.daemon = True
            watch.start()
            if not is_open and isinstance(opened, ssl.SSLSocket):
                opened.do_handshake()
            connection.request("POST", self._endpoint.path + signal.value, body, headers)
            with connection.getresponse() as response:
                reply = _read(response)
                is_kept = not response.will_close
        except ssl.SSLError:
            raise NotTaken(SendFault.TLS) from None
        except TimeoutError:
            raise NotTaken(SendFault.TIMED_OUT) from None
        except (OSError, HTTPException):
            raise NotTaken(SendFault.UNREACHABLE) from None
        except ValueError:  # http.client's for a chunk of negative size, among others
            raise NotTaken(SendFault.BROKEN) from None
        finally:
            if watch is not None:
                watch.cancel()
            if not is_kept:
                self.close()
        _check(response.status)
        return reply

    def _connected(self) -> HTTPConnection:
        """Connects, without the handshake: that is the part which a peer could draw out."""
        connection = HTTPConnection(self._endpoint.host, self._endpoint.port, timeout=_WAIT_SECONDS)
        if self._dial is None:
            connection.connect()
        else:
            connection.sock = self._dial()
            connection.sock.settimeout(_WAIT_SECONDS)
        if self._tls is not None:
            connection.sock = self._tls.wrap_socket(
                connection.sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
            )
        return connection


def _read(response: HTTPResponse) -> bytes:
    """Reads a reply whose end is known; a connection that broke off must not pass for the yes that it began with."""
    length = response.length
    reply = response.read(_MAX_REPLY)
    is_whole = response.read(1) == b"" and (response.chunked or length == len(reply))
    if not is_whole:
        raise NotTaken(SendFault.BROKEN)
    return reply


def _cut(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _check(status: int) -> None:
    """Raises NotTaken for every status but the one that OTLP/HTTP gives a request that was taken."""
    match status:
        case HTTPStatus.OK:
            return
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            fault = SendFault.BUSY
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            fault = SendFault.UNAUTHENTICATED
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            fault = SendFault.REFUSED
        case _:
            fault = SendFault.BROKEN
    raise NotTaken(fault)


def _context(authorities: str) -> ssl.SSLContext:
    """Makes the client's side of TLS: the given authorities, or the system's."""
    if not authorities:
        return ssl.create_default_context()
    content = read_set((authorities,), _MAX_FILE).contents[0]
    try:
        return ssl.create_default_context(cadata=content.decode("ascii"))
    except (ssl.SSLError, ValueError):
        message = f"{authorities} holds no PEM certificates"
        raise FilesUnread(message) from None


def _headers(path: str) -> dict[str, str]:
    """Reads `Name: value` lines from a mounted secret; raises FilesUnread, which quotes nothing of them."""
    headers = {"Content-Type": "application/x-protobuf", "User-Agent": "leadglass-agent"}
    if not path:
        return headers
    lines = read_set((path,), _MAX_FILE).contents[0].decode("ascii", "replace").splitlines()
    matches = [_HEADER.fullmatch(line.rstrip()) for line in lines if line.strip()]
    for match in matches:
        if match is None or len(matches) > _MAX_HEADERS or match["name"].lower() in _OWN_HEADERS:
            message = f"{path} must hold at most {_MAX_HEADERS} lines such as 'Authorization: Bearer ...'"
            raise FilesUnread(message)
        headers[match["name"]] = match["value"]
    return headers
