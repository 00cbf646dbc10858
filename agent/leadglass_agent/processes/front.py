"""The front: speaks gRPC, decides, and writes the audit log; it asks the reader and never sees a raw value."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
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
from leadglass_agent.build import VERSION
from leadglass_agent.errors import AuditUnavailable, Refusal
from leadglass_agent.processes.becoming import EXIT_INTERFERED
from leadglass_agent.processes.books import open_books
from leadglass_agent.processes.boot_record import boot_record, origin_base
from leadglass_agent.processes.dialling import Dialler
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
from leadglass_agent.processes.supervisor_link import SupervisorLink
from leadglass_agent.processes.upkeep import Upkeep, flood_event, handshakes_event
from leadglass_agent.sandbox.confine import confine_front
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.own_posture import OwnPosture
from leadglass_agent.sandbox.posture import Posture, Role, Standing
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    import grpc.aio

    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.processes.becoming import FrontEnds
    from leadglass_agent.processes.children import Common
    from leadglass_agent.processes.handshakes import HandshakeLedger
    from leadglass_agent.processes.signals import Signals
    from leadglass_agent.telemetry.providers import Telemetry

_START_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_NOTICE_SECONDS = 0.5
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """What the front is given when it is forked; its Landlock domain is there already."""

    common: Common
    policy: Policy
    landlock_abi: int
    signals: Signals
    handshakes: HandshakeLedger


async def serve(given: Given, ends: FrontEnds) -> int:  # noqa: PLR0915 - one list of all parts, in order
    """Serves until it is told to stop (exit 0), until reader or supervisor are gone (1), or until interference (3).

    Raises StartRefused, AuditLogRefused or AuditUnavailable before it has listened.
    """
    config, policy, redactors = given.common.config, given.policy, given.common.redactors
    handshakes = given.handshakes
    link = SupervisorLink(ends.notices, given.signals, given.common.parent_pid)
    dialler = Dialler(ends.dials)
    silence()
    live = read_live(config, policy)
    pod = pod_facts(config, live.credentials.agent_id)
    facts = AgentFacts(version=VERSION, agent_id=live.credentials.agent_id, start_unix_ns=clock.now().unix_ns)
    log = _open_log(config, facts)
    before = previous_stop(log.last_time, clock.now())
    audit = AuditWriter(log, redactors.balanced)
    books = await open_books(Path(config.audit.path), open_recorder(config.recordings, facts, audit.mask))
    exports = open_exports(config, facts.version, pod, live, audit, clock.now, dialler)
    telemetry = exports.telemetry
    guard, refusals = Guard(), RefusalLedger()
    reader = await ReaderClient.connect(ends.reader)
    own = OwnPosture(Standing(Role.FRONT, given.common.one_way_glass))
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
        own_posture=own,
        supervisor=await link.supervisor(),
    )
    controls = Controls(
        admission=Admission(live, books.sessions, guard, pod, config.trust_domain),
        watch=Watch(guard, books.sessions, audit, telemetry.metrics.count_halt, books.halt_reviews, books.journal),
        disclosing=Disclosing(books.disclosure, books.journal),
        taping=Taping(books.recordings, clock.now),
    )
    gate = Gate(ports=ports, controls=controls, audit=audit, clock=clock.now, refusals=refusals)
    tls = ServerTls(live.credentials, lambda: handshakes.foresee(clock.now().boot_ns), dialler.dial_own_port)
    server, port, health = _bind(gate, tls, telemetry, config)
    own.standing = _confined(given)
    listening = asyncio.create_task(reader.run())
    postures = await _postures(reader, own.read(), ports.supervisor)
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
        stop=link.stop,
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
    await upkeep.look_now()
    watching = asyncio.create_task(upkeep.run())
    address = f"{config.listen.rpartition(':')[0]}:{port}"
    reloader = Reloader(config, live)
    reloading = asyncio.create_task(keep_current(live, reloader, tls, address, clock.now, upkeep.reloaded))
    link.on_interference = upkeep.interfered
    settle()
    _announce(config, port, health.port, exports.page_address)
    status, cause = await _end(link, upkeep, reader, watching, reloading)
    await health.tell(serving=False)
    await server.stop(_GRACE_SECONDS)
    await upkeep.write_waiting()
    for task in (listening, watching, reloading):
        task.cancel()
    await tls.close()
    await health.stop()
    stopped = Event(kind=EventKind.AGENT_STOPPED, policy_digest=live.policy.digest, facts=(("cause", cause),))
    with suppress(AuditUnavailable):  # a log that cannot be written does not hold the end up
        await _record(audit, (*upkeep.take_unrecorded(), *map(flood_event, refusals.close())))
        failed = handshakes.close()
        await _record(audit, (handshakes_event(failed), stopped) if failed else (stopped,))
    for part in (books, audit, exports):
        part.close()
    return status


def _confined(given: Given) -> Standing:
    """Gives up what only a start needs, with both ports bound; raises StartRefused if less was reached than asked."""
    reached, common = confine_front(given.landlock_abi), given.common
    require(reached, Role.FRONT, common.floor)
    return Standing(Role.FRONT, common.one_way_glass, reached.level, reached.landlock_abi)


async def _end(
    link: SupervisorLink, upkeep: Upkeep, reader: ReaderClient, *tasks: asyncio.Task[None]
) -> tuple[int, str]:
    """Waits for the end; gives the front's exit status and what its last record says of it."""
    await _first(link.stop.wait(), upkeep.interference.wait(), reader.lost.wait(), link.lost.wait(), *tasks)
    if reader.lost.is_set():  # the supervisor may be about to say who did that
        await _first(upkeep.interference.wait(), asyncio.sleep(_NOTICE_SECONDS))
    if not (link.stop.is_set() or upkeep.interference.is_set()):
        # A part fails as well if somebody takes from it what it needs.
        await upkeep.look_now()
    if upkeep.interference.is_set():
        sys.stderr.write("leadglass-agent: somebody interfered with the agent's processes; it ends (audit log)\n")
        return EXIT_INTERFERED, "INTERFERENCE"
    if link.stop.is_set():
        return 0, "SIGTERM"
    if reader.lost.is_set():
        return 1, "READER_LOST"
    return 1, "SUPERVISOR_LOST" if link.lost.is_set() else "WATCH_FAILED"


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
        # After the semicolon gRPC advises a variable that tells no more; it does not say why the kernel refused either.
        fault = str(error).partition(";")[0]
        message = (
            f"cannot listen on {config.listen} and {config.health_listen}: {fault}: another program listens there, "
            "this machine does not have the address, or the port is below 1024"
        )
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


async def _postures(reader: ReaderClient, *others: Posture) -> tuple[Posture, ...]:
    """Waits for the reader to be ready and gives the postures of all processes for the boot record."""
    try:
        answer = await reader.ask(partial(AgentRequest, attempt=False), _START_SECONDS)
    except Refusal as refusal:
        detail = "the reader did not start"
        raise StartRefused(detail) from refusal
    if not isinstance(answer, AgentAnswer):
        detail = "the reader did not say what it is"
        raise StartRefused(detail)
    return (*others, *answer.postures)


def _announce(config: Config, port: int, health_port: int, page: str) -> None:
    """Prints the one line that tells where the agent listens; port 0 in the configuration makes it needed."""
    line = {
        **({"metrics": page} if page else {}),
        "event": "listening",
        "address": f"{config.listen.rpartition(':')[0]}:{port}",
        "health": f"{config.health_listen.rpartition(':')[0]}:{health_port}",
    }
    # In one piece with its end: the thread of the checkpoints writes to the same place.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
