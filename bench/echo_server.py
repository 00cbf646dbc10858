"""A bare grpc.aio server with mutual TLS that gives back what it gets: the floor of what a call can cost.

bench/echo_server.py CERTIFICATE KEY AUTHORITY prints its port and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class _Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        if handler_call_details.method.endswith("/Stream"):
            return grpc.unary_stream_rpc_method_handler(_stream)
        return grpc.unary_unary_rpc_method_handler(_echo)


async def _echo(request: bytes, _: object) -> bytes:
    return request


async def _stream(request: bytes, _: object) -> AsyncIterator[bytes]:
    yield request


async def _serve(certificate: bytes, key: bytes, authority: bytes) -> None:
    server = grpc.aio.server(handlers=(_Echo(),), options=(("grpc.so_reuseport", 0),))
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve(*(Path(name).read_bytes() for name in sys.argv[1:4])))
