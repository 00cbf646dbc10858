"""Signed states of the log: a C2SP tlog-checkpoint as the text of a C2SP signed note, with one Ed25519 signature.

Formats: https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from leadglass_agent.audit.tree import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ALGORITHM: Final = b"\x01"  # signed-note: Ed25519
_KEY_ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_NOTE_BYTES: Final = 4_096
_MAX_SIGNATURES: Final = 16
_MAX_KEY_TEXT: Final = 1_024
_MAX_SIZE: Final = 2**63 - 1
_DASH: Final = "\u2014 "  # an em dash: what begins a signature line
# signed-note: a name has no spaces and no plus; it has no control characters either, as nothing in a note has.
_NAME: Final = re.compile(r"[^\s+\x00-\x20\x7f-\x9f\ud800-\udfff]{1,512}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_KEY: Final = re.compile(r"(?P<name>[^+]+)\+(?P<key_id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)", re.ASCII)


class NoteFault(StrEnum):
    """Why a note, a checkpoint or a key is not as it must be; the texts quote nothing of it."""

    NOT_UTF8 = "the note is not UTF-8"
    TOO_LONG = "the note is longer than 4 KiB"
    SIGNATURES = "the note has no signature, or more than 16"
    UNSIGNED = "the note has no signature"
    SIGNATURE_MISMATCH = "the note's signature is not right"
    OTHER_LOG = "the note is of another log than its key"
    BAD_KEY = "the verifier key is not of the form NAME+ID+KEY"
    KEY_KIND = "the verifier key is not one of Ed25519"
    KEY_ID_MISMATCH = "the verifier key has not the id of its name and key"
    BAD_CHECKPOINT = "the checkpoint has not exactly three lines"
    BAD_ORIGIN = "the checkpoint's origin is no name"
    BAD_SIZE = "the checkpoint's size is no number"
    BAD_ROOT = "the checkpoint's root is no SHA-256"
    NO_END = "the note does not end in a line break"
    BAD_SIGNATURE_LINE = "the note has a line that is no signature"
    SHORT_SIGNATURE = "a signature is too short"
    NOT_SIGNED_ONCE = "the note is not signed once by this key"
    BAD_BASE64 = "something in base64 is damaged, or not in the usual form"


class NoteError(Exception):
    """A note, a checkpoint or a key that is not as it must be."""

    def __init__(self, fault: NoteFault) -> None:
        super().__init__(fault.value)
        self.fault: Final = fault


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: whose it is, how many records it has, and the root over them."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that signs notes, and the name that it signs them in."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey


class LogSigner:
    """Signs the states of one log with one key."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        """Takes the log's name; raises ValueError if it cannot be the name of a key."""
        if not _NAME.fullmatch(origin):
            message = "the log's origin is empty, too long, or has a space or a plus in it"
            raise ValueError(message)
        self.origin: Final = origin
        self._key = key
        public_key = key.public_key().public_bytes_raw()
        self._key_id = _key_id(origin, public_key)
        encoded = _encode(_ALGORITHM + public_key)
        self.verifier_key: Final = f"{origin}+{self._key_id.hex()}+{encoded}"

    def __repr__(self) -> str:
        """Names the public key alone."""
        return f"LogSigner({self.verifier_key})"

    def signature(self, checkpoint: Checkpoint) -> str:
        """Signs a state of this log; raises ValueError for one of another."""
        if checkpoint.origin != self.origin:
            message = "the checkpoint is of another log"
            raise ValueError(message)
        return _encode(self._key_id + self._key.sign(body(checkpoint).encode()))

    def sign(self, checkpoint: Checkpoint) -> str:
        """Gives the whole note."""
        return note_of(checkpoint, self.signature(checkpoint))


