"""Serves one port whose certificate is replaced all the time, in a process of its own that a fault may end.

Prints its port, then, when its time is over, how many rotations succeeded.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import grpc
import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Recipe, issue, new_authority
from leadglass_agent.api.tls import HANDSHAKE_SECONDS, NotReplaced, ServerTls
from leadglass_agent.config import Tls
from leadglass_agent.credentials import Credentials, parse_credentials

_GENERATIONS = 8
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1_000)),
)


class _Nothing(grpc.GenericRpcHandler):
    """Answers no method: the handshake is what matters here."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        """Knows no method."""


def _generations() -> list[Credentials]:
    """Makes credentials that differ in certificate, key and authorities."""
    made = []
    for _ in range(_GENERATIONS):
        authority = new_authority()
        issued = issue(authority, Recipe(dns=("agent",), usages=(ExtendedKeyUsageOID.SERVER_AUTH,)))
        contents = (issued.pem, issued.key, authority.certificate.public_bytes(Encoding.PEM))
        made.append(parse_credentials(contents, Tls("tls.crt", "tls.key", "ca.crt")))
    return made


async def _serve(seconds: float) -> None:
    generations = _generations()
    tls = ServerTls(generations[0])
    server = grpc.aio.server(handlers=(_Nothing(),), options=_OPTIONS)
    port = server.add_secure_port("127.0.0.1:0", tls.server_credentials())
    await server.start()
    _say(port=port)
    end = time.monotonic() + seconds
    rotations = failures = 0
    while time.monotonic() < end:
        wanted = generations[(rotations + failures + 1) % _GENERATIONS]
        try:
            await tls.replace(wanted, f"127.0.0.1:{port}")
            rotations += 1
        except NotReplaced:
            failures += 1
        await asyncio.sleep(0.05)
    await server.stop(0)
    await tls.close()
    _say(rotations=rotations, failures=failures)


def _say(**facts: int) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
