"""Opens a value that an agent sealed to a key of ours; the format is documented in docs/reveal.md."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

MAX_SEALED: Final = 64 * 1024  # characters; a value of 32 KiB takes 44,164
_DOMAIN: Final = b"leadglass reveal v1"
_BLOCK: Final = 256
_LENGTH: Final = 4


class UnsealingError(Exception):
    """What came does not open with this key as this variable of this process; the text holds nothing of it."""


@dataclass(frozen=True, slots=True, repr=False)
class RevealKey:
    """A private key made for one reveal, never written anywhere."""

    private: X25519PrivateKey

    @property
    def recipient_key(self) -> str:
        """The public key as the request carries it: 32 bytes in base64."""
        return base64.b64encode(self.private.public_key().public_bytes_raw()).decode("ascii")

    def __repr__(self) -> str:
        """Says nothing of the key."""
        return "RevealKey(...)"


def new_key() -> RevealKey:
    """Makes a key for one reveal."""
    return RevealKey(X25519PrivateKey.generate())


def open_sealed(sealed_base64: str, key: RevealKey, *, pid: int, name: str) -> bytes:
    """Gives the value of the variable that was asked for; raises UnsealingError."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = b"\0".join((_DOMAIN, str(pid).encode(), name.encode("utf-8", "surrogateescape")))
    if len(sealed_base64) > MAX_SEALED:
        message = "the sealed value is too large"
        raise UnsealingError(message)
    try:
        padded = suite.decrypt(base64.b64decode(sealed_base64, validate=True), key.private, info=info)
    except (binascii.Error, ValueError, InvalidTag):
        message = "the sealed value does not open with this key, or is not of this variable"
        raise UnsealingError(message) from None
    end = _LENGTH + int.from_bytes(padded[:_LENGTH])
    if not padded or len(padded) % _BLOCK or end > len(padded) or any(padded[end:]):
        message = "the sealed value is not padded as it must be"
        raise UnsealingError(message)
    return padded[_LENGTH:end]
