"""Measures a good client's calls, and the agent's memory, while another client floods the agent.

bench/abuse.py [--quick] [--only NAME] [--enforce] [--out DIR]; as root, who alone may read the memory of an agent.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

# What runs an agent in the tests runs it here, and what floods it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import grpc

from agent_costs import memory_mebibytes
from benched_agent import bench_agent, lanes
from floods import OVER_HTTP2, OVER_TCP
from leadglass.v1 import agent_pb2, inspect_pb2, inspect_pb2_grpc
from measured_process import MeasuredProcess
from printed_rows import line, machine
from result_file import Result, Unit, write_results
from running_agent import SERVER_NAME
from wire import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from load import Lane
    from running_agent import RunningAgent

_RESULTS: Final = Path(__file__).resolve().parent / "results"
_P99_MILLISECONDS, _MEMORY_MEBIBYTES, _RECOVERY_SECONDS = 250.0, 128.0, 4.0
_PAUSE: Final = 0.02  # fifty calls a second, half of what a session may make
_LOOK_SECONDS: Final = 0.2
_PATIENCE: Final = 30.0
_DESCRIPTORS: Final = 4_096
_PERCENTILE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Attack:
    """A flood, and what it comes over: the API with a certificate or none, or the port for health."""

    name: str
    flood: Callable[[Port, float], int]
    over: str


@dataclass(frozen=True, slots=True)
class Paced:
    """How long each call took, in milliseconds, and how many of them failed."""

    took: tuple[float, ...]
    failed: int


def main() -> int:
    """Measures, prints, and writes JSON; with --enforce, exit 1 if a limit is not held."""
    parser = argparse.ArgumentParser(description="Measures calls and memory while somebody floods the agent.")
    parser.add_argument("--quick", action="store_true", help="three seconds of each flood instead of ten")
    parser.add_argument("--only", metavar="NAME", help="floods whose name holds this alone; the file is not written")
    parser.add_argument("--enforce", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIR", help="folder of the JSON")
    parser.add_argument("--logs", help=argparse.SUPPRESS)  # of bench/redaction.py: `make bench` gives all the same
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("abuse: only root may read how much memory an agent takes; nothing was measured", file=sys.stderr)
        return 0
    results: list[Result] = []
    for attack in _attacks(options.only or ""):
        for result in _measure(attack, 3.0 if options.quick else 10.0):
            results.append(result)
            print(line(result), flush=True)
    if not options.only:
        write_results(results, options.out / "abuse.json")
    broken = [result.name for result in results if result.holds is False]
    print(f"\n{machine()}\nlimits not held: {', '.join(broken)}" if broken else f"\n{machine()}\nevery limit is held")
    return 1 if broken and options.enforce else 0


def _attacks(part: str) -> Iterator[Attack]:
    with_certificate = (Attack(name, flood, "API") for name, flood in OVER_HTTP2.items())
    with_none = (Attack(name, flood, "API, no certificate") for name, flood in OVER_TCP.items())
    of_health = (Attack(name, flood, "health") for name, flood in (OVER_HTTP2 | OVER_TCP).items())
    for attack in (*with_certificate, *with_none, *of_health):
        if part in attack.name:
            yield attack


def _measure(attack: Attack, seconds: float) -> Iterator[Result]:
    """Gives the rows of one flood, on an agent of its own: what one leaves behind is not the next one's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        agent = stack.enter_context(bench_agent(folder))
        (lane,) = lanes(agent, 1, in_session=True)
        client, attacker = stack.enter_context(MeasuredProcess()), stack.enter_context(MeasuredProcess())
        authority = (agent.authority / "ca.crt").read_bytes()
        before = _p99(client.call(paced_calls, agent.address, authority, lane, seconds / 2).took)
        memory, most = memory_mebibytes(agent), 0.0
        attacker.begin(flood_for, attack.flood, _port(agent, attack.over), seconds)
        client.begin(paced_calls, agent.address, authority, lane, seconds)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            most = max(most, memory_mebibytes(agent))
            time.sleep(_LOOK_SECONDS)
        paced = cast("Paced", client.answer())
        attacker.answer()
        recovered = _newcomer(agent)
        name = f"abuse/{attack.over}/{attack.name}"
        peers = {"without it": before, "calls": len(paced.took), "failed calls": paced.failed}
        yield Result(f"{name}/p99", _p99(paced.took), Unit.MILLISECONDS, _P99_MILLISECONDS, peers)
        yield Result(f"{name}/memory", most, Unit.MEBIBYTES, _MEMORY_MEBIBYTES, {"before it": memory})
        yield Result(f"{name}/newcomer after it", recovered, Unit.SECONDS, _RECOVERY_SECONDS)


def paced_calls(address: str, authority: bytes, lane: Lane, seconds: float) -> Paced:
    """Calls fifty times a second on one connection."""
    took: list[float] = []
    failed = 0
    options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
    credentials = grpc.ssl_channel_credentials(authority, lane.key, lane.certificate)
    with grpc.secure_channel(address, credentials, options=options) as channel:
        stub = inspect_pb2_grpc.InspectServiceStub(channel)
        metadata, request = (("leadglass-session", lane.session_id),), inspect_pb2.ListProcessesRequest(page_size=1)
        stub.ListProcesses(request, timeout=_PATIENCE, metadata=metadata)  # the connection is there, the code is warm
        end = time.monotonic() + seconds
        while (begin := time.monotonic()) < end:
            try:
                stub.ListProcesses(request, timeout=_PATIENCE, metadata=metadata)
            except grpc.RpcError:
                failed += 1
            took.append((time.monotonic() - begin) * 1_000)
            time.sleep(_PAUSE)
    return Paced(tuple(took), failed)


def flood_for(flood: Callable[[Port, float], int], port: Port, seconds: float) -> int:
    """Floods from now on, with room for the connections of any flood."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, most), most))
    return flood(port, time.monotonic() + seconds)


def _port(agent: RunningAgent, over: str) -> Port:
    if over == "health":
        return Port(agent.health_address)
    authority = agent.authority / "ca.crt"
    if over != "API":
        return Port(agent.address, SERVER_NAME, authority)
    issued = agent.client("mallory")
    return Port(agent.address, SERVER_NAME, authority, issued.certificate, issued.key)


def _p99(took: tuple[float, ...]) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * _PERCENTILE))]


def _newcomer(agent: RunningAgent) -> float:
    """Gives the seconds that it takes somebody to be answered on a new connection, right after the flood."""
    begin = time.monotonic()
    while time.monotonic() - begin < _PATIENCE:
        caller = agent.caller("u1", session=False)
        try:
            caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=_PATIENCE)
        except grpc.RpcError:
            continue
        else:
            break
        finally:
            caller.channel.close()
    return time.monotonic() - begin


if __name__ == "__main__":
    sys.exit(main())
