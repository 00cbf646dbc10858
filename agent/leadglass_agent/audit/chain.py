"""The hash chain: makes the next line of a log, reads a line back, and says whether it follows the one before."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.canonical import NotCanonical, NotJson, canonical, parse
from leadglass_agent.audit.record import RECORD_BYTES, body

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant

VERSION: Final = 1
_TAG: Final = b"leadglass.dev/audit/record/v1\n"  # no other hash of the product covers the same bytes
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_KIND: Final = re.compile(r"[A-Z_]{1,32}")
# More than a log ever reaches: at ten thousand records a second it has 900 years. What counts on has room above.
MAX_SEQ: Final = 2**48
_MAX_BOOT_NS: Final = 2**63


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: number and hash of its last record."""

    seq: int
    digest: str


GENESIS: Final = Head(0, "0" * 64)


class Fault(StrEnum):
    """Why a line, or the log, does not fit."""

    TOO_LONG = "TOO_LONG"
    BAD_JSON = "BAD_JSON"
    NOT_CANONICAL = "NOT_CANONICAL"
    BAD_FIELDS = "BAD_FIELDS"
    HASH_MISMATCH = "HASH_MISMATCH"
    SEQ_GAP = "SEQ_GAP"
    PREV_MISMATCH = "PREV_MISMATCH"
    TORN_TAIL = "TORN_TAIL"
    EMPTY = "EMPTY"
    HEAD_MISSING = "HEAD_MISSING"
    CHECKPOINT_MISMATCH = "CHECKPOINT_MISMATCH"
    CHECKPOINT_MISSING = "CHECKPOINT_MISSING"
    CHECKPOINT_SIGNATURE = "CHECKPOINT_SIGNATURE"
    KEY_UNCERTIFIED = "KEY_UNCERTIFIED"
    KEY_REPEATED = "KEY_REPEATED"
    SEGMENT_MISMATCH = "SEGMENT_MISMATCH"
    SEGMENT_MISSING = "SEGMENT_MISSING"
    RECORDS_LOST = "RECORDS_LOST"
    FRONTIER_UNVOUCHED = "FRONTIER_UNVOUCHED"
    WITNESS_MISMATCH = "WITNESS_MISMATCH"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    TAIL_CUT = "TAIL_CUT"
    FORK = "FORK"
    RECEIPT_INVALID = "RECEIPT_INVALID"


@dataclass(frozen=True, slots=True)
class Record:
    """What the chain needs of a record that was read back."""

    seq: int
    time: str
    kind: str
    call_id: str | None
    prev: str
    digest: str
    boot_ns: int = 0
    boot_id: str = ""

    @property
    def head(self) -> Head:
        """The chain's head if this is its last record."""
        return Head(self.seq, self.digest)


def append(head: Head, event: Event, instant: Instant) -> tuple[bytes, Head]:
    """Returns the line (with its newline) that records the event after `head`, and the new head.

    Raises ValueError if it would be longer, or its number larger, than what a reader takes.
    """
    if head.seq >= MAX_SEQ:
        message = f"a log ends at record {MAX_SEQ}"
        raise ValueError(message)
    fields = body(event)
    fields["v"] = VERSION
    fields["seq"] = head.seq + 1
    fields["time"] = _rfc3339(instant.unix_ns)
    fields["boot_ns"] = instant.boot_ns
    if instant.boot_id:
        fields["boot_id"] = instant.boot_id
    fields["prev"] = head.digest
    # Keys are sorted, so the hash has its place between two halves: the rest need not be written twice.
    left = canonical({name: value for name, value in fields.items() if name < "hash"})[:-1]
    right = canonical({name: value for name, value in fields.items() if name > "hash"})[1:]
    digest = _digest(left + b"," + right)
    line = b'%b,"hash":"%b",%b\n' % (left, digest.encode("ascii"), right)
    if len(line) > RECORD_BYTES:
        message = f"a record of {len(line)} bytes is longer than {RECORD_BYTES}"
        raise ValueError(message)
    return line, Head(head.seq + 1, digest)


def read_line(line: bytes) -> Record | Fault:
    """Reads one line (without its newline) strictly: it must be the canonical text of a record whose hash is right."""
    if len(line) >= RECORD_BYTES:
        return Fault.TOO_LONG
    try:
        fields = parse(line)
    except NotJson:
        return Fault.BAD_JSON
    except NotCanonical:
        return Fault.NOT_CANONICAL
    record = _envelope(fields)
    if record is None:
        return Fault.BAD_FIELDS
    if _digest(_without_hash(line, fields, record.digest)) != record.digest:
        return Fault.HASH_MISMATCH
    return record


def follows(head: Head, record: Record) -> Fault | None:
    """Says why the record is not the next one after `head`, or None if it is."""
    if record.seq != head.seq + 1:
        return Fault.SEQ_GAP
    if record.prev != head.digest:
        return Fault.PREV_MISMATCH
    return None


def _envelope(fields: dict[str, Json]) -> Record | None:
    match fields:
        case {
            "v": int(version),
            "seq": int(seq),
            "time": str(time),
            "boot_ns": int(boot_ns),
            "kind": str(kind),
            "prev": str(prev),
            "hash": str(digest),
        }:
            call_id = fields.get("call_id")
            boot_id = fields.get("boot_id", "")
        case _:
            return None
    if (
        bool in {type(version), type(seq), type(boot_ns)}
        or (version != VERSION or not 1 <= seq <= MAX_SEQ or not 0 <= boot_ns <= _MAX_BOOT_NS)
        or not (_TIME.fullmatch(time) and _KIND.fullmatch(kind))
        or not (_DIGEST.fullmatch(prev) and _DIGEST.fullmatch(digest))
        or not (call_id is None or isinstance(call_id, str))
        or not isinstance(boot_id, str)
    ):
        return None
    return Record(
        seq=seq,
        time=time,
        kind=kind,
        call_id=call_id,
        prev=prev,
        digest=digest,
        boot_ns=boot_ns,
        boot_id=boot_id,
    )


def _without_hash(line: bytes, fields: dict[str, Json], digest: str) -> bytes:
    """Returns the bytes that the hash covers: the canonical text without the hash itself."""
    member = f',"hash":"{digest}"'.encode("ascii")
    if line.count(member) == 1:  # the usual case, and four times as fast as writing the JSON again
        return line.replace(member, b"")
    return canonical({name: value for name, value in fields.items() if name != "hash"})


def _digest(covered: bytes) -> str:
    return hashlib.sha256(_TAG + covered).hexdigest()


def _rfc3339(unix_ns: int) -> str:
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
