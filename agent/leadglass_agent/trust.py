"""Who vouches for a certificate: finds a path of signatures from it to one of the authorities in force.

TLS asks this once, at the handshake, of the authorities of that moment. It is asked again on every call, so that an
authority that was taken away takes its callers with it although their connections still stand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from leadglass_agent.name_constraints import are_within

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_AUTHORITIES: Final = 200
_MAX_CHAIN_BYTES: Final = 64 * 1024
_MAX_CHAIN: Final = 10
_MAX_DEPTH: Final = 5  # authorities above the leaf, the trusted one counted
# Intermediates that all sign each other make exponentially many paths; each step costs one signature.
_MAX_STEPS: Final = 64
_MIN_RSA_BITS: Final = 2_048
_CACHED_CHAINS: Final = 512
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# A critical extension that is not among these means what this file does not know (RFC 5280, section 4.2).
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)
# All that cryptography raises for a certificate that is damaged or of a kind that it does not know.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

# Seconds since 1970: from the first up to but not including the second.
_Window: TypeAlias = tuple[float, float]


class TrustError(Exception):
    """The file holds no certificates of authorities; the text says what is wrong and quotes nothing."""


@dataclass(frozen=True, slots=True)
class _Authority:
    """A certificate that may sign others, with its bounds read once."""

    certificate: x509.Certificate
    path_length: int | None
    constraints: x509.NameConstraints | None


class Trust:
    """The authorities in force; `digest` is `sha256:` and the hex digest of their file's bytes."""

    def __init__(self, authorities_pem: bytes) -> None:
        """Reads the authorities; raises TrustError unless every certificate is one, and there is at least one."""
        self.digest: Final = f"sha256:{hashlib.sha256(authorities_pem).hexdigest()}"
        self._authorities: Final = tuple(_trusted(authorities_pem))
        # The answer for a chain, whatever the moment; asked on every call, so it must not cost signatures each time.
        self._windows = lru_cache(maxsize=_CACHED_CHAINS)(self._find)

    def __repr__(self) -> str:
        """Names the authorities by their digest."""
        return f"Trust({self.digest})"

    def vouches(self, certificates_pem: bytes, at_unix: float) -> bool:
        """Says whether an authority in force stands behind the first certificate at that moment, directly or not.

        The certificates after the first may lie on the path, in any order; whatever cannot be read is a no.
        """
        if len(certificates_pem) > _MAX_CHAIN_BYTES:
            return False
        return any(start <= at_unix < end for start, end in self._windows(certificates_pem))

    def _find(self, certificates_pem: bytes) -> tuple[_Window, ...]:
        """Gives when each path holds: from its latest start to its earliest end."""
        try:
            certificates = x509.load_pem_x509_certificates(certificates_pem)
            leaf = certificates[0]
            if len(certificates) > _MAX_CHAIN or not _is_understood(leaf) or _is_authority(leaf):
                return ()
            between = tuple(authority for found in certificates[1:] if (authority := _authority(found)) is not None)
            return tuple(_Search(self._authorities, between).windows((leaf,)))
        except _UNREADABLE:
            return ()


class _Search:
    """One search for paths, with a bound on the signatures that it may check."""

    def __init__(self, trusted: tuple[_Authority, ...], between: tuple[_Authority, ...]) -> None:
        self._trusted = trusted
        self._between = between
        self._steps_left = _MAX_STEPS

    def windows(self, path: tuple[x509.Certificate, ...]) -> Iterator[_Window]:
        """Gives the window of each way up from the last certificate of a path, whose first is the leaf."""
        if len(path) > _MAX_DEPTH:
            return
        for issuer in self._trusted:
            if self._signs(issuer, path):
                yield _window((*path, issuer.certificate))
        for issuer in self._between:
            if issuer.certificate not in path and self._signs(issuer, path):
                yield from self.windows((*path, issuer.certificate))

    def _signs(self, issuer: _Authority, path: tuple[x509.Certificate, ...]) -> bool:
        if issuer.certificate.subject != path[-1].issuer or self._steps_left <= 0:
            return False
        if issuer.path_length is not None and len(path) - 1 > issuer.path_length:
            return False
        if issuer.constraints is not None and not all(are_within(issuer.constraints, below) for below in path):
            return False
        self._steps_left -= 1
        return _is_signed_by(path[-1], issuer.certificate)


def _trusted(pem: bytes) -> Iterator[_Authority]:
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except _UNREADABLE:
        message = "it holds no PEM certificate, or one that cannot be read"
        raise TrustError(message) from None
    if len(certificates) > _MAX_AUTHORITIES:
        message = f"it holds more than {_MAX_AUTHORITIES} certificates"
        raise TrustError(message)
    for number, certificate in enumerate(certificates, start=1):
        authority = _authority(certificate)
        if authority is None:
            message = f"its certificate {number} is not one of an authority that may vouch for clients"
            raise TrustError(message)
        yield authority


def _authority(certificate: x509.Certificate) -> _Authority | None:
    """Reads a certificate as one that may sign those of clients; None if it may not."""
    try:
        if not _is_understood(certificate):
            return None
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (*_UNREADABLE, x509.ExtensionNotFound):
        return None
    names: x509.NameConstraints | None = None
    for extension in extensions:
        match extension.value:
            case x509.KeyUsage() as usage if not usage.key_cert_sign:
                return None
            case x509.ExtendedKeyUsage() as usages if _CLIENTS.isdisjoint(usages):
                return None
            case x509.NameConstraints() as found:
                names = found
            case _:
                pass
    return _Authority(certificate, constraints.path_length, names) if constraints.ca else None


_CLIENTS: Final = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


def _is_understood(certificate: x509.Certificate) -> bool:
    """Says whether everything that a certificate calls critical is looked at here, and its key is not a weak one."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        strong = key.key_size >= _MIN_RSA_BITS
    else:
        strong = isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)
    return strong and all(not found.critical or found.oid in _UNDERSTOOD for found in certificate.extensions)


def _is_authority(certificate: x509.Certificate) -> bool:
    values = (found.value for found in certificate.extensions)
    return any(isinstance(value, x509.BasicConstraints) and value.ca for value in values)


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    digest = certificate.signature_hash_algorithm
    if digest is not None and not isinstance(digest, _HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _window(path: tuple[x509.Certificate, ...]) -> _Window:
    return (
        max(certificate.not_valid_before_utc.timestamp() for certificate in path),
        min(certificate.not_valid_after_utc.timestamp() for certificate in path),
    )
