"""Writes logs as an agent does, with keys, checkpoints, segments and restarts, and keeps what witnesses would."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from audit_logs import SteppingClock
from leadglass_agent.audit.chain import GENESIS, Head, append
from leadglass_agent.audit.checkpoint import Checkpoint, LogSigner, note_of
from leadglass_agent.audit.log_key import certify
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import EMPTY, Frontier, last_proofs, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from chains import Link
    from leadglass_agent.clock import Instant


@dataclass(frozen=True, slots=True)
class Kept:
    """What a caller keeps of one call, and what a cluster collects of one checkpoint."""

    size: int
    text: str


@dataclass(slots=True)
class LogWriter:
    """One log; `segments` holds its files from the oldest on, as bytes."""

    agent: Link
    origin: str
    clock: Callable[[], Instant] = field(default_factory=SteppingClock)
    segments: list[bytearray] = field(default_factory=lambda: [bytearray()])
    receipts: list[Kept] = field(default_factory=list)
    printed: list[Kept] = field(default_factory=list)
    head: Head = GENESIS
    tree: Frontier = EMPTY
    signer: LogSigner | None = None
    started: Event | None = None

    @property
    def whole(self) -> bytes:
        """All segments, one after the other."""
        return b"".join(self.segments)

    def start(self, key: Ed25519PrivateKey, *, event: Event | None = None) -> None:
        """Writes the record of a start with a new key of the log; see `begin`."""
        signer = LogSigner(self.origin, key)
        began = event or Event(kind=EventKind.AGENT_STARTED)
        certificate = base64.b64encode(self.agent.certificate.public_bytes(Encoding.DER)).decode()
        self.signer = signer
        self.started = replace(
            began,
            verifier_key=signer.verifier_key,
            certificate=certificate,
            key_signature=certify(signer.verifier_key, self.agent.key),
        )
        self.add(self.started)

    def begin(self, key: Ed25519PrivateKey, *, event: Event | None = None) -> None:
        """Starts the agent as it does: the new key signs the state with the start itself."""
        self.start(key, event=event)
        self.checkpoint()

    def add(self, event: Event) -> bytes:
        """Appends a record and gives its leaf hash."""
        line, self.head = append(self.head, event, self.clock())
        self.segments[-1] += line
        leaf = leaf_hash(line[:-1])
        self.tree = self.tree.plus(leaf)
        return leaf

    def call(self, *events: Event, method: str = "/leadglass.v1.InspectService/ListProcesses") -> None:
        """Appends the records of a call, and keeps its receipt."""
        for event in events[:-1]:
            self.add(event)
        before = self.tree
        leaf = self.add(events[-1])
        (proof,) = last_proofs(before, [leaf])
        receipt = {
            "seq": self.tree.size,
            "leaf": leaf.hex(),
            "hashes": [one.hex() for one in proof],
            "checkpoint": self.note(),
            "key": self._signer.verifier_key,
            "method": method,
            "time": "2025-06-15T15:06:45Z",
        }
        self.receipts.append(Kept(self.tree.size, json.dumps(receipt, separators=(",", ":"))))

    def checkpoint(self) -> None:
        """Appends a CHECKPOINT record and prints it."""
        state = Checkpoint(self.origin, self.tree.size, self.tree.root())
        signature = self._signer.signature(state)
        event = {"event": "checkpoint", "note": note_of(state, signature)}
        self.printed.append(Kept(self.tree.size, json.dumps(event)))
        self.add(
            Event(
                kind=EventKind.CHECKPOINT,
                origin=self.origin,
                tree_size=state.size,
                root_hash=state.root.hex(),
                signature=signature,
            )
        )

    def rotate(self, *, at_start: bool = False) -> None:
        """Begins another file, which repeats the key of the start; at a start there is none yet."""
        self.segments.append(bytearray())
        named = None if at_start else self.started
        self.add(
            Event(
                kind=EventKind.SEGMENT_STARTED,
                origin=self.origin,
                tree_size=self.tree.size,
                root_hash=self.tree.root().hex(),
                frontier=tuple(root.hex() for root in self.tree.roots),
                facts=(("previous", f"audit.jsonl.{len(self.segments):012d}"),),
                verifier_key=None if named is None else named.verifier_key,
                certificate=None if named is None else named.certificate,
                key_signature=None if named is None else named.key_signature,
            )
        )

    def delete(self, count: int) -> None:
        """Deletes the oldest files as retention does: the log says so, and signs that."""
        for segment in self.segments[:count]:
            numbers = [json.loads(line)["seq"] for line in segment.splitlines()]
            self.add(
                Event(
                    kind=EventKind.SEGMENT_DELETED,
                    facts=(
                        ("first_seq", numbers[0]),
                        ("last_seq", numbers[-1]),
                        ("bytes", len(segment)),
                        ("sha256", hashlib.sha256(segment).hexdigest()),
                    ),
                )
            )
        self.checkpoint()
        del self.segments[:count]

    def note(self) -> str:
        """Gives the signed state as it is."""
        return self._signer.sign(Checkpoint(self.origin, self.tree.size, self.tree.root()))

    @property
    def _signer(self) -> LogSigner:
        assert self.signer is not None
        return self.signer
