"""The front: speaks gRPC, decides, and writes the audit log; it asks the reader and never sees a raw value."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent import clock
from leadglass_agent.access.refusals import Flood, RefusalLedger
from leadglass_agent.access.session import SessionBook
from leadglass_agent.api.access import session_event
from leadglass_agent.api.audit_writer import AuditWriter
from leadglass_agent.api.gate import Gate
from leadglass_agent.api.methods import method_table
from leadglass_agent.api.question import AgentFacts, Ports
from leadglass_agent.api.server import HealthServer, api_server, silence
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.credentials import read_credentials
from leadglass_agent.errors import AuditUnavailable, Reason, Refusal
from leadglass_agent.processes.memory import settle
from leadglass_agent.processes.messages import AgentAnswer, AgentRequest
from leadglass_agent.processes.reader_client import ReaderClient
from leadglass_agent.sandbox.posture import Posture, Role, read_posture
from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry import Telemetry

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable

    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.views.redactors import Redactors

_START_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_TICK_SECONDS = 1.0
_ALIVE_SECONDS = 3.0
_SESSION_ID_BYTES = 24


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one running front is made of."""

    audit: AuditWriter
    sessions: SessionBook
    refusals: RefusalLedger
    reader: ReaderClient
    health: HealthServer
    stop: asyncio.Event
    policy_digest: str


async def serve(config: Config, policy: Policy, redactors: Redactors, channel: socket.socket) -> int:
    """Serves until SIGTERM (exit 0) or until the reader is gone (exit 1).

    Raises StartRefused, AuditLogRefused or AuditUnavailable before it has listened.
    """
    silence()
    table = method_table()
    credentials = read_credentials(config.tls)
    facts = AgentFacts(
        version=version("leadglass"),
        agent_id=credentials.agent_id,
        start_unix_ns=clock.now().unix_ns,
        certificate_not_after_unix=credentials.not_after_unix,
    )
    audit = AuditWriter(AuditLog.open(Path(config.audit.path), clock.now), redactors.balanced)
    telemetry = Telemetry(config.telemetry.exporter, facts.version)
    sessions = SessionBook(lambda: secrets.token_urlsafe(_SESSION_ID_BYTES))
    reader = await ReaderClient.connect(channel)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ports = Ports(
        reader=reader,
        sessions=sessions,
        facts=facts,
        audit_writable=lambda: audit.writable,
        redaction_rules=redactors.rule_ids,
        count_redactions=telemetry.count_redactions,
        count_withheld=telemetry.count_withheld,
    )
    refusals = RefusalLedger()
    gate = Gate(
        ports=ports,
        policy=policy,
        audit=audit,
        trust_domain=config.trust_domain,
        clock=clock.now,
        refusals=refusals,
    )
    try:
        server, port = api_server(gate, table, credentials, telemetry, config.listen)
        health = HealthServer(config.health_listen)
    except (RuntimeError, ValueError) as error:
        message = f"cannot listen on {config.listen} and {config.health_listen}: {error}"
        raise StartRefused(message) from None
    listening = asyncio.create_task(reader.run())
    await audit.append(_started(policy, facts, await _postures(reader)))
    await server.start()
    await health.start()
    watching = asyncio.create_task(_watch(_Parts(audit, sessions, refusals, reader, health, stop, policy.digest)))
    settle()
    _announce(config, port, health.port)
    await _first(stop.wait(), reader.lost.wait(), watching)
    cause = "SIGTERM" if stop.is_set() else "READER_LOST" if reader.lost.is_set() else "WATCH_FAILED"
    await health.tell(serving=False)
    await server.stop(_GRACE_SECONDS)
    for task in (listening, watching):
        task.cancel()
    await health.stop()
    with suppress(AuditUnavailable):
        for flood in refusals.close():
            await audit.append(_flood(flood))
        await audit.append(Event(kind=EventKind.AGENT_STOPPED, policy_digest=policy.digest, facts=(("cause", cause),)))
    audit.close()
    telemetry.close()
    return 0 if stop.is_set() else 1


async def _watch(parts: _Parts) -> None:
    """Tells health every second whether log and reader answer, and records sessions that ended by time."""
    unrecorded: deque[Event] = deque()
    while True:
        serving = await parts.audit.probe() and await _answers(parts.reader)
        await parts.health.tell(serving=serving and not parts.stop.is_set())
        now = clock.now()
        ended = parts.sessions.sweep(now)
        unrecorded.extend(session_event(EventKind.SESSION_ENDED, session, parts.policy_digest) for session in ended)
        if not unrecorded:  # else they go on being counted where they are, however long the disk is full
            unrecorded.extend(_flood(flood) for flood in parts.refusals.summaries(now))
        with suppress(AuditUnavailable):
            while unrecorded:
                await parts.audit.append(unrecorded[0])
                unrecorded.popleft()
        await asyncio.sleep(_TICK_SECONDS)


def _flood(flood: Flood) -> Event:
    """Gives the one record that stands for refusals which were counted."""
    return Event(
        kind=EventKind.REFUSED,
        caller=flood.caller,
        decision=Ruling.DENY,
        refusal=Reason.RATE_LIMITED,
        detail="refused calls that were counted and not recorded one by one",
        facts=(("calls", flood.calls), ("since_boot_ns", flood.since_boot_ns)),
    )


async def _answers(reader: ReaderClient) -> bool:
    """Asks the reader for a sign of life: without it no view can be had."""
    try:
        await reader.ask(AgentRequest, _ALIVE_SECONDS)
    except Refusal:
        return False
    return True


async def _first(*waits: Awaitable[object]) -> None:
    """Waits for the first of several events."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _postures(reader: ReaderClient) -> tuple[Posture, ...]:
    """Waits for the reader to be ready and gives the posture of both processes for the boot record."""
    try:
        answer = await reader.ask(AgentRequest, _START_SECONDS)
    except Refusal as refusal:
        detail = "the reader did not start"
        raise StartRefused(detail) from refusal
    if not isinstance(answer, AgentAnswer):
        detail = "the reader did not say what it is"
        raise StartRefused(detail)
    return (read_posture(Role.FRONT), *answer.postures)


def _started(policy: Policy, facts: AgentFacts, postures: tuple[Posture, ...]) -> Event:
    """Gives the boot record: what runs, under which policy, and what the kernel grants it."""
    described: list[tuple[str, str | int | bool]] = [
        ("version", facts.version),
        ("agent_id", facts.agent_id),
        ("policy_name", policy.name),
    ]
    for posture in postures:
        role = posture.role.value.lower()
        described += [
            (f"{role}.pid", posture.pid),
            (f"{role}.uid", posture.uid),
            (f"{role}.gid", posture.gid),
            (f"{role}.effective_capabilities", f"{posture.effective_capabilities:x}"),
            (f"{role}.no_new_privs", posture.no_new_privs),
            (f"{role}.dumpable", posture.dumpable),
            (f"{role}.sandbox_level", posture.sandbox_level.value),
        ]
    return Event(kind=EventKind.AGENT_STARTED, policy_digest=policy.digest, facts=tuple(described))


def _announce(config: Config, port: int, health_port: int) -> None:
    """Prints the one line that tells where the agent listens; port 0 in the configuration makes it needed."""
    line = {
        "event": "listening",
        "address": f"{config.listen.rpartition(':')[0]}:{port}",
        "health": f"{config.health_listen.rpartition(':')[0]}:{health_port}",
    }
    print(json.dumps(line), flush=True)  # noqa: T201 - standard output is where a container's log is read
