"""The page of metrics for Prometheus: HTTPS for clients with a certificate, one path, one method, a few at a time.

A connection is one request. Who asks must prove the same as a caller of the API: TLS 1.3, not resumed, one SPIFFE id
that an authority in force vouches for, not on the deny list. The page holds no value, so no permission is asked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from leadglass_agent.errors import Refusal
from leadglass_agent.identity import authenticate
from leadglass_agent.processes.handshakes import HandshakeFault
from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry.instruments import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.clock import Instant
    from leadglass_agent.credentials import Credentials
    from leadglass_agent.processes.live import Live
    from leadglass_agent.telemetry.metrics import Metrics

_MAX_CONNECTIONS: Final = 8
_HANDSHAKE_SECONDS: Final = 3.0
_WHOLE_SECONDS: Final = 10.0  # from the connection to the last byte of the page
_MAX_REQUEST: Final = 8 * 1024
_BACKLOG: Final = 16
_PAUSE_SECONDS: Final = 0.1
_SECOND_NS: Final = 1_000_000_000
_REQUEST_LINES: Final = (b"GET /metrics HTTP/1.1", b"GET /metrics HTTP/1.0")
_CLOSE: Final = b"Connection: close\r\nX-Content-Type-Options: nosniff\r\n"


class MetricsText:
    """What Prometheus reads, made anew for each page; for one thread."""

    def __init__(self) -> None:
        # A registry of its own: the global one tells about the interpreter and the process, which nobody asked for.
        self._registry = CollectorRegistry()
        self.reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)

    def page(self) -> bytes:
        """Gives the page in the text format 0.0.4."""
        return generate_latest(self._registry)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about those who connect."""

    live: Live
    trust_domain: str
    clock: Callable[[], Instant]


class MetricsPage:
    """The port of the page; a thread and an event loop of its own, so that a scrape never holds a call up."""

    def __init__(self, address: str, text: MetricsText, asked: Asked, metrics: Metrics) -> None:
        """Binds the port; raises StartRefused if it cannot be had."""
        self._text = text
        self._asked = asked
        self._metrics = metrics
        self._context: tuple[str, ssl.SSLContext] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        host, _, port = address.rpartition(":")
        self._listener = socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((host.strip("[]"), int(port)))
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)  # noqa: FBT003 - its only form
        except OSError as error:
            self._listener.close()
            message = f"the page of metrics cannot be served on {address}: {error.strerror}"
            raise StartRefused(message) from None
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, name="metrics-page", daemon=True)

    def start(self) -> None:
        """Starts to answer; the thread ends with the process."""
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            # Else the loop writes what peers sent in a handshake to standard error.
            runner.get_loop().set_exception_handler(lambda _loop, _context: None)
            runner.run(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)  # no descriptor is free; asking again at once would burn time
                continue
            if len(self._tasks) >= _MAX_CONNECTIONS:
                connection.close()
                self._metrics.count_page(Page.CROWDED)
                continue
            task = loop.create_task(self._serve(connection, str(peer[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket, peer: str) -> None:
        """Serves one connection to its end, whatever it does."""
        with connection:
            reader = asyncio.StreamReader(_MAX_REQUEST)
            try:
                async with asyncio.timeout(_WHOLE_SECONDS):
                    transport, protocol = await self._shake_hands(connection, reader)
            except TimeoutError:
                return self._metrics.count_handshake(HandshakeFault.TIMEOUT)
            except OSError:  # ssl.SSLError is one
                return self._metrics.count_handshake(HandshakeFault.OTHER)
            writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
            try:
                async with asyncio.timeout(_WHOLE_SECONDS):
                    writer.write(self._answer(await reader.readuntil(b"\r\n\r\n"), transport, peer))
                    writer.close()
                    await writer.wait_closed()
            except (OSError, EOFError, asyncio.LimitOverrunError):  # a TimeoutError is an OSError
                self._metrics.count_page(Page.REFUSED)
            finally:
                transport.abort()
        return None

    async def _shake_hands(
        self, connection: socket.socket, reader: asyncio.StreamReader
    ) -> tuple[asyncio.Transport, asyncio.StreamReaderProtocol]:
        return await asyncio.get_running_loop().connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            connection,
            ssl=self._tls(),
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=_HANDSHAKE_SECONDS,
        )

    def _answer(self, request: bytes, transport: asyncio.Transport, peer: str) -> bytes:
        line = request.partition(b"\r\n")[0]
        if not self._may_read(transport, peer):
            status, kind, body = "403 Forbidden", "text/plain", b"this certificate is not accepted\n"
        elif line in _REQUEST_LINES:
            self._metrics.count_page(Page.GIVEN)
            status, kind, body = "200 OK", CONTENT_TYPE_PLAIN_0_0_4, self._text.page()
        elif line.startswith(b"GET "):
            status, kind, body = "404 Not Found", "text/plain", b"there is /metrics and nothing else\n"
        else:
            status, kind, body = "405 Method Not Allowed", "text/plain", b"there is GET and nothing else\n"
        if not status.startswith("200"):
            self._metrics.count_page(Page.REFUSED)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode("ascii")
        return head + _CLOSE + b"\r\n" + body

    def _may_read(self, transport: asyncio.Transport, peer: str) -> bool:
        """Asks of the certificate what the API asks of it; the handshake asked the authorities of its moment alone."""
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        shown, described = tls.getpeercert(binary_form=True), tls.getpeercert()
        if shown is None or described is None:
            return False
        uris = [str(name[1]) for name in described.get("subjectAltName", ()) if name[0] == "URI"]
        auth = {
            "transport_security_type": (b"ssl",),
            "ssl_tls_version": (str(tls.version()).encode("ascii"),),
            "ssl_session_reused": (b"true" if tls.session_reused else b"false",),
            "x509_pem_cert": (ssl.DER_cert_to_PEM_cert(shown).encode("ascii"),),
            "peer_spiffe_id": tuple(uri.encode() for uri in uris),
        }
        live = self._asked.live
        try:
            authenticate(
                auth,
                peer,
                self._asked.trust_domain,
                self._asked.clock().unix_ns / _SECOND_NS,
                live.trust,
                live.deny_list,
            )
        except Refusal:
            return False
        return True

    def _tls(self) -> ssl.SSLContext:
        """Gives the server's side of TLS for the credentials in force now; it is made once for each of them."""
        credentials = self._asked.live.credentials
        if self._context is None or self._context[0] != credentials.digest:
            self._context = (credentials.digest, _context(credentials))
        return self._context[1]


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # a resumed session would bring a certificate that nobody checked again
    context.load_verify_locations(cadata=credentials.caller_authorities.decode("ascii"))
    # The library reads files alone: one without a name, which is gone when it is closed.
    held = os.memfd_create("credentials", os.MFD_CLOEXEC)
    try:
        os.write(held, credentials.certificate + b"\n" + credentials.key)
        context.load_cert_chain(f"/proc/self/fd/{held}")
    finally:
        os.close(held)
    return context
