"""Watches the connections of a port from within the process that serves it, and closes those that have to go.

grpc tells nobody who holds its connections or what they send, and bounds neither by caller. The kernel tells: the
sockets are this process's own. They are shut down and not closed: the descriptor stays grpc's, which sees a peer hang
up.
"""

from __future__ import annotations

import asyncio
import os
import resource
import select
import socket
import stat
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.crowd import Crowd, Seen
from leadglass_agent.api.peer import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.access.abuse import AbuseLedger
    from leadglass_agent.access.crowd import Bounds
    from leadglass_agent.clock import Instant

# The connections of both ports, and what the process opens besides. A look takes 0.2 ms.
_DESCRIPTORS: Final = 1_024
_FIRST: Final = 3
_CALM_SECONDS: Final = 1.0
_ALERT_SECONDS: Final = 0.2
# struct tcp_info of linux/tcp.h: tcpi_bytes_received, there since Linux 4.1.
_INFO_BYTES: Final = 136
_RECEIVED: Final = slice(128, 136)
_MAPPED: Final = "::ffff:"  # an IPv4 peer of an IPv6 port, which grpc writes as IPv4


class Connections:
    """The connections of one port, and who called on them."""

    def __init__(self, port: int, bounds: Bounds, abuse: AbuseLedger, clock: Callable[[], Instant]) -> None:
        self._port: Final = port
        self._bounds: Final = bounds
        self._crowd: Final = Crowd(bounds)
        self._abuse: Final = abuse
        self._clock: Final = clock
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # poll(2) takes no more
        self._descriptors: Final = range(_FIRST, min(_DESCRIPTORS, most))
        self._others: Final[dict[int, int]] = {}  # sockets that are not the port's, by descriptor: their numbers
        self._poll: Final = select.poll()
        for number in self._descriptors:
            self._poll.register(number, 0)

    def called(self, peer: str, caller: str) -> None:
        """Notes who called from an address as grpc writes it."""
        self._crowd.called(peer, caller)

    async def run(self) -> None:
        """Looks each second, and more often while the port fills; never returns."""
        while True:
            pause = _ALERT_SECONDS if self.look() else _CALM_SECONDS
            await asyncio.sleep(pause)

    def look(self) -> bool:
        """Closes what has to go; says whether the port is half full, or somebody was sent away."""
        now = self._clock()
        with ExitStack() as stack:
            own = [stack.enter_context(connection) for connection in self._own()]
            seen = [Seen(_peer_of(connection), _received(connection), at) for at, connection in enumerate(own)]
            closing = self._crowd.look([one for one in seen if one.peer], now.boot_ns)
            for one in closing:
                with suppress(OSError):  # it ended by itself
                    own[one.seen.number].shutdown(socket.SHUT_RDWR)
                self._abuse.count(one.caller or host_of(one.seen.peer), one.cause, now)
            return bool(closing) or 2 * len(own) >= self._bounds.crowded

    def _own(self) -> Iterator[socket.socket]:
        """Gives the port's sockets by descriptors of our own: what grpc closes meanwhile becomes no other file."""
        unused = set[int]()
        with suppress(OSError):  # somebody lowered our limit of descriptors below what is asked about: each is tried
            unused = {number for number, event in self._poll.poll(0) if event & select.POLLNVAL}
        for number in self._descriptors:
            if number in unused:
                continue
            try:
                file = os.fstat(number)
                if not stat.S_ISSOCK(file.st_mode) or self._others.get(number) == file.st_ino:
                    continue
                copy = os.dup(number)
            except OSError:  # closed since, or no descriptor is left
                continue
            try:
                # The family only sizes the buffer for addresses: grpc's are of this one, whatever it was told to bind.
                connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, copy)
            except OSError:  # no socket
                os.close(copy)
                continue
            name = connection.getsockname()
            if isinstance(name, tuple) and name[1] == self._port:
                yield connection
            else:
                self._others[number] = file.st_ino
                connection.close()


def _peer_of(connection: socket.socket) -> str:
    """Gives the peer as grpc writes it; empty for the socket that listens, and for one that has ended."""
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return ""
    if host.startswith(_MAPPED):
        host = host.removeprefix(_MAPPED)
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


def _received(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    return int.from_bytes(info[_RECEIVED], sys.byteorder)
