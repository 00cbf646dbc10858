"""The front: speaks gRPC, decides, and writes the audit log; it asks the reader and never sees a raw value."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent import clock
from leadglass_agent.access.guard import Guard
from leadglass_agent.access.refusals import RefusalLedger
from leadglass_agent.api.admission import Admission
from leadglass_agent.api.audit_writer import AuditWriter
from leadglass_agent.api.disclosing import Disclosing
from leadglass_agent.api.gate import Controls, Gate
from leadglass_agent.api.methods import method_table
from leadglass_agent.api.question import AgentFacts, Ports
from leadglass_agent.api.server import HealthServer, api_server, silence
from leadglass_agent.api.taping import Taping
from leadglass_agent.api.tls import ServerTls
from leadglass_agent.api.watch import Watch
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.previous_stop import previous_stop
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable, Refusal
from leadglass_agent.processes.books import open_books
from leadglass_agent.processes.boot_record import boot_record, origin_base
from leadglass_agent.processes.exports import open_exports
from leadglass_agent.processes.keeping import Keeping
from leadglass_agent.processes.live import read_live
from leadglass_agent.processes.memory import settle
from leadglass_agent.processes.messages import AgentAnswer, AgentRequest
from leadglass_agent.processes.pod_facts import pod_facts
from leadglass_agent.processes.reader_client import ReaderClient
from leadglass_agent.processes.recording import open_recorder
from leadglass_agent.processes.reload import Reloader, keep_current
from leadglass_agent.processes.ship_cursor import lost_facts
from leadglass_agent.processes.upkeep import Upkeep, flood_event, handshakes_event
from leadglass_agent.sandbox.posture import Posture, Role, read_posture
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Iterable

    import grpc.aio

    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.processes.handshakes import HandshakeLedger
    from leadglass_agent.telemetry.providers import Telemetry
    from leadglass_agent.views.redactors import Redactors

_START_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_MEBIBYTE = 1024 * 1024


async def serve(
    config: Config, policy: Policy, redactors: Redactors, channel: socket.socket, handshakes: HandshakeLedger
) -> int:
    """Serves until SIGTERM (exit 0) or until the reader is gone (exit 1).

    Raises StartRefused, AuditLogRefused or AuditUnavailable before it has listened.
    """
    silence()
    live = read_live(config, policy)
    pod = pod_facts(config, live.credentials.agent_id)
    facts = AgentFacts(
        version=version("leadglass"), agent_id=live.credentials.agent_id, start_unix_ns=clock.now().unix_ns
    )
    log = _open_log(config, facts)
    before = previous_stop(log.last_time, clock.now())
    audit = AuditWriter(log, redactors.balanced)
    books = await open_books(Path(config.audit.path), open_recorder(config.recordings, facts, audit.mask))
    exports = open_exports(config, facts.version, pod, live, audit, clock.now)
    telemetry = exports.telemetry
    guard, refusals = Guard(), RefusalLedger()
    reader = await ReaderClient.connect(channel)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ports = Ports(
        reader=reader,
        sessions=books.sessions,
        reveals=books.reveals,
        halt_reviews=books.halt_reviews,
        disclosure=books.disclosure,
        journal=books.journal,
        live=live,
        pod=pod,
        trust_domain=config.trust_domain,
        facts=facts,
        audit_writable=lambda: audit.writable,
        mask_words=audit.mask,
        redaction_rules=redactors.rule_ids,
        count_redactions=telemetry.metrics.count_redactions,
        count_withheld=telemetry.metrics.count_withheld,
        count_decision=telemetry.metrics.count_decision,
        check_sink=exports.check,
        recordings=books.recordings,
        audit_log=audit.view,
    )
    controls = Controls(
        admission=Admission(live, books.sessions, guard, pod, config.trust_domain),
        watch=Watch(guard, books.sessions, audit, telemetry.metrics.count_halt, books.halt_reviews, books.journal),
        disclosing=Disclosing(books.disclosure, books.journal),
        taping=Taping(books.recordings, clock.now),
    )
    gate = Gate(ports=ports, controls=controls, audit=audit, clock=clock.now, refusals=refusals)
    tls = ServerTls(live.credentials, lambda: handshakes.foresee(clock.now().boot_ns))
    server, port, health = _bind(gate, tls, telemetry, config)
    listening = asyncio.create_task(reader.run())
    postures = await _postures(reader)
    further = (
        ("journal_is_new", books.is_new),
        ("is_recording", books.recordings is not None),
        *before.facts(),
        *lost_facts(Path(config.audit.path), log.head),
    )
    started = boot_record(policy, facts, pod, postures, further, live.credentials, log.signer.verifier_key)
    await _record(audit, (started, *before.events()))
    exports.start(postures)
    await server.start()
    await health.start()
    upkeep = Upkeep(
        live=live,
        audit=audit,
        sessions=books.sessions,
        disclosure=books.disclosure,
        guard=guard,
        refusals=refusals,
        handshakes=handshakes,
        reader=reader,
        health=health,
        stop=stop,
        pod=pod,
        telemetry=telemetry,
        exports=exports,
        reveals=books.reveals,
        halt_reviews=books.halt_reviews,
        keeping=Keeping(
            audit=audit,
            audit_path=Path(config.audit.path),
            retention_days=config.audit.retention_days,
            sink_seq=exports.sink_seq,
            recordings=books.recordings,
        ),
    )
    watching = asyncio.create_task(upkeep.run())
    address = f"{config.listen.rpartition(':')[0]}:{port}"
    reloader = Reloader(config, live)
    reloading = asyncio.create_task(keep_current(live, reloader, tls, address, clock.now, upkeep.reloaded))
    settle()
    _announce(config, port, health.port, exports.page_address)
    await _first(stop.wait(), reader.lost.wait(), watching, reloading)
    cause = "SIGTERM" if stop.is_set() else "READER_LOST" if reader.lost.is_set() else "WATCH_FAILED"
    await health.tell(serving=False)
    await server.stop(_GRACE_SECONDS)
    for task in (listening, watching, reloading):
        task.cancel()
    await tls.close()
    await health.stop()
    failed = handshakes.close()
    stopped = Event(kind=EventKind.AGENT_STOPPED, policy_digest=live.policy.digest, facts=(("cause", cause),))
    with suppress(AuditUnavailable):  # a log that cannot be written does not hold the end up
        await _record(audit, map(flood_event, refusals.close()))
        await _record(audit, (handshakes_event(failed), stopped) if failed else (stopped,))
    for part in (books, audit, exports):
        part.close()
    return 0 if stop.is_set() else 1


async def _record(audit: AuditWriter, events: Iterable[Event]) -> None:
    """Writes records one after the other; raises AuditUnavailable."""
    for event in events:
        await audit.append(event)


def _bind(
    gate: Gate, tls: ServerTls, telemetry: Telemetry, config: Config
) -> tuple[grpc.aio.Server, int, HealthServer]:
    """Binds both servers, and gives the port of the API; raises StartRefused or MethodTableError."""
    try:
        server, port = api_server(gate, method_table(), tls, telemetry, config.listen)
        return server, port, HealthServer(config.health_listen)
    except (RuntimeError, ValueError) as error:
        message = f"cannot listen on {config.listen} and {config.health_listen}: {error}"
        raise StartRefused(message) from None


def _open_log(config: Config, facts: AgentFacts) -> AuditLog:
    """Opens the audit log; raises AuditLogRefused."""
    return AuditLog.open(
        Path(config.audit.path),
        clock.now,
        origin_base=origin_base(facts.agent_id),
        segment_bytes=config.audit.segment_mebibytes * _MEBIBYTE,
    )


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


def _announce(config: Config, port: int, health_port: int, page: str) -> None:
    """Prints the one line that tells where the agent listens; port 0 in the configuration makes it needed."""
    line = {
        **({"metrics": page} if page else {}),
        "event": "listening",
        "address": f"{config.listen.rpartition(':')[0]}:{port}",
        "health": f"{config.health_listen.rpartition(':')[0]}:{health_port}",
    }
    print(json.dumps(line), flush=True)  # noqa: T201 - standard output is where a container's log is read
