"""Ties the log's own key to the agent's identity: the key of the agent's certificate signs it, and anyone can check."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from leadglass_agent.audit.checkpoint import NoteError, parse_verifier_key
from leadglass_agent.spiffe import trust_domain_of
from leadglass_agent.trust import Trust, TrustError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_TAG: Final = b"leadglass.dev/audit/log-key/v1\n"  # no other signature of the product covers the same bytes
_SCHEME: Final = "spiffe://"
_UNNAMED: Final = "leadglass.dev/unnamed"  # begins the origin of a log whose agent has no SPIFFE id
_MAX_CERTIFICATE: Final = 32 * 1024
_MAX_SIGNATURE: Final = 2_048  # as base64; RSA with 8,192 bits takes 1,366
_SHA256: Final = hashes.SHA256()
_PSS: Final = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=padding.PSS.DIGEST_LENGTH)
# All that cryptography raises for a certificate that is damaged or of a kind that it does not know.
_UNREADABLE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class LogKeyError(Exception):
    """Nothing ties the key to an agent; the text says why, and quotes nothing that was read."""


@dataclass(frozen=True, slots=True)
class Certified:
    """Whose key it is (empty if the certificate has no SPIFFE id), and until when its certificate is valid."""

    spiffe_id: str
    not_after_unix: int


def statement(verifier_key: str) -> bytes:
    """Gives the bytes that the certificate's key signs."""
    return _TAG + verifier_key.encode()


def certify(verifier_key: str, private_key: PrivateKeyTypes) -> str:
    """Signs the log's key with the key of the agent's certificate, as base64; raises LogKeyError."""
    covered = statement(verifier_key)
    match private_key:
        case ec.EllipticCurvePrivateKey():
            signature = private_key.sign(covered, ec.ECDSA(_SHA256))
        case ed25519.Ed25519PrivateKey():
            signature = private_key.sign(covered)
        case rsa.RSAPrivateKey():
            signature = private_key.sign(covered, _PSS, _SHA256)
        case _:
            message = "a key of this kind signs no log's key: take one of ECDSA, Ed25519 or RSA"
            raise LogKeyError(message)
    return base64.b64encode(signature).decode("ascii")


def check_certified(
    verifier_key: str,
    certificate_der_b64: str,
    key_signature_b64: str,
    *,
    authorities_pem: bytes | None,
    at_unix: float,
) -> Certified:
    """Checks that the certificate's key signed the log's key, and that it is the agent's whom the log names.

    With authorities, one of them must stand behind the certificate at `at_unix`, seconds since 1970; without, anybody
    may have made it. Raises LogKeyError.
    """
    try:
        name = parse_verifier_key(verifier_key).name
    except NoteError as error:
        raise LogKeyError(str(error)) from None
    certificate = _certificate(_decode(certificate_der_b64, _MAX_CERTIFICATE, "the certificate"))
    signature = _decode(key_signature_b64, _MAX_SIGNATURE, "the signature over the log's key")
    _check_signature(certificate, signature, statement(verifier_key))
    spiffe_id = _spiffe_id(certificate)
    # Else any other holder of a certificate of the same authority could sign in the agent's name.
    if not name.startswith((f"{_UNNAMED}/log/", f"{spiffe_id.removeprefix(_SCHEME) or _UNNAMED}/log/")):
        message = "the certificate is not that of the agent whom the log names"
        raise LogKeyError(message)
    if authorities_pem is not None:
        _check_authority(certificate, authorities_pem, at_unix)
    return Certified(spiffe_id, int(certificate.not_valid_after_utc.timestamp()))


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except _UNREADABLE:
        message = "the certificate cannot be read"
        raise LogKeyError(message) from None


def _check_signature(certificate: x509.Certificate, signature: bytes, covered: bytes) -> None:
    try:
        match certificate.public_key():
            case ec.EllipticCurvePublicKey() as key:
                key.verify(signature, covered, ec.ECDSA(_SHA256))
            case ed25519.Ed25519PublicKey() as key:
                key.verify(signature, covered)
            case rsa.RSAPublicKey() as key:
                key.verify(signature, covered, _PSS, _SHA256)
            case _:
                message = "the certificate has a key of a kind that signs no log's key"
                raise LogKeyError(message)
    except (InvalidSignature, *_UNREADABLE):
        message = "the certificate's key did not sign the log's key"
        raise LogKeyError(message) from None


def _spiffe_id(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    except _UNREADABLE:
        message = "the certificate's names cannot be read"
        raise LogKeyError(message) from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if not uris:
        return ""
    if len(uris) > 1 or trust_domain_of(uris[0]) is None:
        message = "the certificate has more than one URI, or one that is no SPIFFE id"
        raise LogKeyError(message)
    return uris[0]


def _check_authority(certificate: x509.Certificate, authorities_pem: bytes, at_unix: float) -> None:
    try:
        trust = Trust(authorities_pem)
    except TrustError as error:
        message = f"the authorities cannot be read: {error}"
        raise LogKeyError(message) from None
    if not trust.vouches(certificate.public_bytes(Encoding.PEM), at_unix):
        message = "no authority stands behind the certificate at that time"
        raise LogKeyError(message)


def _decode(text: str, most: int, what: str) -> bytes:
    try:
        if len(text) <= most:
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    message = f"{what} is not base64, or too long"
    raise LogKeyError(message)
