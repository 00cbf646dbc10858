"""Takes apart the address that a call came from, as gRPC names it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class OriginAddress:
    """An address as it was recorded; `ip` is empty and `port` None where it names none."""

    text: str
    ip: str
    port: int | None


def origin_address(peer: str) -> OriginAddress:
    """Reads ipv4:HOST:PORT and ipv6:[HOST]:PORT; of any other text only the text."""
    family, _, rest = peer.partition(":")
    host, _, port = rest.rpartition(":")
    if family not in {"ipv4", "ipv6"} or not (port.isascii() and port.isdecimal()) or len(port) > len(str(_MAX_PORT)):
        return OriginAddress(peer, "", None)
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return OriginAddress(peer, "", None)
    return OriginAddress(peer, str(address), int(port) if int(port) <= _MAX_PORT else None)
