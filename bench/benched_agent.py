"""Runs what is measured: an agent with a policy that does not get in the way, an app to look at, and an echo server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadglass.v1 import access_pb2
from load import Lane
from running_agent import RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CALLERS: Final = 64
SLEEP: Final = shutil.which("sleep") or "/bin/sleep"
_ECHO: Final = Path(__file__).parent / "echo_server.py"
_NAMES: Final = ", ".join(f'"spiffe://test.leadglass/user/u{number}"' for number in range(CALLERS))
# The limits are the highest that a policy may set: they are there, and are not what is measured.
POLICY: Final = f"""\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {{name: bench}}
spec:
  session:
    maxMinutes: 60
    idleMinutes: 10
    maxOpen: 8
    callsPerMinute: 6000
    minReasonCharacters: 20
    ticketPattern: "T-[0-9]{{1,6}}"
  guard: {{denials: 100000, missingPids: 100000, missingPaths: 100000, distinctPids: 100000, distinctPaths: 100000,
          calls: 100000}}
  roles:
    - name: all
      rules:
        - {{id: sessions, effect: permit, permissions: [session.open, agent.self, sessions.list, reviews.list]}}
        - {{id: audit, effect: permit, permissions: [audit.checkpoint, audit.read]}}
        - {{id: processes, effect: permit, permissions: [processes.list, processes.executable, processes.argv]}}
        - {{id: names, effect: permit, permissions: [env.presence, env.names], names: ["*"]}}
        - {{id: files, effect: permit, permissions: [files.metadata, files.list, files.access], paths: ["/**"]}}
        - {{id: texts, effect: permit, permissions: [text.redacted], paths: ["/**"]}}
  bindings:
    - {{role: all, callers: [{_NAMES}]}}
"""
# What the app has in its environment: what such apps have, thirty variables of which six look like credentials.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    **{f"SETTING_{number}": f"value-of-setting-{number}" for number in range(24)},
    **{f"SERVICE_{number}_PASSWORD": f"{number}-nothing-real-{number}" for number in range(6)},
}


@dataclass(frozen=True, slots=True)
class App:
    """A process to look at, and a log file of it."""

    pid: int
    log: Path


@contextmanager
def bench_app(folder: Path) -> Iterator[App]:
    """Runs a process that sleeps, with an environment and a log of 64 KiB, for a with-block."""
    log = folder / "app.log"
    line = "2026-03-01T12:00:00Z INFO request served in 12 ms for /orders/1042 status=200\n"
    log.write_text(line * (64 * 1024 // len(line)), encoding="utf-8")
    with subprocess.Popen([SLEEP, "3600"], env=dict(_ENVIRONMENT)) as process:  # noqa: S603 - our own command
        try:
            yield App(process.pid, log)
        finally:
            process.kill()


@contextmanager
def bench_agent(
    folder: Path, audit_folder: Path | None = None, *, rewrite: Callable[[str], str] = str
) -> Iterator[RunningAgent]:
    """Runs an agent for a with-block; `rewrite` may change its configuration."""
    folder.mkdir(exist_ok=True)
    with running_agent(folder, POLICY, audit_folder=audit_folder, rewrite=rewrite) as agent:
        yield agent


@contextmanager
def echo_server(agent: RunningAgent) -> Iterator[str]:
    """Runs the echo server with the agent's own certificate, and gives its address."""
    server = agent.folder / "server"
    command = [sys.executable, str(_ECHO), str(server / "tls.crt"), str(server / "tls.key"), str(server / "ca.crt")]
    pipes = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipes, stdout=pipes) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def lanes(agent: RunningAgent, count: int, *, in_session: bool) -> tuple[Lane, ...]:
    """Gives so many callers, each with its own certificate and, if asked for, a new session."""
    return tuple(_lane(agent, f"u{number}", in_session=in_session) for number in range(count))


def _lane(agent: RunningAgent, name: str, *, in_session: bool) -> Lane:
    issued = agent.client(name)
    session_id = ""
    if in_session:
        caller = agent.caller(name)
        session_id = caller.session_id
        caller.channel.close()
    return Lane(issued.certificate.read_bytes(), issued.key.read_bytes(), session_id)


def close_sessions(agent: RunningAgent, used: tuple[Lane, ...]) -> None:
    """Closes the sessions of lanes, so that no caller comes to have too many."""
    for number, lane in enumerate(used):
        if lane.session_id:
            caller = agent.caller(f"u{number}", session=False)
            caller.call(caller.access.CloseSession, access_pb2.CloseSessionRequest(session_id=lane.session_id))
            caller.channel.close()
