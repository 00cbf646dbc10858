"""Who calls: one SPIFFE id from a certificate that is valid now, on a connection that proved it now.

It runs on every call and not at the handshake alone, for measured reasons: open connections outlive their certificate,
and a resumed TLS session let an expired certificate in on a new connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from leadglass_agent.errors import CertificateExpired, IdentityRefused
from leadglass_agent.policy.model import SpiffeId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# SPIFFE-ID standard, section 2: at most 2,048 bytes; trust domain and path segments of these characters, no dot
# segments, no query, no fragment, no percent-encoding.
_SPIFFE_ID = re.compile(
    r"spiffe://(?P<domain>[a-z0-9._-]{1,255})(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,255}){1,32})",
)
_MAX_SPIFFE_ID = 2_048
_MAX_CERTIFICATE = 32 * 1024
# All that cryptography raises for a certificate that is damaged or of a kind that it does not know.
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose certificate was accepted for this call; key_digest is the hex SHA-256 of its public key (SPKI)."""

    spiffe_id: SpiffeId
    key_digest: str
    serial: str
    not_after_unix: int
    peer: str


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What one certificate says, parsed once."""

    spiffe_id: str
    key_digest: str
    serial: str
    not_before_unix: int
    not_after_unix: int


def authenticate(auth: Mapping[str, Iterable[bytes]], peer: str, trust_domain: str, now_unix: float) -> Caller:
    """Decides who calls, from gRPC's authentication context; raises IdentityRefused or CertificateExpired.

    `auth` is what `ServicerContext.auth_context()` gives, `peer` its address, `now_unix` seconds since 1970.
    """
    if _only(auth, "transport_security_type") != b"ssl":
        detail = "the connection is not TLS"
        raise IdentityRefused(detail)
    if _only(auth, "ssl_tls_version") != b"TLSv1.3":
        detail = "the connection is not TLS 1.3"
        raise IdentityRefused(detail)
    if _only(auth, "ssl_session_reused") != b"false":
        detail = "the TLS session was resumed: its certificate was not checked again"
        raise IdentityRefused(detail)
    pem = _only(auth, "x509_pem_cert")
    if len(pem) > _MAX_CERTIFICATE:
        detail = "the certificate is larger than 32 KiB"
        raise IdentityRefused(detail)
    certificate = _parse(pem)
    if certificate is None:
        detail = "the certificate is not a client certificate with exactly one SPIFFE id"
        raise IdentityRefused(detail)
    if certificate.spiffe_id.encode() != _only(auth, "peer_spiffe_id"):
        detail = "TLS library and parser disagree on the SPIFFE id"
        raise IdentityRefused(detail)
    if not _in_domain(certificate.spiffe_id, trust_domain):
        detail = "the SPIFFE id is malformed or of another trust domain"
        raise IdentityRefused(detail)
    if not certificate.not_before_unix <= now_unix < certificate.not_after_unix:
        detail = "the certificate is outside its validity"
        raise CertificateExpired(detail)
    return Caller(
        spiffe_id=SpiffeId(certificate.spiffe_id),
        key_digest=certificate.key_digest,
        serial=certificate.serial,
        not_after_unix=certificate.not_after_unix,
        peer=peer,
    )


def _only(auth: Mapping[str, Iterable[bytes]], key: str) -> bytes:
    """Reads the one value of a property; none or several is a refusal."""
    values = tuple(auth.get(key, ()))
    if len(values) != 1:
        message = f"the connection has {len(values)} values for {key}"
        raise IdentityRefused(message)
    return values[0]


def _in_domain(spiffe_id: str, trust_domain: str) -> bool:
    match = _SPIFFE_ID.fullmatch(spiffe_id) if len(spiffe_id) <= _MAX_SPIFFE_ID else None
    return match is not None and match["domain"] == trust_domain


@lru_cache(maxsize=256)
def _parse(pem: bytes) -> _Certificate | None:
    """Parses a certificate; None if it is not an end-entity client certificate with exactly one URI SAN.

    Every property that refuses is constant for the bytes, so the answer may be kept; validity is checked each time.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNREADABLE:
        return None
    if len(uris) != 1 or constraints.ca or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        return None
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return _Certificate(
        spiffe_id=uris[0],
        key_digest=digest.finalize().hex(),
        serial=f"{certificate.serial_number:x}",
        not_before_unix=int(certificate.not_valid_before_utc.timestamp()),
        not_after_unix=int(certificate.not_valid_after_utc.timestamp()),
    )
