"""Measures what an agent takes: memory and processor time idle, memory under load and attack, its start.

bench/footprint.py [--quick] [--soak MINUTES] [--enforce] [--out DIR]; as root, who alone may read an agent's memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

# What runs an agent in the tests runs it here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from agent_attacks import ATTACKS
from agent_costs import memory_mebibytes, processor_seconds
from benched_agent import POLICY, bench_agent, bench_app, close_sessions, lanes
from call_kinds import kinds
from leadglass.v1 import agent_pb2
from load import Target, time_calls
from measured_process import MeasuredProcess
from printed_rows import line, machine
from result_file import Result, Unit, write_results
from running_agent import RunningAgent, prepare, start, wait_until_listening
from soak import soak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benched_agent import App

_RESULTS: Final = Path(__file__).resolve().parent / "results"
_SETTLE_SECONDS: Final = 5.0
_CALLS: Final = 3_000
_CALLS_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_LARGER: Final = 512  # 32 MiB of log: more than any stream takes while nobody reads it
_IDLE, _AFTER_CALLS, _UNDER_ATTACK = 50.0, 56.0, 128.0  # MiB
_START_SECONDS: Final = 1.5
_IDLE_PERCENT: Final = 0.1


def main() -> int:
    """Measures, prints, and writes JSON; with --enforce, exit 1 if a limit is not held."""
    parser = argparse.ArgumentParser(description="Measures what an agent takes.")
    parser.add_argument(
        "--quick", action="store_true", help="shorter: idle for ten seconds, one attack of a second each"
    )
    parser.add_argument(
        "--soak", type=float, metavar="MINUTES", help="instead: calls for so long while everything comes and goes"
    )
    parser.add_argument("--enforce", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIR", help="folder of the JSON")
    parser.add_argument("--logs", help=argparse.SUPPRESS)  # of bench/redaction.py: `make bench` gives all the same
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("footprint: only root may read how much memory an agent takes; nothing was measured", file=sys.stderr)
        return 0
    results: list[Result] = []
    measured = _measure(quick=options.quick) if options.soak is None else _soaked(options.soak)
    for result in measured:
        results.append(result)
        print(line(result), flush=True)
    write_results(results, options.out / ("footprint.json" if options.soak is None else "soak.json"))
    broken = [result.name for result in results if result.holds is False]
    print(f"\n{machine()}\nlimits not held: {', '.join(broken)}" if broken else f"\n{machine()}\nevery limit is held")
    return 1 if broken and options.enforce else 0


def _measure(*, quick: bool) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = stack.enter_context(bench_app(folder))
        yield Result("footprint/start to first answer", _first_answer(folder / "first"), Unit.SECONDS, _START_SECONDS)
        agent = stack.enter_context(bench_agent(folder / "agent"))
        time.sleep(_SETTLE_SECONDS)
        yield Result("footprint/memory/idle", memory_mebibytes(agent), Unit.MEBIBYTES, _IDLE)
        yield Result("footprint/CPU/idle", _idle_percent(agent, 10.0 if quick else 60.0), Unit.PERCENT, _IDLE_PERCENT)
        with MeasuredProcess() as client:
            _make_calls(agent, app, client)
        time.sleep(_SETTLE_SECONDS)
        yield Result("footprint/memory/after 3,000 calls", memory_mebibytes(agent), Unit.MEBIBYTES, _AFTER_CALLS)
        large = folder / "large.log"
        large.write_bytes(app.log.read_bytes() * _LARGER)
        yield from _attacked(agent, replace(app, log=large), 2.0 if quick else 10.0)


def _soaked(minutes: float) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder, bench_app(Path(folder)) as app:
        yield from soak(Path(folder) / "agent", app, minutes)


def _first_answer(folder: Path) -> float:
    """Gives the seconds from the start of the program to the first answer to a caller that waits for it."""
    prepare(folder, POLICY)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        begin = time.monotonic()
        process = start(folder / "agent.yaml", out, err)
        try:
            ready = wait_until_listening(process, folder / "out", folder / "err")
            agent = RunningAgent(folder, process, ready["address"], ready["health"], folder / "ca", folder, folder)
            agent.caller("u0", session=False).agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_SETTLE_SECONDS)
            return time.monotonic() - begin
        finally:
            process.terminate()
            process.wait()


def _idle_percent(agent: RunningAgent, seconds: float) -> float:
    before = processor_seconds(agent)
    time.sleep(seconds)
    return 100 * (processor_seconds(agent) - before) / seconds


def _make_calls(agent: RunningAgent, app: App, client: MeasuredProcess) -> None:
    authority = (agent.authority / "ca.crt").read_bytes()
    inside = [kind for kind in kinds(app) if kind.in_session]
    callers = lanes(agent, 1, in_session=True)
    for kind in inside:
        target = Target(agent.address, authority, kind.method, kind.request, kind.streams)
        client.call(time_calls, target, callers, _CALLS_SECONDS, _CALLS // len(inside))
    close_sessions(agent, callers)


def _attacked(agent: RunningAgent, app: App, seconds: float) -> Iterator[Result]:
    authority = (agent.authority / "ca.crt").read_bytes()
    # One attacker each: the rate of a caller who has used it up would keep the next attack out.
    attackers = lanes(agent, len(ATTACKS), in_session=True)
    for lane, (name, attack) in zip(attackers, ATTACKS.items(), strict=True):
        before, highest = memory_mebibytes(agent), 0.0
        with MeasuredProcess() as attacker:
            attacker.begin(attack, agent.address, authority, lane, str(app.log), app.pid, seconds)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                highest = max(highest, memory_mebibytes(agent))
                time.sleep(_LOOK_SECONDS)
            attacker.answer()
        yield Result(f"footprint/memory/{name}", highest, Unit.MEBIBYTES, _UNDER_ATTACK, {"before it": before})


if __name__ == "__main__":
    sys.exit(main())
