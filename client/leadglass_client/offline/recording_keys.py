"""Keeps the key of a fetched recording in a file beside it, and opens what was sealed to the auditor."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leadglass_agent.recordings.format import RecordingError, read_header
from leadglass_agent.recordings.keys import RecordingKeyError, open_sealed_key
from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.recordings.format import Header

_WORD: Final = "leadglass-recording-key-v1"
_OPENED, _SEALED = "opened", "sealed-to-auditor"
_MAX_FILE: Final = 16 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_DIFFERENT: Final = "take the recording and the key of the same session, both as `leadglass recording fetch` wrote them"


@dataclass(frozen=True, slots=True, repr=False)
class KeptKey:
    """The key of one recording: the data key itself, or sealed to the auditor's public key."""

    session_id: str
    key: bytes
    is_sealed: bool

    def __repr__(self) -> str:
        """Says nothing of the key."""
        return f"KeptKey({self.session_id})"


def key_file_of(recording: Path) -> Path:
    """Gives the name of the key's file beside a recording's."""
    return recording.with_name(f"{recording.name}.key")


def write_key(path: Path, kept: KeptKey) -> None:
    """Writes a new file that only its owner can read."""
    how = _SEALED if kept.is_sealed else _OPENED
    text = f"{_WORD} {kept.session_id} {how} {base64.b64encode(kept.key).decode('ascii')}\n"
    private_files.create(path, text.encode("ascii"))


def read_key(path: Path) -> KeptKey:
    """Reads such a file; fails if it is none, or if others may read the opened key."""
    text = read_private(path, "the recording's key").decode("ascii", "replace").split()
    match text:
        case [word, session_id, how, encoded] if word == _WORD and how in (_OPENED, _SEALED):
            try:
                return KeptKey(session_id, base64.b64decode(encoded, validate=True), how == _SEALED)
            except (binascii.Error, ValueError):
                pass
        case _:
            pass
    what = f"{path} is no key of a recording"
    raise Failure(ExitCode.USAGE, what, "give the FILE.key that `leadglass recording fetch` wrote")


def read_auditor_key(path: Path) -> X25519PrivateKey:
    """Reads the auditor's private key, X25519 in PEM without a passphrase."""
    try:
        key = load_pem_private_key(read_private(path, "the auditor's key"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PrivateKey):
        what = f"{path} is no X25519 private key in PEM without a passphrase"
        raise Failure(ExitCode.USAGE, what, "make one: openssl genpkey -algorithm x25519 -out auditor.pem")
    return key


def header_of(recording: bytes) -> Header:
    """Reads the clear beginning of a recording; fails if it is none."""
    try:
        return read_header(recording)[0]
    except RecordingError as error:
        raise not_verified(error) from error


def open_key(sealed: bytes, private: X25519PrivateKey, header: Header) -> KeptKey:
    """Opens a sealed key; fails if it was sealed to another one, or belongs to another recording."""
    try:
        return KeptKey(header.session_id, open_sealed_key(sealed, private, header.digest), is_sealed=False)
    except RecordingKeyError as error:
        raise not_verified(error) from error


def not_verified(error: RecordingError | RecordingKeyError) -> Failure:
    """Makes the failure of a recording that is not as it was written, or of a key that does not open it."""
    return Failure(ExitCode.AUDIT_INVALID, f"the recording does not open: {error}", _DIFFERENT)


def read_private(path: Path, what: str) -> bytes:
    """Reads a small file that nobody else may read."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                fault = f"{path} can be read by others"
                raise Failure(ExitCode.USAGE, fault, f"take their rights away: chmod 600 {path}")
            return file.read(_MAX_FILE)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        fault = f"cannot read {what} {path}: {error.strerror}"
        raise Failure(
            code, fault, "fetch it beside the recording: leadglass recording fetch SESSION -O FILE"
        ) from error
