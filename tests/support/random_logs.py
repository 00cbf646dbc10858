"""Makes random logs of random lives of an agent: calls, checkpoints, segments, restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_logs import INTENT, OUTCOME, SteppingClock
from chains import HOUR, Link, authority, leaf
from leadglass_agent.audit.checkpoint import LogSigner
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import Instant
from signed_logs import LogWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

AGENT = "spiffe://shop.example/agent/checkout"


@dataclass(frozen=True, slots=True)
class Life:
    """A log, and the keys that signed it."""

    writer: LogWriter
    signers: Mapping[str, LogSigner]

    @property
    def lines(self) -> tuple[bytes, ...]:
        """All its records, in order."""
        return tuple(self.writer.whole.splitlines(keepends=True))


@cache
def trusted() -> tuple[Link, Link]:
    """Gives an authority, and an agent's certificate of it."""
    return certified_agent("an authority")


def certified_agent(name: str) -> tuple[Link, Link]:
    """Makes an authority and an agent's certificate, good for hours around now."""
    issuer = authority(name)
    uri = x509.UniformResourceIdentifier(AGENT)
    return issuer, leaf(issuer, names=(uri,), validity=(-20 * HOUR, 20 * HOUR))


def random_life(chance: Random, *, agent: Link | None = None, steps: int = 40, origin: str = "") -> Life:
    """Makes a log of some ten to a hundred records; the same chance makes the same events."""
    clock = SteppingClock(Instant(unix_ns=time.time_ns(), boot_ns=1_000_000_000))
    name = origin or f"shop.example/agent/checkout/log/{chance.randbytes(8).hex()}"
    writer = LogWriter(agent or trusted()[1], name, clock)
    signers: dict[str, LogSigner] = {}

    def start() -> None:
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        writer.begin(key)
        signer = LogSigner(name, key)
        signers[signer.verifier_key] = signer

    def begin_again() -> None:
        if chance.random() < 0.3:
            writer.rotate(at_start=True)
        start()

    if chance.random() < 0.1:  # what a crash before the first start left behind
        writer.add(Event(kind=EventKind.TAIL_REPAIRED, facts=(("bytes", 11), ("pieces", 1))))
    start()
    for _ in range(chance.randint(3, steps)):
        drawn = chance.random()
        if drawn < 0.96:
            _happen(writer, drawn, chance)
        else:
            begin_again()
    return Life(writer, signers)


def _happen(writer: LogWriter, drawn: float, chance: Random) -> None:
    """Adds what happens between two starts."""
    if drawn < 0.55:
        writer.call(INTENT, OUTCOME)
    elif drawn < 0.7:
        writer.call(
            Event(kind=EventKind.REFUSED, call_id=chance.randbytes(4).hex(), detail="n" * chance.randint(0, 90))
        )
    elif drawn < 0.75:
        facts = (("cause", "ENOSPC"), ("expected_seq", writer.head.seq), ("expected_hash", writer.head.digest))
        writer.add(Event(kind=EventKind.AUDIT_RECOVERED, facts=facts))
    elif drawn < 0.8:
        writer.add(Event(kind=EventKind.FIRST_SEEN, caller=AGENT, facts=(("times", chance.randint(0, 9)),)))
    elif drawn < 0.9:
        writer.checkpoint()
    else:
        writer.rotate()
