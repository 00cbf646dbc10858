"""The front's way to connections: the supervisor makes them, to our own port and to what the configuration names.

The kernel refuses sockets to the front itself, so whoever takes it over reaches nobody else.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Never

import msgspec

from leadglass_agent.processes.forked import become_own_process
from leadglass_agent.sandbox.confine import confine_dialler
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.telemetry.endpoint import parse_endpoint

if TYPE_CHECKING:
    from leadglass_agent.config import Config
    from leadglass_agent.sandbox.posture import SandboxLevel

MAX_ASKED: Final = 256
_SEND_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 5.0
_WHOLE_SECONDS: Final = 8  # with the look-up of a name, which has no deadline of its own
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - to recognise it, not to bind it


class Peer(StrEnum):
    """Whom the agent may connect to."""

    OWN_PORT = "OWN_PORT"
    TELEMETRY = "TELEMETRY"
    SINK = "SINK"


class Dial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a connection; with it comes the socket to answer on. `port` is our own, where the kernel chose it."""

    peer: Peer
    port: int = 0


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Dial)


def decode_dial(packet: bytes) -> Dial | None:
    """Decodes a packet; None if it asks for no connection."""
    try:
        return _decoder.decode(packet)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class Dialler:
    """Asks for connections, from any thread."""

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor = supervisor
        self._lock = threading.Lock()
        supervisor.settimeout(_SEND_SECONDS)

    def dial(self, peer: Peer, port: int = 0) -> socket.socket:
        """Gives a connected socket; raises OSError if there is none within seconds."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                socket.send_fds(self._supervisor, [_encoder.encode(Dial(peer, port))], [theirs.fileno()])
            ours.settimeout(_WHOLE_SECONDS + _SEND_SECONDS)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        if not descriptors:
            message = "no connection could be made"
            raise ConnectionError(message)
        return socket.socket(fileno=descriptors[0])

    def dial_own_port(self, address: str) -> socket.socket:
        """Gives a connection to the agent's own port, at host:port as it was bound."""
        return self.dial(Peer.OWN_PORT, int(address.rpartition(":")[2]))


def address_of(config: Config, asked: Dial) -> tuple[str, int] | None:
    """Gives host and port of a peer; None if the configuration has none of that name."""
    match asked.peer:
        case Peer.OWN_PORT:
            host, _, port = config.listen.rpartition(":")
            return _LOOPBACK.get(host, host).strip("[]"), int(port) or asked.port
        case Peer.TELEMETRY:
            return _endpoint(config.telemetry.endpoint)
        case Peer.SINK:
            return _endpoint(config.audit.sink.endpoint) if config.audit.sink is not None else None


def run_dialler(answer: socket.socket, address: tuple[str, int], *, floor: SandboxLevel) -> Never:
    """Connects, passes the socket on and is gone; for a forked copy of the supervisor."""
    try:
        become_own_process(answer.fileno())
        signal.alarm(_WHOLE_SECONDS)
        # socket.getaddrinfo encodes every name by it, and once confined no library can be loaded.
        import encodings.idna  # noqa: F401, PLC0415

        require(confine_dialler(), Role.DIALLER, floor)
        with suppress(OSError), socket.create_connection(address, timeout=_CONNECT_SECONDS) as connection:
            connection.settimeout(None)
            socket.send_fds(answer, [b"\0"], [connection.fileno()])
    finally:
        os._exit(0)


def _endpoint(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    endpoint = parse_endpoint(text)
    return endpoint.host, endpoint.port
