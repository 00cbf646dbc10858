"""Opens HPKE ciphertexts (RFC 9180, base mode) from the primitives alone, written after the RFC's own pseudocode."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_KEM = b"KEM" + (0x0020).to_bytes(2)  # DHKEM(X25519, HKDF-SHA256)


def open_reference(
    sealed: bytes, private: X25519PrivateKey, info: bytes, aad: bytes = b"", key_bytes: int = 32
) -> bytes:
    """Opens the encapsulated key with its ciphertext; `key_bytes` chooses between AES-128-GCM and AES-256-GCM."""
    enc, ciphertext = sealed[:32], sealed[32:]
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    prk = _extract(b"", b"eae_prk", shared, _KEM)
    secret = _expand(prk, b"shared_secret", context, 32, _KEM)
    suite = b"HPKE" + (0x0020).to_bytes(2) + (0x0001).to_bytes(2) + (0x0001 if key_bytes == 16 else 0x0002).to_bytes(2)
    schedule = b"\0" + _extract(b"", b"psk_id_hash", b"", suite) + _extract(b"", b"info_hash", info, suite)
    secret = _extract(secret, b"secret", b"", suite)
    key = _expand(secret, b"key", schedule, key_bytes, suite)
    nonce = _expand(secret, b"base_nonce", schedule, 12, suite)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def _extract(salt: bytes, label: bytes, material: bytes, suite: bytes) -> bytes:
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + material)
    return mac.finalize()


def _expand(prk: bytes, label: bytes, info: bytes, length: int, suite: bytes) -> bytes:
    labelled = length.to_bytes(2) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, labelled).derive(prk)
