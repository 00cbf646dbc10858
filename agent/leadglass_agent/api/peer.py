"""What the transport says of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.receipt import Receipt

# Sends headers ahead of the reply.
Announce: TypeAlias = Callable[[tuple[tuple[str, str], ...]], Awaitable[None]]
# Keeps the call's receipt, to be sent behind the reply or the refusal.
Conclude: TypeAlias = Callable[["Receipt"], None]

_SPIFFE_ID = "peer_spiffe_id"
_MAX_NAME = 2_048  # SPIFFE-ID, section 2.3
_MAX_PROPERTY = 32


async def _to_nobody(_headers: tuple[tuple[str, str], ...]) -> None:
    """Sends nothing, where no transport waits for headers."""


def _for_nobody(_receipt: Receipt) -> None:
    """Keeps nothing, where no transport waits for receipts."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Authentication context, address, session metadata, the time left in seconds, and how the call's frame is sent."""

    auth: Mapping[str, Iterable[bytes]]
    address: str
    session_ids: tuple[str, ...]
    seconds_left: float | None
    announce: Announce = _to_nobody
    conclude: Conclude = _for_nobody

    @property
    def host(self) -> str:
        """The address without its port, which changes with each connection."""
        return host_of(self.address)

    @property
    def named(self) -> str:
        """Who its certificate says that it is, empty if it says so in no accepted way; to count by, and no proof."""
        return next(iter(self.auth.get(_SPIFFE_ID, ())), b"")[:_MAX_NAME].decode("ascii", "replace")

    @property
    def tls_version(self) -> str | None:
        """The version of TLS, such as TLSv1.3."""
        return self._property("ssl_tls_version")

    @property
    def tls_group(self) -> str | None:
        """The group of the key exchange, such as X25519MLKEM768."""
        return self._property("ssl_negotiated_key_exchange_group")

    def _property(self, key: str) -> str | None:
        value = next(iter(self.auth.get(key, ())), b"")
        return value[:_MAX_PROPERTY].decode("ascii", "replace") or None


def host_of(address: str) -> str:
    """Gives an address as grpc writes it (ipv4:127.0.0.1:4711) without its port."""
    return address.rpartition(":")[0]
