"""Wraps the key of a recording: under keys that the agent was given, or sealed to the auditor's public key.

In a file it is a magic, the mode in one byte, eight bytes that tell the wrapping key, and the wrapped key: for mounted
keys a nonce and AES-256-GCM, for the auditor HPKE of RFC 9180 in base mode (DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
AES-256-GCM), the encapsulated key first. All is bound to the recording's header, so that no key fits another one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from leadglass_agent.recordings.format import DATA_KEY_BYTES, TAG_BYTES

MAX_KEYS: Final = 8
MAX_KEY_FILE: Final = 4 * 1024  # PEM of an X25519 public key takes 113 bytes
WRAPPED_BYTES: Final = 97  # the longer of the two
SEALED_KEY_BYTES: Final = 80

_MAGIC: Final = b"LGKEY\0\1\n"
_MOUNTED, _AUDITOR = 1, 2
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_BODY_AT: Final = len(_MAGIC) + 1 + _ID_BYTES
KEY_HEAD_BYTES: Final = len(_MAGIC) + 1  # tell what a file is, and stay until it is removed
_WRAP_DOMAIN: Final = b"leadglass recording wrap v1\0"
_ID_DOMAIN: Final = b"leadglass recording key id v1\0"
_SEAL_DOMAIN: Final = b"leadglass recording v1\0"


class RecordingKeyError(Exception):
    """A key that is none, or that does not open what it was asked to open; the text holds nothing of it."""


@dataclass(frozen=True, slots=True, repr=False)
class MountedKeys:
    """Keys of 32 bytes that the agent holds: the first wraps, and all open, so that a new one can be put in front."""

    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Shows no key."""
        return f"MountedKeys({len(self.keys)})"


@dataclass(frozen=True, slots=True)
class AuditorKey:
    """The auditor's X25519 public key: what is sealed to it, the agent itself cannot open again."""

    public: bytes


WrappingKeys: TypeAlias = MountedKeys | AuditorKey


def parse_mounted(content: bytes) -> MountedKeys:
    """Reads a file of 1 to 8 keys of 32 bytes, one behind the other; raises RecordingKeyError."""
    count, rest = divmod(len(content), DATA_KEY_BYTES)
    keys = tuple(content[at * DATA_KEY_BYTES : (at + 1) * DATA_KEY_BYTES] for at in range(count))
    if rest or not 1 <= count <= MAX_KEYS or len(set(keys)) < count or any(len(set(key)) == 1 for key in keys):
        message = "it is not 1 to 8 different keys of 32 random bytes"
        raise RecordingKeyError(message)
    return MountedKeys(keys)


def parse_auditor(content: bytes) -> AuditorKey:
    """Reads the PEM of an X25519 public key; raises RecordingKeyError."""
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PublicKey):
        message = "it is no X25519 public key in PEM"
        raise RecordingKeyError(message)
    public = key.public_bytes_raw()
    seal(bytes(DATA_KEY_BYTES), public, b"")  # a point of small order shows itself only here
    return AuditorKey(public)


def wrap(data_key: bytes, keys: WrappingKeys, header_digest: bytes) -> bytes:
    """Gives the content of the key's file."""
    if isinstance(keys, AuditorKey):
        return b"".join((_MAGIC, _AUDITOR.to_bytes(), _id(keys.public), seal(data_key, keys.public, header_digest)))
    nonce = os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(keys.keys[0]).encrypt(nonce, data_key, _WRAP_DOMAIN + header_digest)
    return b"".join((_MAGIC, _MOUNTED.to_bytes(), _id(keys.keys[0]), nonce, wrapped))


def is_wrapped(content: bytes) -> bool:
    """Says whether this is the content of a key's file, be its key destroyed or not."""
    mounted_bytes = _BODY_AT + _NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES
    return any(
        content.startswith(_MAGIC + mode.to_bytes()) and len(content) == size
        for mode, size in ((_MOUNTED, mounted_bytes), (_AUDITOR, _BODY_AT + SEALED_KEY_BYTES))
    )


def unwrap(content: bytes, keys: MountedKeys, header_digest: bytes) -> bytes:
    """Gives the data key of a key's file; raises RecordingKeyError unless one of the mounted keys opens it."""
    body = content[_BODY_AT:]
    if content.startswith(_MAGIC + _MOUNTED.to_bytes()) and len(body) == _NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES:
        for key in keys.keys:
            if _id(key) == content[_BODY_AT - _ID_BYTES : _BODY_AT]:
                try:
                    return AESGCM(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _WRAP_DOMAIN + header_digest)
                except InvalidTag:
                    break
    message = "no mounted key opens the recording's key"
    raise RecordingKeyError(message)


def sealed_to_auditor(content: bytes) -> bytes | None:
    """Gives the sealed key of a key's file as it was sealed to an auditor; None for a file of the other mode."""
    if content.startswith(_MAGIC + _AUDITOR.to_bytes()) and len(content) == _BODY_AT + SEALED_KEY_BYTES:
        return content[_BODY_AT:]
    return None


def seal(data_key: bytes, public_key: bytes, header_digest: bytes) -> bytes:
    """Seals a data key to an X25519 public key; raises RecordingKeyError on what is none, or of small order."""
    try:
        return _suite().encrypt(
            data_key, X25519PublicKey.from_public_bytes(public_key), info=_SEAL_DOMAIN + header_digest
        )
    except ValueError:
        message = "it is no X25519 public key"
        raise RecordingKeyError(message) from None


def open_sealed_key(sealed: bytes, private_key: X25519PrivateKey, header_digest: bytes) -> bytes:
    """Gives the data key that was sealed to a private key's public half; raises RecordingKeyError."""
    try:
        data_key = _suite().decrypt(sealed, private_key, info=_SEAL_DOMAIN + header_digest)
    except (ValueError, InvalidTag):
        data_key = b""
    if len(data_key) != DATA_KEY_BYTES:
        message = "the recording's key is sealed to another key, or belongs to another recording"
        raise RecordingKeyError(message)
    return data_key


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _id(key: bytes) -> bytes:
    return hashlib.sha256(_ID_DOMAIN + key).digest()[:_ID_BYTES]
