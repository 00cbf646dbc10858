"""The TLS of the API's port: gives a new certificate to handshakes without freeing the old one under them.

grpc asks a fetcher for a new configuration at each connection, and frees the factory of the old one as soon as it gets
one, although another thread may be between reading the factory's address and making a handshaker of it, which would
hold it (grpc/grpc#36693; a fetcher that always gives one ends the process within seconds of 200 parallel connections).
So the fetcher gives a configuration once per rotation, and only while a connection of our own, stopped in the middle of
its handshake, holds the old factory: that thread then has more than a second, and needs microseconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.credentials import Credentials

# grpc ends a handshake after this time: idle connections lock out new clients. It is how long a pin holds, too.
HANDSHAKE_SECONDS: Final = 3.0
# A new configuration is given within this time of the pin's start, so that the old factory outlives that by as much.
_GIVING_SECONDS: Final = HANDSHAKE_SECONDS / 2
_READ_BYTES: Final = 16 * 1024
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - to recognise it, not to bind it


class NotReplaced(Exception):
    """The port still shows the certificate that it had; the text says why."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A configuration for the next connection, until a moment of the monotonic clock."""

    configuration: grpc.ServerCertificateConfiguration
    until: float


class ServerTls:
    """Makes the port's credentials, and replaces what they hold while it serves."""

    def __init__(
        self,
        credentials: Credentials,
        foresee: Callable[[], None] = lambda: None,
        connect: Callable[[str], socket.socket] | None = None,
    ) -> None:
        self._foresee: Final = foresee  # called before handshakes of our own that fail on purpose
        self._connect: Final = connect or _connected  # gives a connection to host:port; the front may make none itself
        self.shown_digest = credentials.digest
        self._initial: Final = _configuration(credentials)
        self._lock: Final = threading.Lock()
        self._offer: _Offer | None = None
        self._pins: set[asyncio.Task[None]] = set()

    def server_credentials(self) -> grpc.ServerCredentials:
        """Gives the credentials for exactly one port; a client certificate is asked for and checked."""
        return grpc.dynamic_ssl_server_credentials(
            self._initial,
            self._fetch,  # type: ignore[arg-type] # None is its documented answer for "unchanged"
            require_client_authentication=True,
        )

    async def replace(self, credentials: Credentials, address: str) -> None:
        """Gives the port at `address` (host:port as bound) new credentials; raises NotReplaced, and may be tried again.

        Connections that stand keep what they have; it is the gate that asks for each call what is in force now.
        """
        started = time.monotonic()
        self._foresee()
        try:
            async with asyncio.timeout(_GIVING_SECONDS):
                self._keep(await self._pin(address))
                self._put(_Offer(_configuration(credentials), started + _GIVING_SECONDS))
                shown = await self._shown_leaf(address)
        except (OSError, TimeoutError) as error:
            message = f"the port did not take part in the handshakes of a rotation: {type(error).__name__}"
            raise NotReplaced(message) from None
        finally:
            untaken = self._take()
        if untaken is not None or shown != credentials.leaf:
            message = "the TLS library did not take the new certificate"
            raise NotReplaced(message)
        self.shown_digest = credentials.digest

    async def close(self) -> None:
        """Lets go of connections that still hold an old factory; the port must have stopped."""
        for pin in self._pins:
            pin.cancel()
        await asyncio.gather(*self._pins, return_exceptions=True)

    async def _pin(self, address: str) -> _Connection:
        """Starts a handshake and stops in its middle: the answer proves that a handshaker holds the factory."""
        connection = await self._open(address)
        try:
            connection.writer.write(_Handshake().step(b""))
            await connection.receive()
        except BaseException:
            connection.writer.close()
            raise
        return connection

    async def _shown_leaf(self, address: str) -> bytes | None:
        """Gives the certificate (DER) that a new connection is shown."""
        connection = await self._open(address)
        handshake = _Handshake()
        try:
            connection.writer.write(handshake.step(b""))
            while not handshake.is_done:
                connection.writer.write(handshake.step(await connection.receive()))
            return handshake.shown_leaf()
        finally:
            connection.writer.close()

    async def _open(self, address: str) -> _Connection:
        connecting = asyncio.ensure_future(asyncio.to_thread(self._connect, address))
        try:
            connected = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close)  # what the thread brings when nobody waits any more
            raise
        connected.setblocking(False)  # noqa: FBT003 - its only form
        return _Connection(*await asyncio.open_connection(sock=connected))

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Answers grpc at each connection, on a thread of its own; nothing means that nothing changed."""
        offer = self._take()
        return None if offer is None or time.monotonic() >= offer.until else offer.configuration

    def _put(self, offer: _Offer) -> None:
        with self._lock:
            self._offer = offer

    def _take(self) -> _Offer | None:
        with self._lock:
            offer, self._offer = self._offer, None
        return offer

    def _keep(self, pin: _Connection) -> None:
        task = asyncio.create_task(pin.outlast())
        self._pins.add(task)
        task.add_done_callback(self._pins.discard)


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection to our own port."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive(self) -> bytes:
        """Gives what the port sends next; raises ConnectionError at the end."""
        received = await self.reader.read(_READ_BYTES)
        if not received:
            message = "the port hung up"
            raise ConnectionError(message)
        return received

    async def outlast(self) -> None:
        """Says nothing more until the port gives up on the handshake, then closes."""
        try:
            async with asyncio.timeout(2 * HANDSHAKE_SECONDS):
                while await self.reader.read(_READ_BYTES):
                    pass
        except (OSError, TimeoutError):
            pass
        finally:
            self.writer.close()


class _Handshake:
    """The client's side of one handshake, with its bytes in our hands."""

    def __init__(self) -> None:
        # Nothing is told to this peer and nothing believed of it: it is our own port, and its certificate is looked at.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Final = context.wrap_bio(self._incoming, self._outgoing)
        self.is_done = False

    def step(self, received: bytes) -> bytes:
        """Takes what the peer sent, and gives what to send it; raises ssl.SSLError, an OSError, on nonsense."""
        self._incoming.write(received)
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self.is_done = True
        return self._outgoing.read()

    def shown_leaf(self) -> bytes | None:
        """Gives the peer's certificate as DER."""
        return self._tls.getpeercert(binary_form=True)


def _close(connecting: asyncio.Future[socket.socket]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((_LOOPBACK.get(host, host).strip("[]"), int(port)), HANDSHAKE_SECONDS)


def _configuration(credentials: Credentials) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(credentials.key, credentials.certificate)], root_certificates=credentials.caller_authorities
    )
