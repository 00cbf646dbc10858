"""An OIDC provider for tests: keys of every kind, the key set that it publishes, and tokens signed by hand.

It uses no JOSE library, so that the one of the agent is held against the formats as their RFCs write them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from leadglass_agent.policy.model import EvidenceSource

if TYPE_CHECKING:
    from collections.abc import Mapping

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

NOW = 1_800_000_000
ISSUER = "https://login.example.org"
AUDIENCE = "leadglass"
NONCE = "n" * 43
SOURCE = EvidenceSource(ISSUER, "/etc/leadglass/jwks.json", AUDIENCE, frozenset({"RS256", "PS256", "ES256", "EdDSA"}))
CLAIMS: Mapping[str, object] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "person-1",
    "nonce": NONCE,
    "iat": NOW - 5,
    "exp": NOW + 300,
    "auth_time": NOW - 30,
    "amr": ["pwd", "mfa"],
    "acr": "gold",
}
KEY_OF = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}


@cache
def keys() -> Mapping[str, Key]:
    """Makes the provider's keys by their ids."""
    return {
        "rsa": rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def b64(data: bytes) -> str:
    """Writes base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    """Writes a number as RFC 7518 does, in at least `size` bytes."""
    return b64(value.to_bytes(max(size, (value.bit_length() + 7) // 8)))


def jwk(key: Key, key_id: str, **more: object) -> dict[str, object]:
    """Writes the public half of a key."""
    members: dict[str, object]
    match key:
        case rsa.RSAPrivateKey():
            public = key.public_key().public_numbers()
            members = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        case ec.EllipticCurvePrivateKey():
            point = key.public_key().public_numbers()
            members = {"kty": "EC", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)}
        case _:
            members = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    return members | {"kid": key_id, "use": "sig"} | more


def jwks(*listed: Mapping[str, object]) -> bytes:
    """Writes a key set of these keys, or of the provider's own."""
    return json.dumps({"keys": listed or [jwk(key, key_id) for key_id, key in keys().items()]}).encode()


def sign(key: Key, algorithm: str, data: bytes) -> bytes:
    """Signs as RFC 7518 and RFC 8037 say."""
    match key:
        case rsa.RSAPrivateKey() if algorithm == "PS256":
            return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        case rsa.RSAPrivateKey():
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case _:
            return key.sign(data)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token is made of; `payload` overrides the claims, byte by byte."""

    algorithm: str = "ES256"
    key_id: str = ""
    claims: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    header: Mapping[str, object] = field(default_factory=dict)
    payload: bytes | None = None
    key: Key | None = None

    def text(self) -> str:
        """Signs it."""
        key_id = self.key_id or KEY_OF[self.algorithm]
        header = {"alg": self.algorithm, "kid": key_id, "typ": "JWT"} | dict(self.header)
        claims = {name: value for name, value in {**CLAIMS, **self.claims}.items() if name not in self.without}
        payload = json.dumps(claims).encode() if self.payload is None else self.payload
        signed = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
        key = self.key or keys()[KEY_OF[self.algorithm]]
        return f"{signed}.{b64(sign(key, self.algorithm, signed.encode()))}"
