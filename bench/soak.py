"""Soaks an agent: minutes of calls while sessions, processes, certificates, policies and log segments come and go."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_costs import memory_mebibytes
from benched_agent import POLICY, SLEEP, App, bench_agent, close_sessions, lanes
from call_kinds import kinds
from leadglass_client.authority import issue_server
from load import Target, time_calls
from measured_process import MeasuredProcess
from result_file import Result, Unit
from running_agent import SERVER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from load import Lane
    from running_agent import RunningAgent

_CALLERS: Final = 8
_CALLS_EACH: Final = 10  # of each kind, in each lap
_PROCESSES: Final = 6  # that come with a lap and go with it
_LOOKS: Final = 12  # over six seconds: the agent gives back every four what it used in between
_LOOK_SECONDS: Final = 0.5
_WARM_LAPS: Final = 4  # each kind of call, of rotation and of process was there by then
_MINUTE: Final = 60.0
_THOUSAND: Final = 1_000
_SMALL_SEGMENTS: Final = "segmentMebibytes: 1"
# The slope of a straight line through all laps; what a lap adds by chance is far more.
_GROWTH: Final = 0.02  # MiB per 1,000 calls
_HIGHEST: Final = 56.0


@dataclass(frozen=True, slots=True)
class Lap:
    """What the agent held when so many calls had been made."""

    calls: int
    mebibytes: float


def soak(folder: Path, app: App, minutes: float) -> Iterator[Result]:
    """Gives the growth and the highest memory between two laps; prints each lap."""
    laps: list[Lap] = []
    with bench_agent(folder, rewrite=_in_small_segments) as agent, MeasuredProcess() as client:
        calls, end = 0, time.monotonic() + minutes * _MINUTE
        while time.monotonic() < end or len(laps) < _WARM_LAPS + 2:
            calls += _lap(agent, app, client, len(laps))
            laps.append(Lap(calls, _least_memory(agent)))
            print(f"  soak: lap {len(laps)}, {calls} calls, {laps[-1].mebibytes:.1f} MiB", flush=True)
    settled = laps[_WARM_LAPS:]
    growth = growth_per_thousand(settled)
    highest = max(lap.mebibytes for lap in settled)
    facts = {"calls": float(settled[-1].calls), "minutes": minutes}
    yield Result("footprint/soak/growth per 1,000 calls", growth, Unit.MEBIBYTES, _GROWTH, facts)
    yield Result("footprint/soak/highest between laps", highest, Unit.MEBIBYTES, _HIGHEST, facts)


def growth_per_thousand(laps: list[Lap]) -> float:
    """Gives the slope of the straight line with the least squares, in MiB per 1,000 calls."""
    middle = sum(lap.calls for lap in laps) / len(laps)
    mean = sum(lap.mebibytes for lap in laps) / len(laps)
    spread = sum((lap.calls - middle) ** 2 for lap in laps)
    return _THOUSAND * sum((lap.calls - middle) * (lap.mebibytes - mean) for lap in laps) / spread


def _least_memory(agent: RunningAgent) -> float:
    least = memory_mebibytes(agent)
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        least = min(least, memory_mebibytes(agent))
    return least


def _in_small_segments(config: str) -> str:
    """Has the log begin a new segment every few laps."""
    return config.replace("/audit.jsonl}", f"/audit.jsonl, {_SMALL_SEGMENTS}}}")


def _lap(agent: RunningAgent, app: App, client: MeasuredProcess, number: int) -> int:
    """Makes one lap's calls, of which some look at processes that have just come; gives how many."""
    _replace(agent, number)
    with ExitStack() as stack:
        come = [stack.enter_context(_process()) for _ in range(_PROCESSES)]
        for process in come:
            stack.callback(process.kill)
        callers = lanes(agent, _CALLERS, in_session=True)
        calls = 2 * _CALLERS  # a session opened and closed each
        calls += _calls(agent, client, callers, app, _CALLS_EACH)
        for process in come:
            calls += _calls(agent, client, callers[:1], App(process.pid, app.log), 1)
        close_sessions(agent, callers)
    return calls


def _calls(agent: RunningAgent, client: MeasuredProcess, callers: tuple[Lane, ...], app: App, each: int) -> int:
    authority = (agent.authority / "ca.crt").read_bytes()
    made = 0
    for kind in kinds(app):
        if kind.in_session:
            target = Target(agent.address, authority, kind.method, kind.request, kind.streams, kind.names_session)
            timed = client.call(time_calls, target, callers, _MINUTE, each)
            made += len(timed.calls) + len(callers)  # the first of each lane is not timed
    return made


def _replace(agent: RunningAgent, number: int) -> None:
    """Puts another certificate or another policy in force, in turn; neither takes anything from anybody."""
    if number % 2:
        issue_server(agent.authority, SERVER_NAME, agent.folder / "server", path="/agent/test", force=True)
    else:
        (agent.folder / "policy.yaml").write_text(f"{POLICY}# lap {number}\n", encoding="utf-8")


def _process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([SLEEP, "3600"], env={"SERVICE_PASSWORD": "nothing-real"})  # noqa: S603 - our own command
