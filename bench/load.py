"""Makes calls over mutual TLS from one process, as many at once as there are lanes, and times each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from leadglass.v1 import access_pb2

if TYPE_CHECKING:
    from collections.abc import Coroutine

_CALL_SECONDS: Final = 30.0
_SERVER_NAME: Final = "agent.test.leadglass"
_OPTIONS: Final = (
    ("grpc.ssl_target_name_override", _SERVER_NAME),
    ("grpc.use_local_subchannel_pool", 1),  # else lanes with one certificate would share a connection
)


class CallFailedError(Exception):
    """A call that was to be timed was refused; the text names status and method."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One caller: its certificate, key, and session (empty outside one)."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A method of a server, and the request that it is called with."""

    address: str
    authority: bytes
    method: str
    request: bytes
    streams: bool = False
    names_session: bool = False  # its first field is the id of the lane's session


@dataclass(frozen=True, slots=True)
class Timed:
    """How long each call took, and all together, in seconds."""

    calls: tuple[float, ...]
    seconds: float

    def percentile(self, percent: float) -> float:
        """Gives the time within which so many of a hundred calls were done."""
        ordered = sorted(self.calls)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class _Connections:
    """The channels of this process, kept from one measurement to the next, and the loop that they belong to."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: dict[tuple[str, bytes], grpc.aio.Channel] = {}

    def run(self, making: Coroutine[object, object, Timed]) -> Timed:
        """Runs on the one loop."""
        self._loop = self._loop or asyncio.new_event_loop()
        return self._loop.run_until_complete(making)

    def channel(self, target: Target, lane: Lane) -> grpc.aio.Channel:
        """Gives the lane's connection to a server."""
        name = (target.address, lane.certificate)
        if name not in self._channels:
            credentials = grpc.ssl_channel_credentials(target.authority, lane.key, lane.certificate)
            self._channels[name] = grpc.aio.secure_channel(target.address, credentials, options=_OPTIONS)
        return self._channels[name]


_CONNECTIONS: Final = _Connections()


def time_calls(target: Target, lanes: tuple[Lane, ...], seconds: float, most: int) -> Timed:
    """Calls in all lanes at once until the time is over or each has made its most; raises CallFailedError."""
    return _CONNECTIONS.run(_time_calls(target, lanes, seconds, most))


async def _time_calls(target: Target, lanes: tuple[Lane, ...], seconds: float, most: int) -> Timed:
    for lane in lanes:
        await _call(target, lane)  # the connection is there, and the code is warm
    begin = time.perf_counter()
    took = await asyncio.gather(*(_in_lane(target, lane, begin + seconds, most) for lane in lanes))
    return Timed(tuple(call for calls in took for call in calls), time.perf_counter() - begin)


async def _in_lane(target: Target, lane: Lane, end: float, most: int) -> list[float]:
    calls: list[float] = []
    while len(calls) < most and (begin := time.perf_counter()) < end:
        await _call(target, lane)
        calls.append(time.perf_counter() - begin)
    return calls


async def _call(target: Target, lane: Lane) -> None:
    channel = _CONNECTIONS.channel(target, lane)
    request = target.request
    if target.names_session:
        request += access_pb2.GetSessionRequest(session_id=lane.session_id).SerializeToString()
    metadata = (("leadglass-session", lane.session_id),) if lane.session_id else ()
    try:
        if target.streams:
            stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(target.method)
            async for _ in stream(request, metadata=metadata, timeout=_CALL_SECONDS):
                pass
        else:
            unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(target.method)
            await unary(request, metadata=metadata, timeout=_CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        message = f"{target.method}: {error.code().name} {error.details()}"
        raise CallFailedError(message) from None
