"""Runs an agent that records sessions, and reads its recordings over the wire as an auditor does."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadglass.v1 import audit_pb2
from leadglass_agent.recordings.format import read_header
from leadglass_agent.recordings.keys import open_sealed_key
from running_agent import CALL_SECONDS, OPEN_POLICY, prepare, running_agent
from taped_sessions import auditor_pem, reader_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.recordings.records import Record
    from running_agent import Caller, RunningAgent

WHY = "the case is closed and the customer asked for it"


@dataclass(frozen=True, slots=True)
class Read:
    """A recording as it came over the wire, its sealed key, and who opens that."""

    content: bytes
    sealed_key: bytes
    holder: audit_pb2.RecordingKeyHolder.ValueType


@contextmanager
def recording_agent(
    folder: Path,
    policy: str = OPEN_POLICY,
    *,
    auditor: X25519PrivateKey | None = None,
    recordings: Path | None = None,
    more: str = "",
) -> Iterator[RunningAgent]:
    """Runs an agent that records under a mounted key, or to the auditor's public key; `more` ends its configuration."""
    lines = _configured(folder, recordings or folder / "recordings", auditor)
    with running_agent(folder, policy, rewrite=lambda config: config + lines + more) as agent:
        yield agent


def prepare_recording(folder: Path) -> None:
    """Writes all that an agent needs which records under a mounted key, and starts none."""
    config = prepare(folder)
    with config.open("a", encoding="utf-8") as file:
        file.write(_configured(folder, folder / "recordings", None))


def _configured(folder: Path, recordings: Path, auditor: X25519PrivateKey | None) -> str:
    """Writes a key file and gives the lines of the configuration that name it."""
    key = folder / "recordings.key"
    key.write_bytes(os.urandom(32) if auditor is None else auditor_pem(auditor))
    name = "key" if auditor is None else "auditorKey"
    return f"  recordings: {{path: {recordings}, {name}: {key}}}\n"


def read_recording(caller: Caller, session_id: str, public_key: bytes = b"") -> Read:
    """Reads a recording over the wire; raises what gRPC raises for a refusal."""
    request = audit_pb2.ReadRecordingRequest(session_id=session_id, public_key=public_key)
    parts = list(caller.audit.ReadRecording(request, timeout=6 * CALL_SECONDS))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    content = b"".join(base64.b64decode(part.data, validate=True) for part in parts)
    return Read(content, base64.b64decode(parts[0].sealed_key, validate=True), parts[0].key_holder)


def opened(read: Read, private: X25519PrivateKey) -> tuple[list[Record], bool]:
    """Opens a recording with the private half of a key; gives its records, and whether it is complete."""
    data_key = open_sealed_key(read.sealed_key, private, read_header(read.content)[0].digest)
    reader = reader_of(read.content, data_key)
    return [record for _, record in reader], reader.is_complete


def records_of(caller: Caller, session_id: str) -> tuple[list[Record], bool]:
    """Reads and opens a recording with a key made for it."""
    private = X25519PrivateKey.generate()
    read = read_recording(caller, session_id, private.public_key().public_bytes_raw())
    assert read.holder == audit_pb2.RECORDING_KEY_HOLDER_CALLER
    return opened(read, private)
