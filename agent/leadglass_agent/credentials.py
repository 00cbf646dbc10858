"""The agent's own certificate, its key and the authorities whose callers it accepts: read and checked as one set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from leadglass_agent.mounted_files import FilesUnread, digest_of, read_set
from leadglass_agent.start import StartRefused
from leadglass_agent.trust import Trust, TrustError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from leadglass_agent.config import Tls

MAX_PEM: Final = 256 * 1024


class CredentialsError(Exception):
    """The three files do not make credentials; the text names the file, and never quotes it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM texts that belong together, the agent's SPIFFE id (empty if it has none) and the end of its certificate.

    `digest` stands for all three files; `leaf` is the certificate that callers are shown, as DER.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    caller_authorities: bytes
    agent_id: str
    not_after_unix: int
    leaf: bytes = field(repr=False)
    trust: Trust
    digest: str


def read_credentials(tls: Tls) -> Credentials:
    """Reads the three files; raises StartRefused on one that cannot be read, parsed or matched."""
    try:
        return parse_credentials(read_set(credential_paths(tls), MAX_PEM).contents, tls)
    except (FilesUnread, CredentialsError) as error:
        raise StartRefused(str(error)) from None


def credential_paths(tls: Tls) -> tuple[str, str, str]:
    """Gives the three files in the order in which they are parsed."""
    return (tls.certificate, tls.key, tls.caller_authorities)


def parse_credentials(contents: tuple[bytes, ...], tls: Tls) -> Credentials:
    """Parses certificate, key and authorities, whose paths are for errors; raises CredentialsError."""
    certificate_pem, key_pem, authorities_pem = contents
    certificate = _certificate(certificate_pem, tls.certificate)
    if _key(key_pem, tls.key).public_key() != certificate.public_key():
        message = f"{tls.key} is not the key of {tls.certificate}"
        raise CredentialsError(message)
    return Credentials(
        certificate=certificate_pem,
        key=key_pem,
        caller_authorities=authorities_pem,
        agent_id=_agent_id(certificate),
        not_after_unix=int(certificate.not_valid_after_utc.timestamp()),
        leaf=certificate.public_bytes(Encoding.DER),
        trust=_trust(authorities_pem, tls.caller_authorities),
        digest=digest_of(contents),
    )


def _certificate(pem: bytes, path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        message = f"{path} holds no PEM certificate"
        raise CredentialsError(message) from None


def _key(pem: bytes, path: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # The parser's own text may quote the key.
        message = f"{path} holds no unencrypted PEM key"
        raise CredentialsError(message) from None


def _trust(pem: bytes, path: str) -> Trust:
    try:
        return Trust(pem)
    except TrustError as error:
        message = f"{path} cannot be the callers' authorities: {error}"
        raise CredentialsError(message) from None


def _agent_id(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
