"""Measures what 200 people cost who follow a file that grows by a line a second, beside one who does."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from agent_costs import processor_seconds
from benched_agent import close_sessions, lanes
from leadglass.v1 import common_pb2, inspect_pb2, inspect_pb2_grpc
from measured_process import MeasuredProcess
from result_file import Result, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benched_agent import App
    from load import Lane
    from running_agent import RunningAgent

WATCHERS: Final = 200
_OF_ONE_CALLER: Final = 8  # streams that the agent gives one caller
_AT_MOST_TIMES_ONE: Final = 2.0
_SETTLE_SECONDS: Final = 2.0
_MILLI: Final = 1_000.0


def watcher_rows(agent: RunningAgent, app: App, seconds: float) -> Iterator[Result]:
    """Gives how many of the watchers are let in, and the agent's processor time with them."""
    callers = lanes(agent, WATCHERS // _OF_ONE_CALLER, in_session=True)
    authority = (agent.authority / "ca.crt").read_bytes()
    request = inspect_pb2.ReadTextRequest(
        process=common_pb2.ProcessRef(pid=app.pid),
        path=str(app.log),
        start=inspect_pb2.TEXT_START_TAIL,
        max_lines=1,
        follow=True,
    ).SerializeToString()
    cost: dict[int, float] = {}
    let_in: dict[int, int] = {}
    with _growing(app.log):
        for count in (1, WATCHERS):
            with MeasuredProcess() as client:
                client.begin(follow, agent.address, authority, callers, request, count, seconds + 2 * _SETTLE_SECONDS)
                time.sleep(_SETTLE_SECONDS)
                before = processor_seconds(agent)
                time.sleep(seconds)
                cost[count] = (processor_seconds(agent) - before) / seconds
                answer = client.answer()
                let_in[count] = answer if isinstance(answer, int) else 0
    close_sessions(agent, callers)
    yield Result("watchers/let in", let_in[WATCHERS], Unit.STREAMS, WATCHERS, {"one": let_in[1]})
    of_one = cost[1] * _MILLI
    yield Result(
        "watchers/agent CPU a second", cost[WATCHERS] * _MILLI, Unit.MILLISECONDS, _AT_MOST_TIMES_ONE * of_one,
        {"one watcher": of_one},
    )  # fmt: skip


def follow(
    address: str, authority: bytes, callers: tuple[Lane, ...], request: bytes, count: int, seconds: float
) -> int:
    """Follows in so many streams, and gives how many were let in and got more than the first message."""
    return asyncio.run(_follow(address, authority, callers, request, count, seconds))


async def _follow(
    address: str, authority: bytes, callers: tuple[Lane, ...], request: bytes, count: int, seconds: float
) -> int:
    wanted = inspect_pb2.ReadTextRequest.FromString(request)
    channels = [
        grpc.aio.secure_channel(
            address,
            grpc.ssl_channel_credentials(authority, lane.key, lane.certificate),
            options=(("grpc.ssl_target_name_override", "agent.test.leadglass"), ("grpc.use_local_subchannel_pool", 1)),
        )
        for lane in callers
    ]
    taken = await asyncio.gather(
        *(
            _watch(channels[number % len(callers)], callers[number % len(callers)], wanted, seconds)
            for number in range(count)
        )
    )
    for channel in channels:
        await channel.close()
    return sum(messages > 1 for messages in taken)


async def _watch(channel: grpc.aio.Channel, lane: Lane, request: inspect_pb2.ReadTextRequest, seconds: float) -> int:
    stub = inspect_pb2_grpc.InspectServiceStub(channel)
    messages = 0
    try:
        async for _ in stub.ReadText(request, timeout=seconds, metadata=(("leadglass-session", lane.session_id),)):
            messages += 1
    except grpc.aio.AioRpcError:
        pass  # the deadline, or no place for one more
    return messages


@contextmanager
def _growing(log: Path) -> Iterator[None]:
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(1.0):
            with log.open("a", encoding="utf-8") as file:
                file.write("2026-03-01T12:00:01Z INFO another request served in 11 ms status=200\n")

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        yield
    finally:
        stop.set()
        growing.join()
