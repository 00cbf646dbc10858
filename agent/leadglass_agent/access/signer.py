"""Reads who signed an envelope from the certificates that travel with the signature; trusts none of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID

from leadglass_agent.access.dsse import key_digest
from leadglass_agent.spiffe import trust_domain_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from leadglass_agent.policy.model import SpiffeId

MAX_CERTIFICATES: Final = 5

# All that cryptography raises for a certificate that is damaged or of a kind that it does not know; of what it only
# warns about, such as serial numbers below 1, nothing is needed.
_UNREADABLE: Final = (
    CryptographyDeprecationWarning,
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class SignerError(Exception):
    """Certificates that name no signer; its text says why and echoes nothing of them."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom a leaf certificate names, on nobody's word but its own.

    `valid_from_unix` is when all certificates of the chain were valid for the first time, `not_after_unix` the leaf's
    end.
    """

    spiffe_id: SpiffeId
    trust_domain: str
    key_digest: str
    serial: str
    public_key: PublicKeyTypes
    not_before_unix: int
    not_after_unix: int
    valid_from_unix: int


def read_signer(certificates_pem: str) -> Signer:
    """Reads the leaf, first of at most five; raises SignerError unless it is a client's with exactly one SPIFFE id.

    The text must be the one that `certificates_text` writes: a grant has no room for what nobody looks at.
    """
    try:
        chain = _loaded(certificates_pem.encode())
        if len(chain) > MAX_CERTIFICATES or not all(map(_is_whole, chain)) or _text(chain) != certificates_pem:
            message = f"not 1 to {MAX_CERTIFICATES} certificates in PEM, and nothing else"
            raise SignerError(message)
        return _signer(chain)
    except _UNREADABLE as error:
        message = "a certificate cannot be read, or is not a client's"
        raise SignerError(message) from error


def certificates_text(pem: bytes) -> str:
    """Writes PEM certificates, the leaf first, in the form that signatures carry; raises SignerError for others."""
    try:
        return _text(_loaded(pem))
    except _UNREADABLE as error:
        message = "not certificates in PEM"
        raise SignerError(message) from error


def _loaded(pem: bytes) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        return x509.load_pem_x509_certificates(pem)


def _is_whole(certificate: x509.Certificate) -> bool:
    """Says whether the signature's bit string has no unused bits: nothing covers their number, and parsers skip it."""
    return certificate.public_bytes(Encoding.DER).endswith(b"\0" + certificate.signature)


def _text(chain: list[x509.Certificate]) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)


def _signer(chain: list[x509.Certificate]) -> Signer:
    leaf = chain[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    if constraints.ca or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        message = "the certificate is not a client's"
        raise SignerError(message)
    trust_domain = trust_domain_of(uris[0]) if len(uris) == 1 else None
    if trust_domain is None:
        message = "the certificate does not name exactly one SPIFFE id"
        raise SignerError(message)
    public_key = leaf.public_key()
    return Signer(
        spiffe_id=cast("SpiffeId", uris[0]),
        trust_domain=trust_domain,
        key_digest=key_digest(public_key),
        serial=f"{leaf.serial_number:x}",
        public_key=public_key,
        not_before_unix=int(leaf.not_valid_before_utc.timestamp()),
        not_after_unix=int(leaf.not_valid_after_utc.timestamp()),
        valid_from_unix=max(int(certificate.not_valid_before_utc.timestamp()) for certificate in chain),
    )