def body(checkpoint: Checkpoint) -> str:
    """Gives the text that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{_encode(checkpoint.root)}\n"


def note_of(checkpoint: Checkpoint, signature_base64: str) -> str:
    """Gives the note of a signature that was made or read elsewhere."""
    return f"{body(checkpoint)}\n{_DASH}{checkpoint.origin} {signature_base64}\n"


def open_note(note: str, verifier_key: str) -> Checkpoint:
    """Reads a note that this key signed, and no other; raises NoteError.

    Signatures of other keys (witnesses, say) are let through unread, up to 16 in all.
    """
    key = parse_verifier_key(verifier_key)
    try:
        size = len(note.encode())
    except UnicodeEncodeError:
        raise NoteError(NoteFault.NOT_UTF8) from None
    if size > _MAX_NOTE_BYTES:
        raise NoteError(NoteFault.TOO_LONG)
    text, divider, signatures = note.partition("\n\n")
    if not divider:
        raise NoteError(NoteFault.UNSIGNED)
    text += "\n"
    signature = _signature_of(key, signatures)
    try:
        key.public_key.verify(signature, text.encode())
    except InvalidSignature:
        raise NoteError(NoteFault.SIGNATURE_MISMATCH) from None
    checkpoint = _parse_body(text)
    if checkpoint.origin != key.name:
        raise NoteError(NoteFault.OTHER_LOG)
    return checkpoint


def parse_verifier_key(text: str) -> VerifierKey:
    """Reads a key in the form NAME+ID+KEY; raises NoteError."""
    found = _KEY.fullmatch(text) if len(text) <= _MAX_KEY_TEXT else None
    if found is None or not _NAME.fullmatch(found["name"]):
        raise NoteError(NoteFault.BAD_KEY)
    raw = _decode(found["key"])
    if len(raw) != 1 + _KEY_BYTES or raw[:1] != _ALGORITHM:
        raise NoteError(NoteFault.KEY_KIND)
    key_id = _key_id(found["name"], raw[1:])
    if key_id.hex() != found["key_id"]:
        raise NoteError(NoteFault.KEY_ID_MISMATCH)
    return VerifierKey(found["name"], key_id, Ed25519PublicKey.from_public_bytes(raw[1:]))


def _parse_body(text: str) -> Checkpoint:
    lines = text.split("\n")
    # Three lines and what follows the last newline. Lines of extensions are not for this log: its signer writes none.
    if len(lines) != 4 or lines[3]:  # noqa: PLR2004 - the format itself
        raise NoteError(NoteFault.BAD_CHECKPOINT)
    origin, size, root = lines[:3]
    if not _NAME.fullmatch(origin):
        raise NoteError(NoteFault.BAD_ORIGIN)
    if not _SIZE.fullmatch(size) or int(size) > _MAX_SIZE:
        raise NoteError(NoteFault.BAD_SIZE)
    digest = _decode(root)
    if len(digest) != HASH_BYTES:
        raise NoteError(NoteFault.BAD_ROOT)
    return Checkpoint(origin, int(size), digest)


def _signature_of(key: VerifierKey, signatures: str) -> bytes:
    """Finds the one signature of the key among the lines, all of which must be signature lines."""
    lines = signatures.split("\n")
    if lines.pop():
        raise NoteError(NoteFault.NO_END)
    if not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise NoteError(NoteFault.SIGNATURES)
    found: list[bytes] = []
    for line in lines:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not _NAME.fullmatch(name):
            raise NoteError(NoteFault.BAD_SIGNATURE_LINE)
        raw = _decode(encoded)
        if len(raw) <= _KEY_ID_BYTES:
            raise NoteError(NoteFault.SHORT_SIGNATURE)
        if name == key.name and raw[:_KEY_ID_BYTES] == key.key_id:
            found.append(raw[_KEY_ID_BYTES:])
    if len(found) != 1 or len(found[0]) != _SIGNATURE_BYTES:
        raise NoteError(NoteFault.NOT_SIGNED_ONCE)
    return found[0]


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ALGORITHM + public_key).digest()[:_KEY_ID_BYTES]


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: str) -> bytes:
    """Decodes standard base64 of the one form that encoding gives."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(NoteFault.BAD_BASE64) from None
    if _encode(raw) != text:
        raise NoteError(NoteFault.BAD_BASE64)
    return raw
