"""Checks what a log signs of itself: keys in its boot records, checkpoints, and the beginnings of its segments."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.chain import Fault, Head
from leadglass_agent.audit.checkpoint import Checkpoint, NoteError, note_of, open_note, parse_verifier_key
from leadglass_agent.audit.log_key import LogKeyError, check_certified
from leadglass_agent.audit.record import EventKind
from leadglass_agent.audit.tree import Frontier
from leadglass_agent.audit.verdict import Signed

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.audit.chain import Record

_HASH_DIGITS: Final = 64
# The agent writes one at least every 64 records, after as many as it had to write at once.
_CHECKPOINT_GAP: Final = 256
# It signs the state with the start itself, in one write; repairs and recoveries may stand there too.
_START_GAP: Final = 16
_AGENTS: Final = 16
_KEYS: Final = 100_000  # one for each start of an agent; what is said under older ones is refused
# What an agent may have to write before it can say that it started.
_BEFORE_START: Final = frozenset(
    {EventKind.TAIL_REPAIRED, EventKind.AUDIT_HALT, EventKind.AUDIT_RECOVERED, EventKind.SEGMENT_STARTED}
)


class Signatures:
    """Follows a log from its first record on; with authorities, keys must be certified by what they stand behind."""

    def __init__(self, authorities_pem: bytes | None) -> None:
        self._authorities_pem = authorities_pem
        self._key: str | None = None
        self._agents: dict[str, None] = {}
        self._checkpoints = 0
        self._unsigned = 0
        self.origin: str | None = None
        self.keys: dict[bytes, str] = {}
        self.signed_to = 0
        self._uncovered = 0
        self._since_start: int | None = None  # records since a start that no CHECKPOINT follows yet
        self._before_key = 0
        self._announced: set[bytes] = set()

    def note(self, record: Record, line: bytes, before: Frontier) -> Fault | None:
        """Takes the next record, with its line and the tree of all records before it; says what does not fit."""
        fault = self._misfit(record, line, before)
        is_unnamed = self._key is None and self._authorities_pem is not None
        return fault or (Fault.KEY_UNCERTIFIED if is_unnamed and not self._may_precede_key(record) else None)

    def end(self) -> Fault | None:
        """Takes it that no record follows."""
        return Fault.KEY_UNCERTIFIED if self._authorities_pem is not None and not self.keys else None

    def found(self) -> Signed:
        """Sums up."""
        return Signed(
            origin=self.origin,
            checkpoints=self._checkpoints,
            unsigned=self._unsigned,
            signed_to=self.signed_to,
            certified_by=tuple(self._agents),
            authority_checked=self._authorities_pem is not None,
        )

    def _may_precede_key(self, record: Record) -> bool:
        self._before_key += 1
        return record.kind in _BEFORE_START and self._before_key <= _START_GAP

    def _misfit(self, record: Record, line: bytes, before: Frontier) -> Fault | None:
        self._uncovered += 1
        if self._since_start is not None:
            self._since_start += 1
        match record.kind:
            case EventKind.CHECKPOINT:
                return self._checkpoint(parse(line), before)
            case EventKind.AGENT_STARTED:
                fault = self._started(record, parse(line))
            case EventKind.SEGMENT_STARTED | EventKind.AUDIT_RECOVERED:
                fault = self._anchor(record, parse(line), before)
            case _:
                fault = None
        return fault or (Fault.CHECKPOINT_MISSING if self._is_overdue() else None)

    def _is_overdue(self) -> bool:
        since_start = self._since_start or 0
        return self._key is not None and (self._uncovered > _CHECKPOINT_GAP or since_start > _START_GAP)

    def _started(self, record: Record, fields: dict[str, Json]) -> Fault | None:
        self._key = None
        is_first = not self.keys
        # A log that had a key once has one at every start: else whoever rewrites it would leave the key out.
        if "verifier_key" not in fields:
            return None if is_first else Fault.KEY_UNCERTIFIED
        fault = self._take_key(record, fields)
        if fault is None and is_first:
            self._uncovered = 0  # what an agent without keys wrote has no signatures
        return fault or self._announce(str(fields["verifier_key"]))

    def _announce(self, key: str) -> Fault | None:
        """Takes the key of a start; each start makes its own, so whoever repeats one has no key to sign with."""
        digest = hashlib.sha256(key.encode()).digest()
        if digest in self._announced:
            return Fault.KEY_REPEATED
        if len(self._announced) < _KEYS:
            self._announced.add(digest)
        # The count of records without a CHECKPOINT goes on: only a signature ends it.
        self._since_start = 0
        return None

    def _anchor(self, record: Record, fields: dict[str, Json], before: Frontier) -> Fault | None:
        if record.kind == EventKind.AUDIT_RECOVERED and "tree_size" not in fields:
            return None
        if (
            fields.get("tree_size") != before.size
            or fields.get("root_hash") != before.root().hex()
            or fields.get("frontier", []) != [root.hex() for root in before.roots]
            or not self._is_origin(fields.get("origin"))
        ):
            return Fault.SEGMENT_MISMATCH
        if self._key is None and "verifier_key" in fields:  # the boot record is in a segment that is not here
            return self._take_key(record, fields)
        return None

    def _take_key(self, record: Record, fields: dict[str, Json]) -> Fault | None:
        match fields:
            case {"verifier_key": str(key), "certificate": str(certificate), "key_signature": str(signature)}:
                pass
            case _:
                return Fault.KEY_UNCERTIFIED
        try:
            certified = check_certified(
                key, certificate, signature, authorities_pem=self._authorities_pem, at_unix=_unix(record.time)
            )
            parsed = parse_verifier_key(key)
        except (LogKeyError, NoteError, ValueError):
            return Fault.KEY_UNCERTIFIED
        if not self._is_origin(parsed.name):
            return Fault.KEY_UNCERTIFIED
        self._key = key
        if len(self.keys) < _KEYS:
            self.keys.setdefault(parsed.key_id, key)
        self._agents.pop(certified.spiffe_id, None)
        self._agents[certified.spiffe_id] = None
        if len(self._agents) > _AGENTS:
            self._agents.pop(next(iter(self._agents)))
        return None

    def _checkpoint(self, fields: dict[str, Json], before: Frontier) -> Fault | None:
        root = before.root()
        match fields:
            case {"origin": str(origin), "tree_size": int(size), "root_hash": str(digits), "signature": str(signature)}:
                if (size, digits) != (before.size, root.hex()) or not self._is_origin(origin):
                    return Fault.CHECKPOINT_MISMATCH
            case _:
                return Fault.CHECKPOINT_MISMATCH
        if self._key is None:
            self._unsigned += 1
            return None
        self._uncovered, self._since_start = 0, None
        try:
            open_note(note_of(Checkpoint(origin, size, root), signature), self._key)
        except NoteError:
            return Fault.CHECKPOINT_SIGNATURE
        self._checkpoints += 1
        self.signed_to = size
        return None

    def _is_origin(self, origin: object) -> bool:
        """Whether this is the name of the log; the first one that a record says is."""
        if self.origin is None and isinstance(origin, str):
            self.origin = origin
        return origin == self.origin and origin is not None


def begin_later(record: Record, line: bytes) -> tuple[Head, Frontier] | None:
    """Reads where a log begins whose earlier records are not here; None unless its first record can be that.

    What the record says of the tree is only its own word: a signature or a witness has to vouch for it.
    """
    match parse(line):
        case {"tree_size": int(size), "root_hash": str(root), "frontier": list(hashes)}:
            digits = [one for one in hashes if isinstance(one, str) and len(one) == _HASH_DIGITS]
        case _:
            return None
    try:
        frontier = Frontier.of(size, [bytes.fromhex(one) for one in digits])
    except ValueError:
        return None
    if size != record.seq - 1 or len(digits) != len(hashes) or frontier.root().hex() != root:
        return None
    return Head(record.seq - 1, record.prev), frontier


def _unix(time: str) -> float:
    """Reads the time of a record; raises ValueError for one that no calendar has."""
    return datetime.fromisoformat(time).timestamp()
