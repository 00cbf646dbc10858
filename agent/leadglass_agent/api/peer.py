"""What the transport says of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Sends headers ahead of the reply.
Announce: TypeAlias = Callable[[tuple[tuple[str, str], ...]], Awaitable[None]]


async def _to_nobody(_headers: tuple[tuple[str, str], ...]) -> None:
    """Sends nothing, where no transport waits for headers."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Authentication context, address, session metadata, the time left in seconds, and how headers are sent."""

    auth: Mapping[str, Iterable[bytes]]
    address: str
    session_ids: tuple[str, ...]
    seconds_left: float | None
    announce: Announce = _to_nobody

    @property
    def host(self) -> str:
        """The address without its port, which changes with each connection."""
        return host_of(self.address)


def host_of(address: str) -> str:
    """Gives an address as grpc writes it (ipv4:127.0.0.1:4711) without its port."""
    return address.rpartition(":")[0]
