"""Seals one value to one public key, so that nobody between reader and caller holds more than its ciphertext.

HPKE of RFC 9180 in base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, no associated data.
The result is the 32 bytes of the encapsulated key and the ciphertext with its tag. `info` is the text
`leadglass reveal v1`, the pid in decimal and the variable's name, joined by NUL. The plaintext is the value's length
in 4 bytes, the most significant first, the value, and as many zero bytes as make the whole a multiple of 256: so the
length of what is sealed tells the value's length to 256 bytes and no closer.

It is imported by the process that seals and by no other of the agent: cryptography takes 25 MB.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from leadglass_agent.errors import InvalidRequest

RECIPIENT_KEY_BYTES: Final = 32
_DOMAIN: Final = b"leadglass reveal v1"
_BLOCK: Final = 256
_LENGTH: Final = 4


def seal(value: bytes, recipient_key: bytes, pid: int, name: bytes) -> bytes:
    """Gives the encapsulated key and the ciphertext; raises InvalidRequest on what is no X25519 public key."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    try:
        key = X25519PublicKey.from_public_bytes(recipient_key)
        return suite.encrypt(padded(value), key, info=info(pid, name))
    except ValueError:
        # A point of small order, too: everybody could open what is sealed to it.
        message = "the recipient's key is no X25519 public key"
        raise InvalidRequest(message) from None


def info(pid: int, name: bytes) -> bytes:
    """Gives what binds a sealed value to its place: another variable's opens under no other name or number."""
    return b"\0".join((_DOMAIN, str(pid).encode(), name))


def padded(value: bytes) -> bytes:
    """Gives length, value and zeros, a multiple of 256 bytes."""
    plain = len(value).to_bytes(_LENGTH) + value
    return plain + bytes(-len(plain) % _BLOCK)
