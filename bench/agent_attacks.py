"""Attacks that try to make an agent take memory: each runs for some seconds in a process of its own."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import grpc

from leadglass.v1 import agent_pb2, agent_pb2_grpc, common_pb2, inspect_pb2, inspect_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from load import Lane

_METADATA_BYTES: Final = 2 * 1024 * 1024
_STALLED: Final = 32
_PATIENCE: Final = 5.0
_SERVER_NAME: Final = "agent.test.leadglass"


def rapid_connections(address: str, _authority: bytes, _lane: Lane, _path: str, _pid: int, seconds: float) -> int:
    """Opens connections without end, lets some begin a handshake, and drops them; gives their number."""
    host, _, port = address.rpartition(":")
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with ExitStack() as stack:
            for number in range(100):
                with suppress(OSError):
                    connection = stack.enter_context(socket.create_connection((host, int(port)), _PATIENCE))
                    if number % 2:
                        connection.sendall(_hello())
                    count += 1
    return count


def refusals(address: str, authority: bytes, lane: Lane, _path: str, _pid: int, seconds: float) -> int:
    """Makes calls that are refused, a thousand and more a second, on ten connections; gives their number."""
    count, end = 0, time.monotonic() + seconds
    with ExitStack() as stack:
        channels = [stack.enter_context(_channel(address, authority, lane)) for _ in range(10)]
        calls = [agent_pb2_grpc.AgentServiceStub(channel).GetSelf for channel in channels]
        while time.monotonic() < end:
            waiting = [call.future(agent_pb2.GetSelfRequest(), timeout=_PATIENCE) for call in calls for _ in range(20)]
            count += sum(one.exception() is not None for one in waiting)
    return count


def large_metadata(address: str, authority: bytes, lane: Lane, _path: str, _pid: int, seconds: float) -> int:
    """Sends two megabytes of metadata with each call; gives the number of calls."""
    count, end = 0, time.monotonic() + seconds
    with _channel(address, authority, lane) as channel:
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        while time.monotonic() < end:
            with suppress(grpc.RpcError):
                stub.GetSelf(agent_pb2.GetSelfRequest(), timeout=_PATIENCE, metadata=(("x", "y" * _METADATA_BYTES),))
            count += 1
    return count


def stalled_readers(address: str, authority: bytes, lane: Lane, path: str, pid: int, seconds: float) -> int:
    """Asks for a large text in many streams and takes no more than the first message; gives the number of streams."""
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=pid), path=path)
    metadata = (("leadglass-session", lane.session_id),)
    with _channel(address, authority, lane) as channel:
        stub = inspect_pb2_grpc.InspectServiceStub(channel)
        streams = [stub.ReadText(request, timeout=seconds, metadata=metadata) for _ in range(_STALLED)]
        for stream in streams:
            with suppress(grpc.RpcError, StopIteration):
                next(stream)
        time.sleep(seconds)
    return len(streams)


ATTACKS: Final[dict[str, Callable[[str, bytes, Lane, str, int, float], int]]] = {
    "rapid connections": rapid_connections,
    "a flood of refusals": refusals,
    "2 MB of metadata": large_metadata,
    "stalled readers": stalled_readers,
}


def _hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def _channel(address: str, authority: bytes, lane: Lane) -> grpc.Channel:
    options = (("grpc.ssl_target_name_override", _SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
    credentials = grpc.ssl_channel_credentials(authority, lane.key, lane.certificate)
    return grpc.secure_channel(address, credentials, options=options)
