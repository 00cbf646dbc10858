"""Says which network an address belongs to, and remembers from which networks each identity has called."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SpiffeId

MAX_IDENTITIES: Final = 4_096
MAX_NETWORKS: Final = 64  # of one identity; one that calls from more calls from anywhere

# What one site, or one host with changing temporary addresses, usually has (RFC 6177, RFC 8981).
_IPV4_PREFIX: Final = 24
_IPV6_PREFIX: Final = 64
_CACHED: Final = 1_024  # both are asked on every call


class Novelty(StrEnum):
    """What was not seen before."""

    IDENTITY = "identity"
    NETWORK = "network"


class Sources:
    """The networks of each identity since the agent's start; the identity that was quiet the longest goes first."""

    def __init__(self) -> None:
        self._networks: OrderedDict[SpiffeId, set[str]] = OrderedDict()

    def first_seen(self, caller: SpiffeId, host: str) -> tuple[Novelty, ...]:
        """Remembers where the identity calls from, and tells what of it is new."""
        known = self._networks.get(caller)
        if known is None:
            self._networks[caller] = {network_of(host)}
            while len(self._networks) > MAX_IDENTITIES:
                self._networks.popitem(last=False)
            return Novelty.IDENTITY, Novelty.NETWORK
        self._networks.move_to_end(caller)
        network = network_of(host)
        if network in known or len(known) >= MAX_NETWORKS:
            return ()
        known.add(network)
        return (Novelty.NETWORK,)


@lru_cache(maxsize=_CACHED)
def address_of(host: str) -> str:
    """Gives one spelling of an address: gRPC writes ipv4:, ipv6:[] and %5B; all loopback addresses are one host."""
    text = unquote(host).removeprefix("ipv4:").removeprefix("ipv6:").removeprefix("[").removesuffix("]")
    address = _parsed(text)
    if address is None:
        return host
    return "loopback" if address.is_loopback else str(address)


@lru_cache(maxsize=_CACHED)
def network_of(host: str) -> str:
    """Gives the network of an address: /24 or /64; what is no IP address is a network of its own."""
    address = _parsed(address_of(host))
    if address is None:
        return address_of(host)
    prefix = _IPV4_PREFIX if isinstance(address, ipaddress.IPv4Address) else _IPV6_PREFIX
    return str(ipaddress.ip_network((address.packed, prefix), strict=False))


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # Two sockets of one host may spell the same IPv4 address in both ways.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
