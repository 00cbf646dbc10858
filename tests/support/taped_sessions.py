"""Makes recordings for tests: a recorder over a real folder, sessions and calls to record, and what a reader finds."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leadglass_agent.access.session import Session, SessionBook, SessionState
from leadglass_agent.clock import Instant
from leadglass_agent.policy.model import SessionLimits, SpiffeId
from leadglass_agent.recordings.format import Header, read_header
from leadglass_agent.recordings.keys import MountedKeys, open_sealed_key, unwrap
from leadglass_agent.recordings.reading import RecordReader
from leadglass_agent.recordings.recorder import Recorder, Recording
from leadglass_agent.recordings.records import Called, Ended, Opened, Replied
from leadglass_agent.recordings.tapes import MAX_RECORDING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from leadglass_agent.recordings.archive import Listed
    from leadglass_agent.recordings.keys import WrappingKeys
    from leadglass_agent.recordings.records import Record

CALLER = SpiffeId("spiffe://test.leadglass/user/alice")
NOW = Instant(boot_ns=5_000_000_000, unix_ns=1_800_000_000_000_000_000)
MOUNTED = MountedKeys((bytes(range(32)),))
DAY_NS = 86_400 * 1_000_000_000
_PATIENCE = 60.0  # a test is about something else than a slow disk
_LIMITS = SessionLimits(max_minutes=60, idle_minutes=10, max_open=8, calls_per_minute=60, min_reason_characters=20)


class Stall(tuple[int, str]):  # noqa: SLOT001 - a tuple has no slots that hold anything
    """A place in a list of recordings whose search keeps their thread until it is let go, as a silent disk does."""

    began: threading.Event
    over: threading.Event

    def __new__(cls) -> Self:
        """Makes one."""
        stall = super().__new__(cls, (0, ""))
        stall.began, stall.over = threading.Event(), threading.Event()
        return stall

    def __lt__(self, other: object) -> bool:
        """Waits: a place of ours is compared with each place in the list."""
        self.began.set()
        self.over.wait()
        return False


async def nowhere(_listed: Listed) -> None:
    """Records a change of a recording nowhere."""


def recorder_in(
    folder: Path,
    keys: WrappingKeys = MOUNTED,
    *,
    days: int = 30,
    max_bytes: int = MAX_RECORDING,
    mask: Callable[[str], str] = str,
    seconds: float = _PATIENCE,
    close_seconds: float = _PATIENCE,
) -> Recorder:
    """Gives a recorder over `folder`/recordings."""
    return Recorder(
        Recording(
            path=folder / "recordings",
            keys=keys,
            retention_days=days,
            agent_id="spiffe://test.leadglass/agent",
            version="0",
            mask=mask,
            max_bytes=max_bytes,
            seconds=seconds,
            close_seconds=close_seconds,
        )
    )


def session(
    session_id: str = "session-1", now: Instant = NOW, reason: str = "looking at why orders are slow"
) -> Session:
    """Gives an open session of this id."""
    book = SessionBook(lambda: session_id)
    return book.open(CALLER, "0" * 64, reason, "T-1", None, _LIMITS, now)


def closed(by_caller: Session) -> Session:
    """Gives the session as its caller closes it."""
    return replace(by_caller, state=SessionState.CLOSED, calls=3)


def opened(session_id: str = "session-1") -> Opened:
    """Gives the first record of a session's recording."""
    return Opened(
        time_unix_ns=NOW.unix_ns,
        session_id=session_id,
        caller=CALLER,
        key_digest="0" * 64,
        reason="looking at why orders are slow",
        ticket="T-1",
        expires_unix_ns=NOW.unix_ns + DAY_NS,
        grants=("g1",),
        target=(7, 8),
        peer="10.0.0.1",
        evidence_subject="",
        policy_digest="sha256:0",
        agent_id="spiffe://test.leadglass/agent",
        version="0",
    )


def called(call_id: str = "c1", request: bytes = b"the request") -> Called:
    """Gives a call."""
    return Called(
        call_id=call_id,
        method="/leadglass.v1.InspectService/ListProcesses",
        permission="processes.list",
        widens=("processes.argv",),
        time_unix_ns=NOW.unix_ns,
        policy_digest="sha256:0",
        rules=("all",),
        grants=(),
        standing=None,
        request=request,
    )


def replied(call_id: str = "c1", number: int = 0, message: bytes = b"the reply") -> Replied:
    """Gives one message."""
    return Replied(call_id=call_id, number=number, time_unix_ns=NOW.unix_ns, message=message)


def ended(call_id: str = "c1", refusal: str = "", replies: int = 1) -> Ended:
    """Gives the end of a call."""
    return Ended(
        call_id=call_id,
        time_unix_ns=NOW.unix_ns,
        duration_us=7,
        refusal=refusal,
        public="the policy does not permit this" if refusal else "",
        replies=replies,
        rows=1,
        masked=0,
    )


def data_key_of(folder: Path, session_id: str, keys: MountedKeys | X25519PrivateKey = MOUNTED) -> bytes:
    """Opens the key of a recording with the mounted key or the auditor's private one."""
    wrapped = (folder / "recordings" / f"{session_id}.key").read_bytes()
    digest = header_of(folder, session_id).digest
    if isinstance(keys, MountedKeys):
        return unwrap(wrapped, keys, digest)
    return open_sealed_key(wrapped[-80:], keys, digest)


def header_of(folder: Path, session_id: str) -> Header:
    """Reads the clear part of a recording."""
    return read_header((folder / "recordings" / f"{session_id}.rec").read_bytes())[0]


def reader_of(content: bytes, data_key: bytes) -> RecordReader:
    """Gives a reader over bytes."""
    return RecordReader(io.BytesIO(content).read, data_key)


def records_in(
    folder: Path, session_id: str = "session-1", keys: MountedKeys | X25519PrivateKey = MOUNTED
) -> tuple[list[Record], bool]:
    """Reads a recording, and says whether it is complete."""
    content = (folder / "recordings" / f"{session_id}.rec").read_bytes()
    reader = reader_of(content, data_key_of(folder, session_id, keys))
    return [record for _, record in reader], reader.is_complete


def auditor_pem(private: X25519PrivateKey) -> bytes:
    """Gives the public half in PEM."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
