"""Checks what an agent gives as evidence: signed checkpoints (C2SP signed-note) and audit paths (RFC 6962)."""

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

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BYTES: Final = 32
_ALGORITHM: Final = b"\x01"  # signed-note: Ed25519
_KEY_ID_BYTES: Final = 4
_MAX_NOTE: Final = 4_096
_MAX_KEY: Final = 640
_MAX_HASHES: Final = 64
_NAME: Final = r"[^\s+\x00-\x20\x7f-\x9f]{1,512}"
_SIZE: Final = r"[1-9][0-9]{0,18}"
_BASE64: Final = r"[A-Za-z0-9+/]+={0,2}"
_KEY: Final = re.compile(rf"(?P<name>{_NAME})\+(?P<id>[0-9a-f]{{8}})\+(?P<key>{_BASE64})", re.ASCII)
# One signature, and no line of an extension: an agent writes neither more nor other lines.
_NOTE: Final = re.compile(
    rf"(?P<body>(?P<origin>{_NAME})\n(?P<size>{_SIZE})\n(?P<root>{_BASE64})\n)"
    rf"\n\u2014 (?P<name>{_NAME}) (?P<signature>{_BASE64})\n"
)


class NoteFault(StrEnum):
    """Why something proves nothing, in words that quote nothing of it."""

    TOO_LONG = "it is too long"
    UNREADABLE = "it cannot be read"
    NO_NOTE = "it is no signed checkpoint"
    BAD_KEY = "its key is none of an audit log"
    NOT_OURS = "it is not signed in the name of its log by the key beside it"
    BAD_SIGNATURE = "its signature is not right"
    BAD_ROOT = "its root is no SHA-256"
    BAD_BASE64 = "it holds what is no base64, or one of an unusual form"
    NOT_INCLUDED = "the call's record is not in the log that it signs"


class NoteError(Exception):
    """A note or a key that proves nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: whose it is, how many records it has, and the root over them."""

    origin: str
    size: int
    root: bytes


def open_note(note: str, verifier_key: str) -> Checkpoint:
    """Reads a checkpoint that this key signed, in its own name; raises NoteError."""
    key = _KEY.fullmatch(verifier_key) if len(verifier_key) <= _MAX_KEY else None
    found = _NOTE.fullmatch(note) if len(note) <= _MAX_NOTE else None
    if key is None or found is None:
        raise NoteError(NoteFault.NO_NOTE)
    public = _decode(key["key"])
    key_id = hashlib.sha256(f"{key['name']}\n".encode() + public).digest()[:_KEY_ID_BYTES]
    signature = _decode(found["signature"])
    if len(public) != 1 + HASH_BYTES or public[:1] != _ALGORITHM or key_id.hex() != key["id"]:
        raise NoteError(NoteFault.BAD_KEY)
    if signature[:_KEY_ID_BYTES] != key_id or not found["origin"] == found["name"] == key["name"]:
        raise NoteError(NoteFault.NOT_OURS)
    try:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[_KEY_ID_BYTES:], found["body"].encode())
    except InvalidSignature:
        raise NoteError(NoteFault.BAD_SIGNATURE) from None
    root = _decode(found["root"])
    if len(root) != HASH_BYTES:
        raise NoteError(NoteFault.BAD_ROOT)
    return Checkpoint(found["origin"], int(found["size"]), root)


def is_included(leaf: bytes, seq: int, hashes: Sequence[bytes], checkpoint: Checkpoint) -> bool:
    """Says whether the audit path leads from record `seq` to the checkpoint's root (RFC 9162, section 2.1.3.2)."""
    if not 1 <= seq <= checkpoint.size or len(hashes) > _MAX_HASHES:
        return False
    if any(len(one) != HASH_BYTES for one in (leaf, *hashes)):
        return False
    at, last, found = seq - 1, checkpoint.size - 1, leaf
    for beside in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hashlib.sha256(b"\x01" + beside + found).digest()
            while not at & 1 and at:  # a last node without a neighbour rises as it is
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + beside).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and found == checkpoint.root


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(NoteFault.BAD_BASE64) from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise NoteError(NoteFault.BAD_BASE64)
    return raw
