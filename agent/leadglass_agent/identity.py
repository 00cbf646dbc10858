"""Who calls: one SPIFFE id from a certificate that is valid now, on a connection that proved it now.

It runs on every call and not at the handshake alone, for measured reasons: open connections outlive their certificate
and the authority behind it, and a resumed TLS session let an expired certificate in on a new connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from leadglass_agent.errors import CertificateExpired, CertificateRevoked, IdentityRefused
from leadglass_agent.policy.model import SpiffeId
from leadglass_agent.spiffe import trust_domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.access.deny_list import DenyList
    from leadglass_agent.trust import Trust

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
    """A caller whose certificate was accepted for this call; key_digest is the hex SHA-256 of its public key (SPKI).

    `serial` is in hexadecimal without leading zeros; `certificate_since_unix` is when the certificate became valid.
    """

    spiffe_id: SpiffeId
    key_digest: str
    serial: str
    certificate_since_unix: int
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


def authenticate(
    auth: Mapping[str, Iterable[bytes]],
    peer: str,
    trust_domain: str,
    now_unix: float,
    trust: Trust,
    deny_list: DenyList,
) -> Caller:
    """Decides who calls, from gRPC's authentication context, held against trust and deny list as they are now.

    `auth` is what `ServicerContext.auth_context()` gives, `peer` its address, `now_unix` seconds since 1970. Raises
    IdentityRefused, CertificateExpired or CertificateRevoked.
    """
    _check_connection(auth)
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
    if trust_domain_of(certificate.spiffe_id) != trust_domain:
        detail = "the SPIFFE id is malformed or of another trust domain"
        raise IdentityRefused(detail)
    if not certificate.not_before_unix <= now_unix < certificate.not_after_unix:
        detail = "the certificate is outside its validity"
        raise CertificateExpired(detail)
    if not trust.vouches(b"\n".join((pem, _intermediates(auth))), now_unix):
        detail = "no authority in force vouches for the certificate"
        raise CertificateRevoked(detail)
    caller = Caller(
        spiffe_id=SpiffeId(certificate.spiffe_id),
        key_digest=certificate.key_digest,
        serial=certificate.serial,
        certificate_since_unix=certificate.not_before_unix,
        not_after_unix=certificate.not_after_unix,
        peer=peer,
    )
    if deny_list.denies_caller(caller):
        detail = "the certificate, its key or its SPIFFE id is on the deny list"
        raise CertificateRevoked(detail)
    return caller


def _check_connection(auth: Mapping[str, Iterable[bytes]]) -> None:
    if _only(auth, "transport_security_type") != b"ssl":
        detail = "the connection is not TLS"
        raise IdentityRefused(detail)
    if _only(auth, "ssl_tls_version") != b"TLSv1.3":
        detail = "the connection is not TLS 1.3"
        raise IdentityRefused(detail)
    if _only(auth, "ssl_session_reused") != b"false":
        detail = "the TLS session was resumed: its certificate was not checked again"
        raise IdentityRefused(detail)


def _only(auth: Mapping[str, Iterable[bytes]], key: str) -> bytes:
    """Reads the one value of a property; none or several is a refusal."""
    values = tuple(auth.get(key, ()))
    if len(values) != 1:
        message = f"the connection has {len(values)} values for {key}"
        raise IdentityRefused(message)
    return values[0]


def _intermediates(auth: Mapping[str, Iterable[bytes]]) -> bytes:
    """Gives what the peer sent beside its certificate; gRPC leaves the property out if that is nothing (measured)."""
    return _only(auth, "x509_pem_cert_chain") if "x509_pem_cert_chain" in auth else b""


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
