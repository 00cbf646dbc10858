"""Measures what calls take while a file system below another process' root never answers: `hung_mount.py`, as root."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

# What runs an agent in the tests runs it here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import faulty_fs
from benched_agent import bench_agent, bench_app, close_sessions, lanes
from faulty_fs import Operation
from leadglass.v1 import common_pb2, inspect_pb2
from load import Target, Timed, time_calls
from printed_rows import line, machine
from result_file import Result, Unit, write_results
from swapping import app_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.message import Message

    from load import Lane
    from running_agent import Caller, RunningAgent

_RESULTS: Final = Path(__file__).parent / "results" / "hung_mount.json"
# With and without take turns, so that what else the machine does falls on both. A hung call holds its worker for two
# seconds, and several workers of one root can be held: they hang as long as a round lasts.
_ROUNDS: Final = 4
_SECONDS: Final = 1.0
_MOST: Final = 300  # calls of one view in a round; a session has so many a minute
_HUNG_CALLS: Final = 3
_LIMIT: Final = 0.5  # of the speed without the hung mount, at the 99th percentile


def main() -> None:
    """Prints the rows and writes them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--output", type=Path, default=_RESULTS)
    output: Path = arguments.parse_args().output
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        results = _measure(Path(folder))
    for result in results:
        print(line(result))
    write_results(results, output)


def _measure(folder: Path) -> list[Result]:
    pod, hung = folder / "pod", folder / "hung"
    for made in (pod, hung):
        made.mkdir()
    with bench_agent(folder / "agent") as agent, bench_app(folder) as app, app_below(pod) as other:
        (pod / "app.log").write_bytes(app.log.read_bytes())
        used = lanes(agent, 1, in_session=True)
        stuck = agent.caller("u1")
        targets = _targets(agent, app.pid, other)
        rounds = [(_timed(targets, used), _beside(hung, stuck, app.pid, targets, used)) for _ in range(_ROUNDS)]
        close_sessions(agent, used)
    return [
        _row(name, _together(before[name] for before, _ in rounds), _together(beside[name] for _, beside in rounds))
        for name in targets
    ]


def _timed(targets: Mapping[str, Target], used: tuple[Lane, ...]) -> dict[str, Timed]:
    return {name: time_calls(target, used, _SECONDS, _MOST) for name, target in targets.items()}


def _beside(
    hung: Path, caller: Caller, pid: int, targets: Mapping[str, Target], used: tuple[Lane, ...]
) -> dict[str, Timed]:
    """Times the calls while somebody waits for a new file system that never gives a byte."""
    with faulty_fs.mounted(hung) as file_system:
        (hung / "app.log").write_text("a line\n", encoding="ascii")
        file_system.deaf_to = frozenset({Operation.READ})
        stuck = threading.Thread(target=_hang, args=(caller, pid, f"{hung}/app.log"))
        stuck.start()
        timed = _timed(targets, used)
        faulty_fs.unmount(hung)
        stuck.join()
    return timed


def _together(rounds: Iterable[Timed]) -> Timed:
    all_rounds = tuple(rounds)
    return Timed(tuple(call for one in all_rounds for call in one.calls), sum(one.seconds for one in all_rounds))


def _targets(agent: RunningAgent, pid: int, other: int) -> dict[str, Target]:
    """Names the views that have nothing to do with the hung file system, and their requests."""
    same, apart = common_pb2.ProcessRef(pid=pid), common_pb2.ProcessRef(pid=other)
    authority = (agent.authority / "ca.crt").read_bytes()

    def target(method: str, request: Message, *, streams: bool = False) -> Target:
        path = f"/leadglass.v1.InspectService/{method}"
        return Target(agent.address, authority, path, request.SerializeToString(), streams=streams)

    return {
        "process list": target("ListProcesses", inspect_pb2.ListProcessesRequest(pids=[pid])),
        "environment of the same process": target("ListEnvironment", inspect_pb2.ListEnvironmentRequest(process=same)),
        "metadata below another root": target(
            "StatFiles", inspect_pb2.StatFilesRequest(process=apart, paths=["/app.log"])
        ),
        "64 KiB of text below another root": target(
            "ReadText", inspect_pb2.ReadTextRequest(process=apart, path="/app.log"), streams=True
        ),
    }


def _hang(caller: Caller, pid: int, path: str) -> None:
    """Asks for what is never read, again and again."""
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=pid), path=path)
    for _ in range(_HUNG_CALLS):
        with suppress(grpc.RpcError):
            list(caller.inspect.ReadText(request, timeout=10, metadata=(("leadglass-session", caller.session_id),)))


def _row(name: str, before: Timed, beside: Timed) -> Result:
    peers = {
        f"p{percent} {when} (ms)": timed.percentile(percent) * 1e3
        for percent in (50, 99)
        for when, timed in (("without", before), ("beside it", beside))
    }
    speed = before.percentile(99) / beside.percentile(99)
    return Result(f"{name}: p99 without a hung mount, of that beside one", speed, Unit.RATIO, _LIMIT, peers)


if __name__ == "__main__":
    main()
