"""The front: speaks gRPC, decides, and writes the audit log; it asks the reader and never sees a raw value."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent import clock
from leadglass_agent.access.accounts import Spent
from leadglass_agent.access.approvals import PodFacts
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.access.guard import Guard
from leadglass_agent.access.journal import Journal, JournalRefused, journal_path
from leadglass_agent.access.refusals import RefusalLedger
from leadglass_agent.access.reveals import RevealBook
from leadglass_agent.access.session import SessionBook
from leadglass_agent.api.admission import Admission
from leadglass_agent.api.audit_writer import AuditWriter
from leadglass_agent.api.disclosing import Disclosing
from leadglass_agent.api.gate import Controls, Gate
from leadglass_agent.api.journal_writer import JournalWriter
from leadglass_agent.api.methods import method_table
from leadglass_agent.api.question import AgentFacts, Ports
from leadglass_agent.api.server import HealthServer, api_server, silence
from leadglass_agent.api.tls import ServerTls
from leadglass_agent.api.watch import Watch
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import AuditUnavailable, Refusal
from leadglass_agent.mounted_files import FilesUnread, read_set
from leadglass_agent.processes.live import read_live
from leadglass_agent.processes.memory import settle
from leadglass_agent.processes.messages import AgentAnswer, AgentRequest
from leadglass_agent.processes.reader_client import ReaderClient
from leadglass_agent.processes.reload import Reloader, keep_current
from leadglass_agent.processes.upkeep import Upkeep, flood_event
from leadglass_agent.sandbox.posture import Posture, Role, read_posture
from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry import Telemetry

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Iterable

    from leadglass_agent.access.journal import Entry
    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.processes.live import Live
    from leadglass_agent.views.redactors import Redactors

_START_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_ID_BYTES = 24
_MAX_POD_FACT = 256


@dataclass(frozen=True, slots=True)
class _Books:
    """What is remembered of access; the journal keeps what must outlive a restart."""

    sessions: SessionBook
    reveals: RevealBook
    disclosure: Disclosure
    journal: JournalWriter
    is_new: bool


async def serve(config: Config, policy: Policy, redactors: Redactors, channel: socket.socket) -> int:
    """Serves until SIGTERM (exit 0) or until the reader is gone (exit 1).

    Raises StartRefused, AuditLogRefused or AuditUnavailable before it has listened.
    """
    silence()
    table = method_table()
    live = read_live(config, policy)
    pod = _pod(config, live)
    facts = AgentFacts(
        version=version("leadglass"), agent_id=live.credentials.agent_id, start_unix_ns=clock.now().unix_ns
    )
    audit = AuditWriter(AuditLog.open(Path(config.audit.path), clock.now), redactors.balanced)
    books = await _open_books(Path(config.audit.path))
    telemetry = Telemetry(config.telemetry.exporter, facts.version)
    guard, refusals = Guard(), RefusalLedger()
    reader = await ReaderClient.connect(channel)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ports = Ports(
        reader=reader,
        sessions=books.sessions,
        reveals=books.reveals,
        disclosure=books.disclosure,
        journal=books.journal,
        live=live,
        pod=pod,
        trust_domain=config.trust_domain,
        facts=facts,
        audit_writable=lambda: audit.writable,
        mask_words=audit.mask,
        redaction_rules=redactors.rule_ids,
        count_redactions=telemetry.count_redactions,
        count_withheld=telemetry.count_withheld,
    )
    controls = Controls(
        admission=Admission(live, books.sessions, guard, pod, config.trust_domain),
        watch=Watch(guard, books.sessions, audit, telemetry.count_halt),
        disclosing=Disclosing(books.disclosure, books.journal),
    )
    gate = Gate(ports=ports, controls=controls, audit=audit, clock=clock.now, refusals=refusals)
    tls = ServerTls(live.credentials)
    try:
        server, port = api_server(gate, table, tls, telemetry, config.listen)
        health = HealthServer(config.health_listen)
    except (RuntimeError, ValueError) as error:
        message = f"cannot listen on {config.listen} and {config.health_listen}: {error}"
        raise StartRefused(message) from None
    listening = asyncio.create_task(reader.run())
    await audit.append(_started(policy, facts, pod, await _postures(reader), journal_is_new=books.is_new))
    await server.start()
    await health.start()
    upkeep = Upkeep(
        live=live,
        audit=audit,
        sessions=books.sessions,
        disclosure=books.disclosure,
        guard=guard,
        refusals=refusals,
        reader=reader,
        health=health,
        stop=stop,
        pod=pod,
        telemetry=telemetry,
    )
    watching = asyncio.create_task(upkeep.run())
    address = f"{config.listen.rpartition(':')[0]}:{port}"
    reloading = asyncio.create_task(
        keep_current(live, Reloader(config, live), tls, address, clock.now, upkeep.reloaded)
    )
    settle()
    _announce(config, port, health.port)
    await _first(stop.wait(), reader.lost.wait(), watching, reloading)
    cause = "SIGTERM" if stop.is_set() else "READER_LOST" if reader.lost.is_set() else "WATCH_FAILED"
    await health.tell(serving=False)
    await server.stop(_GRACE_SECONDS)
    for task in (listening, watching, reloading):
        task.cancel()
    await tls.close()
    await health.stop()
    digest = live.policy.digest
    with suppress(AuditUnavailable):
        for flood in refusals.close():
            await audit.append(flood_event(flood))
        await audit.append(Event(kind=EventKind.AGENT_STOPPED, policy_digest=digest, facts=(("cause", cause),)))
    books.journal.close()
    audit.close()
    telemetry.close()
    return 0 if stop.is_set() else 1


def _pod(config: Config, live: Live) -> PodFacts:
    """Gives what grants may name this pod by; the file of a downward API volume tells its uid."""
    uid = config.pod.uid
    if config.pod.uid_file:
        try:
            uid = read_set((config.pod.uid_file,), _MAX_POD_FACT).contents[0].decode("ascii").strip()
        except (FilesUnread, ValueError) as error:
            raise StartRefused(str(error)) from None
    return PodFacts(
        spiffe_id=live.credentials.agent_id,
        namespace=config.pod.namespace,
        workload=config.pod.workload,
        uid=uid,
        tier=config.tier,
    )


async def _open_books(audit_path: Path) -> _Books:
    """Opens the journal and takes back what it holds; raises StartRefused or AuditUnavailable."""
    try:
        opened = Journal.open(journal_path(audit_path))
    except JournalRefused as error:
        raise StartRefused(str(error)) from None
    sessions = SessionBook(lambda: secrets.token_urlsafe(_ID_BYTES))
    reveals = RevealBook(lambda: secrets.token_urlsafe(_ID_BYTES))
    disclosure = Disclosure()
    disclosure.restore(entry for entry in opened.entries if isinstance(entry, Spent))
    reveals.restore(entry for entry in opened.entries if not isinstance(entry, Spent))

    def snapshot() -> Iterable[Entry]:
        return (*disclosure.snapshot(), *reveals.snapshot())

    journal = JournalWriter(opened.journal, snapshot)
    await journal.compact()
    return _Books(sessions, reveals, disclosure, journal, opened.is_new)


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


def _started(
    policy: Policy, facts: AgentFacts, pod: PodFacts, postures: tuple[Posture, ...], *, journal_is_new: bool
) -> Event:
    """Gives the boot record: what runs, under which policy, and what the kernel grants it."""
    described: list[tuple[str, str | int | bool]] = [
        ("version", facts.version),
        ("agent_id", facts.agent_id),
        ("policy_name", policy.name),
        ("tier", pod.tier.value),
        # Then nothing is known any more of what grants have spent.
        ("journal_is_new", journal_is_new),
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
