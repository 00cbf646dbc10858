"""Measures each RPC beside a bare echo, in turns, with the audit log on disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from benched_agent import CALLERS, close_sessions, lanes
from call_kinds import ENVIRONMENT, kinds
from load import Target, Timed, time_calls
from result_file import Result, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benched_agent import App
    from call_kinds import Kind
    from load import Lane
    from measured_process import MeasuredProcess
    from running_agent import RunningAgent

CONCURRENT: Final = (1, 8, CALLERS)
ECHO, IN_MEMORY = "echo", "audit in /dev/shm"
_AT_MOST_TIMES_ECHO: Final = 2.0
_PERCENTILES: Final = (50, 95, 99)
# A minute has room for 6,000 calls of a session, and outside of one for 600 of a caller.
_MOST_IN_SESSION: Final = 5_000
_MOST_OUTSIDE: Final = {1: 60, 8: 30, CALLERS: 4}
_MILLI: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The three servers that a call is made to in turns."""

    disk: RunningAgent
    memory: RunningAgent
    echo: str


@dataclass(frozen=True, slots=True)
class Effort:
    """How many turns, and how long each."""

    turns: int
    seconds: float


def call_rows(servers: Servers, app: App, client: MeasuredProcess, effort: Effort) -> Iterator[Result]:
    """Gives latency and throughput of each RPC, for one caller and for many."""
    for concurrent in CONCURRENT:
        outside = {agent.address: lanes(agent, concurrent, in_session=False) for agent in _agents(servers)}
        for kind in kinds(app):
            yield from _rows(servers, kind, client, effort, outside)


def _agents(servers: Servers) -> tuple[RunningAgent, RunningAgent]:
    return servers.disk, servers.memory


def _rows(
    servers: Servers,
    kind: Kind,
    client: MeasuredProcess,
    effort: Effort,
    outside: dict[str, tuple[Lane, ...]],
) -> Iterator[Result]:
    concurrent = len(outside[servers.disk.address])
    taken: dict[str, list[Timed]] = {servers.disk.address: [], servers.memory.address: [], servers.echo: []}
    authority = (servers.disk.authority / "ca.crt").read_bytes()
    has_session = kind.in_session or kind.names_session
    used = {
        agent.address: lanes(agent, concurrent, in_session=True) if has_session else outside[agent.address]
        for agent in _agents(servers)
    }
    most = _MOST_IN_SESSION if kind.in_session else _MOST_OUTSIDE[concurrent]
    for _ in range(effort.turns):
        for address, taking in taken.items():
            is_echo = address == servers.echo
            agent = servers.memory if address == servers.memory.address else servers.disk
            method = ("/echo/Stream" if kind.streams else "/echo/Call") if is_echo else kind.method
            trusted = authority if is_echo else (agent.authority / "ca.crt").read_bytes()
            target = Target(address, trusted, method, kind.request, kind.streams, kind.names_session)
            callers = outside[servers.disk.address] if is_echo else used[address]
            each = max(1, (most // effort.turns) - 1)
            taking.append(client.call(time_calls, target, callers, effort.seconds, each))
    if has_session:
        for agent in _agents(servers):
            close_sessions(agent, used[agent.address])
    yield from _results(
        kind, concurrent, taken[servers.disk.address], taken[servers.memory.address], taken[servers.echo]
    )


def _results(
    kind: Kind, concurrent: int, disk: list[Timed], memory: list[Timed], echo: list[Timed]
) -> Iterator[Result]:
    name = f"calls/{kind.name}/{concurrent}"
    for percent in _PERCENTILES:
        # The middle of the turns, so that one that something else disturbed does not count.
        values = [median(timed.percentile(percent) for timed in timings) * _MILLI for timings in (disk, memory, echo)]
        is_held = kind.name == ENVIRONMENT and concurrent == 1 and percent == _PERCENTILES[0]
        limit = _AT_MOST_TIMES_ECHO * values[2] if is_held else None
        peers = {IN_MEMORY: values[1], ECHO: values[2]}
        yield Result(f"{name}/p{percent}", values[0], Unit.MILLISECONDS, limit, peers)
    rates = [median(len(timed.calls) / timed.seconds for timed in timings) for timings in (disk, memory, echo)]
    yield Result(f"{name}/throughput", rates[0], Unit.CALLS_PER_SECOND, None, {IN_MEMORY: rates[1], ECHO: rates[2]})
