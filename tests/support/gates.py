"""Puts a gate together within the test's own process: real books, a real audit log, one authority, no server."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from leadglass_agent import clock
from leadglass_agent.access.approvals import PodFacts
from leadglass_agent.access.deny_list import DenyList
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.access.guard import Guard
from leadglass_agent.access.halt_reviews import HaltReviews
from leadglass_agent.access.journal import Journal
from leadglass_agent.access.refusals import RefusalLedger
from leadglass_agent.access.reveals import RevealBook
from leadglass_agent.access.session import SessionBook
from leadglass_agent.api.admission import Admission
from leadglass_agent.api.audit_writer import AuditWriter
from leadglass_agent.api.disclosing import Disclosing
from leadglass_agent.api.gate import Controls, Gate
from leadglass_agent.api.journal_writer import JournalWriter
from leadglass_agent.api.question import AgentFacts, Ports
from leadglass_agent.api.taping import Taping
from leadglass_agent.api.watch import Watch
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.credentials import Credentials
from leadglass_agent.policy.model import Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.processes.live import KeySet, Live
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.sandbox.own_posture import OwnPosture
from leadglass_agent.sandbox.posture import Role, Standing, read_posture
from leadglass_agent.trust import Trust
from running_agent import TRUST_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from certificates import Authority
    from leadglass_agent.processes.reader_client import ReaderClient


@dataclass(frozen=True, slots=True)
class BuiltGate:
    """A gate, what is in force for it, and where its audit log lies."""

    gate: Gate
    live: Live
    log: Path


@contextmanager
def built_gate(
    folder: Path,
    reader: ReaderClient,
    authority: Authority,
    policy: str,
    count_withheld: Callable[[], None] = lambda: None,
) -> Iterator[BuiltGate]:
    """Gives a gate over `reader` that trusts `authority`; its files lie in `folder`."""
    log = folder / "audit.jsonl"
    audit = AuditWriter(AuditLog.open(log, clock.now), Redactor())
    sessions, reveals, disclosure, guard = _sessions(), RevealBook(_new_id), Disclosure(), Guard()
    halt_reviews = HaltReviews(_new_id)
    journal = JournalWriter(
        Journal.open(folder / "spent").journal,
        lambda: (*disclosure.snapshot(), *reveals.snapshot(), *halt_reviews.snapshot()),
    )
    live = _live(authority, policy)
    pod = PodFacts(spiffe_id="", namespace="", workload="", uid="", tier=Tier.PROD)
    standing = Standing(Role.FRONT, one_way_glass=False)
    ports = Ports(
        reader=reader,
        sessions=sessions,
        reveals=reveals,
        halt_reviews=halt_reviews,
        disclosure=disclosure,
        journal=journal,
        live=live,
        pod=pod,
        trust_domain=TRUST_DOMAIN,
        facts=AgentFacts("0", "", 0),
        audit_writable=lambda: audit.writable,
        mask_words=audit.mask,
        redaction_rules=frozenset(),
        count_redactions=lambda _: None,
        count_withheld=count_withheld,
        count_decision=lambda *_: None,
        check_sink=lambda: None,
        audit_log=audit.view,
        own_posture=OwnPosture(standing),
        supervisor=read_posture(standing),
    )
    controls = Controls(
        admission=Admission(live, sessions, guard, pod, TRUST_DOMAIN),
        watch=Watch(guard, sessions, audit, lambda _: None, halt_reviews, journal),
        disclosing=Disclosing(disclosure, journal),
        taping=Taping(None, clock.now),
    )
    try:
        yield BuiltGate(
            Gate(ports=ports, controls=controls, audit=audit, clock=clock.now, refusals=RefusalLedger()), live, log
        )
    finally:
        journal.close()
        audit.close()


def _live(authority: Authority, policy: str) -> Live:
    pem = authority.certificate.public_bytes(Encoding.PEM)
    credentials = Credentials(
        certificate=b"",
        key=b"",
        caller_authorities=pem,
        agent_id="",
        not_after_unix=0,
        leaf=b"",
        trust=Trust(pem),
        digest="",
    )
    return Live(credentials, parse_policy(policy.encode(), "policy.yaml"), DenyList(), KeySet())


def _sessions() -> SessionBook:
    return SessionBook(_new_id)


def _new_id() -> str:
    return secrets.token_urlsafe(24)
