"""Where telemetry is sent: an address over HTTPS, or over plain HTTP on this machine alone."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]{1,64}){0,8})/?"
)
# RFC 1123, section 2.1; a name with other labels makes the resolver's encoding fail, not its answer.
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_PORT: Final = 65_535
_PORTS: Final = {"http": 80, "https": 443}


class EndpointError(Exception):
    """The address cannot be used; the text says why and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address; `path` is what stands before /v1/logs, without a slash at its end."""

    host: str
    port: int
    path: str
    is_tls: bool


def parse_endpoint(text: str) -> Endpoint:
    """Parses https://HOST[:PORT][/PATH], or http:// with a loopback address; raises EndpointError.

    The signals' own paths (/v1/logs, /v1/metrics, /v1/traces) are appended, as OTLP/HTTP says.
    """
    match = _URL.fullmatch(text)
    port = int(match["port"] or _PORTS[match["scheme"]]) if match else 0
    if match is None or not 0 < port <= _MAX_PORT or not _is_host(match["host"]):
        message = "must be an address such as https://collector.example:4318"
        raise EndpointError(message)
    host = match["host"].strip("[]")
    is_tls = match["scheme"] == "https"
    if not is_tls and not _is_loopback(host):
        message = "must begin with https://; http:// is for 127.0.0.1, [::1] and localhost alone"
        raise EndpointError(message)
    return Endpoint(host, port, match["path"], is_tls)


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return _NAME.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
