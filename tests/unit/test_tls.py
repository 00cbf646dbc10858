"""The API's port shows a new certificate to new connections, and says so when it could not be given one."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Recipe, issue, new_authority
from leadglass_agent.api.tls import HANDSHAKE_SECONDS, NotReplaced, ServerTls
from leadglass_agent.config import Tls
from leadglass_agent.credentials import Credentials, parse_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def _credentials(key: str = "P-256") -> Credentials:
    authority = new_authority()
    leaf = issue(authority, Recipe(dns=("agent",), usages=(ExtendedKeyUsageOID.SERVER_AUTH,), key=key))
    contents = (leaf.pem, leaf.key, authority.certificate.public_bytes(Encoding.PEM))
    return parse_credentials(contents, Tls("tls.crt", "tls.key", "ca.crt"))


class _Nothing(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        """Knows no method."""


@asynccontextmanager
async def _serving(tls: ServerTls, host: str = "127.0.0.1") -> AsyncIterator[str]:
    options = (("grpc.so_reuseport", 0), ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1_000)))
    server = grpc.aio.server(handlers=(_Nothing(),), options=options)
    port = server.add_secure_port(f"{host}:0", tls.server_credentials())
    await server.start()
    try:
        yield f"{host}:{port}"
    finally:
        await server.stop(0)
        await tls.close()


async def _shown(address: str) -> bytes:
    port = int(address.rpartition(":")[2])
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port), timeout=10)
    return ssl.PEM_cert_to_DER_cert(pem)


async def _replaced(tls: ServerTls, credentials: Credentials, address: str) -> None:
    """Replaces as the agent does: a machine that is busy makes it try again."""
    for _ in range(20):
        try:
            await tls.replace(credentials, address)
        except NotReplaced:
            continue
        return
    pytest.fail("it was never replaced")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 - where an agent may listen
async def test_new_connections_are_shown_the_new_certificate(host: str) -> None:
    first, second, third = _credentials(), _credentials("RSA"), _credentials("P-384")
    tls = ServerTls(first)
    async with _serving(tls, host) as address:
        assert await _shown(address) == first.leaf
        for wanted in (second, third, first):
            await _replaced(tls, wanted, address)
            assert await _shown(address) == wanted.leaf
            assert tls.shown_digest == wanted.digest


async def test_a_port_that_takes_no_part_keeps_what_it_had() -> None:
    first = _credentials()
    tls = ServerTls(first)
    async with _serving(tls) as address:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            with pytest.raises(NotReplaced, match="ConnectionRefusedError"):
                await tls.replace(_credentials(), f"127.0.0.1:{silent.getsockname()[1]}")
            silent.listen()
            with pytest.raises(NotReplaced, match="TimeoutError"):
                await tls.replace(_credentials(), f"127.0.0.1:{silent.getsockname()[1]}")
        # What was offered has been withdrawn: given late, it would free the old one under somebody.
        assert await _shown(address) == first.leaf
        assert tls.shown_digest == first.digest


async def test_a_certificate_that_the_tls_library_refuses_is_not_shown_and_said() -> None:
    first = _credentials()
    wrong = _credentials()
    broken = replace(wrong, key=first.key)  # of another certificate, which parsing would refuse
    tls = ServerTls(first)
    async with _serving(tls) as address:
        with pytest.raises(NotReplaced, match="did not take"):
            await tls.replace(broken, address)
        assert await _shown(address) == first.leaf
        await _replaced(tls, wrong, address)
        assert await _shown(address) == wrong.leaf
