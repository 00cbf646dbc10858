"""Writes fetched recordings to files, and reads them back into sessions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadglass_agent.recordings.format import RecordingError
from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.recording_keys import (
    KeptKey,
    header_of,
    key_file_of,
    not_verified,
    open_key,
    read_auditor_key,
    read_key,
    write_key,
)
from leadglass_client.replay.recording import read_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from leadglass_client.replay.fetched import Fetched
    from leadglass_client.replay.recording import Recording

_MAX_BYTES: Final = 257 * 1024 * 1024
_WITH_AUDITOR_KEY: Final = "give the auditor's private key: --auditor-key FILE"


def new_recipient() -> X25519PrivateKey:
    """Makes a key to which one recording's key is sealed; it is written nowhere."""
    return X25519PrivateKey.generate()


def opened_key(fetched: Fetched, recipient: X25519PrivateKey, auditor_key: Path | None) -> KeptKey:
    """Gives the key of what was fetched: opened if that can be, else as it was sealed to the auditor."""
    header = header_of(fetched.data)
    if header.session_id != fetched.session_id:
        what = "the agent sent the recording of another session"
        raise Failure(ExitCode.AUDIT_INVALID, what, "compare versions: leadglass self, leadglass --version")
    if not fetched.is_auditors:
        return open_key(fetched.sealed_key, recipient, header)
    if auditor_key is None:
        return KeptKey(header.session_id, fetched.sealed_key, is_sealed=True)
    return open_key(fetched.sealed_key, read_auditor_key(auditor_key), header)


def save(path: Path, data: bytes, kept: KeptKey) -> None:
    """Writes the recording as it is, and its key beside it; nothing is overwritten."""
    key_file = key_file_of(path)
    for one in (path, key_file):
        private_files.require_absent(one)
    private_files.create(path, data)
    write_key(key_file, kept)


def load(path: Path, recording_key: Path | None, auditor_key: Path | None) -> Recording:
    """Reads a recording from a file, with the key beside it unless another is named."""
    header = header_of(_beginning(path))
    kept = read_key(recording_key or key_file_of(path))
    if kept.is_sealed:
        if auditor_key is None:
            raise Failure(ExitCode.USAGE, "the recording's key is sealed to the auditor", _WITH_AUDITOR_KEY)
        kept = open_key(kept.key, read_auditor_key(auditor_key), header)
    try:
        with path.open("rb") as file:
            return _read(file.read, kept)
    except OSError as error:
        raise _cannot_read(path, error) from error


def read_fetched(data: bytes, kept: KeptKey) -> Recording:
    """Reads what was fetched without keeping it."""
    if kept.is_sealed:
        raise Failure(ExitCode.USAGE, "the recording's key is sealed to the auditor", _WITH_AUDITOR_KEY)
    return _read(io.BytesIO(data).read, kept)


def _read(read: Callable[[int], bytes], kept: KeptKey) -> Recording:
    try:
        recording = read_recording(read, kept.key)
    except RecordingError as error:
        raise not_verified(error) from error
    if recording.opened.session_id != kept.session_id:
        what = "the key is of another session than the recording"
        raise Failure(ExitCode.AUDIT_INVALID, what, "take the key that belongs to it")
    return recording


def _beginning(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise Failure(ExitCode.USAGE, f"{path} is larger than a recording can be", "give a recording")
        with path.open("rb") as file:
            return file.read(256)
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: Path, error: OSError) -> Failure:
    code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
    return Failure(code, f"cannot read {path}: {error.strerror}", "see which there are: leadglass recording list")
