"""Runs a flood in a process of its own beside a caller who does nothing wrong, and tells how that caller fares."""

from __future__ import annotations

import multiprocessing
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from leadglass.v1 import agent_pb2, inspect_pb2
from running_agent import SERVER_NAME, Caller, RunningAgent
from wire import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

# Far above what each takes, so that a slow machine is not a failure.
PATIENCE: Final = 60.0
_PAUSE: Final = 0.02
_LISTING: Final = inspect_pb2.ListProcessesRequest(page_size=1)
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
_KIBI_PER_MEBI: Final = 1024


@dataclass(frozen=True, slots=True)
class Fared:
    """How often the flood did what it does, the good caller's calls and what went wrong with them, and the memory."""

    events: int
    calls: int
    failures: tuple[str, ...]
    most_mebibytes: float


def attacker(agent: RunningAgent, name: str) -> Port:
    """Gives the agent's port for a client with a certificate, which no policy binds to a role unless it is known."""
    issued = agent.client(name)
    return Port(agent.address, SERVER_NAME, agent.authority / "ca.crt", issued.certificate, issued.key)


def nobody(agent: RunningAgent) -> Port:
    """Gives the agent's port for a client without a certificate."""
    return Port(agent.address, SERVER_NAME, agent.authority / "ca.crt")


def flooded(
    agent: RunningAgent, caller: Caller, flood: Callable[[Port, float], int], port: Port, seconds: float
) -> Fared:
    """Floods for some seconds, and calls all the while on a connection that stood before."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_flood, args=(theirs, flood, port, seconds), daemon=True)
    failures: list[str] = []
    calls, most = 0, 0.0
    metadata = (("leadglass-session", caller.session_id),)
    process.start()
    theirs.close()
    try:
        while not ours.poll():
            try:
                assert caller.inspect.ListProcesses(_LISTING, timeout=PATIENCE, metadata=metadata).processes
            except grpc.RpcError as error:
                failures.append(f"{error.code().name}: {error.details()}")
            calls += 1
            most = max(most, pss_mebibytes(agent))
            time.sleep(_PAUSE)
        return Fared(ours.recv(), calls, tuple(failures), most)
    finally:
        process.join(PATIENCE)
        process.kill()


def is_let_in(agent: RunningAgent) -> bool:
    """Calls on a new connection, as often as it takes within the patience, as somebody whom no flood is about."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        caller = agent.caller("bob", session=False)
        try:
            return bool(caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=PATIENCE).version)
        except grpc.RpcError:
            time.sleep(_PAUSE)
        finally:
            caller.channel.close()
    return False


def is_serving(agent: RunningAgent) -> bool:
    """Asks for health on a new connection, as a kubelet does, as often as it takes within the patience."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with grpc.insecure_channel(agent.health_address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            with suppress(grpc.RpcError):
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        time.sleep(_PAUSE)
    return False


def pss_mebibytes(agent: RunningAgent) -> float:
    """Gives the proportional set size of all of the agent's processes; 0 where the kernel does not tell."""
    kibibytes = 0
    for pid in _family(agent.process.pid):
        with suppress(OSError):  # a worker may end meanwhile
            found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
            kibibytes += int(found[1]) if found else 0
    return kibibytes / _KIBI_PER_MEBI


def _flood(answer: Connection, flood: Callable[[Port, float], int], port: Port, seconds: float) -> None:
    answer.send(flood(port, time.monotonic() + seconds))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _family(int(child))
