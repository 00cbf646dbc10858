"""The agent's own certificate, its key and the authorities whose callers it accepts: read and checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from leadglass_agent.config import Tls

_MAX_PEM = 256 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM texts that belong together, the agent's SPIFFE id (empty if it has none) and the end of its certificate."""

    certificate: bytes
    key: bytes = field(repr=False)
    caller_authorities: bytes
    agent_id: str
    not_after_unix: int


def read_credentials(tls: Tls) -> Credentials:
    """Reads the three files; raises StartRefused on one that cannot be read, parsed or matched."""
    certificate_pem, key_pem, authorities_pem = map(_read, (tls.certificate, tls.key, tls.caller_authorities))
    certificate = _certificates(certificate_pem, tls.certificate)[0]
    _certificates(authorities_pem, tls.caller_authorities)
    if _key(key_pem, tls.key).public_key() != certificate.public_key():
        message = f"{tls.key} is not the key of {tls.certificate}"
        raise StartRefused(message)
    return Credentials(
        certificate=certificate_pem,
        key=key_pem,
        caller_authorities=authorities_pem,
        agent_id=_agent_id(certificate),
        not_after_unix=int(certificate.not_valid_after_utc.timestamp()),
    )


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_PEM)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise StartRefused(message) from None


def _certificates(pem: bytes, path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        message = f"{path} holds no PEM certificate"
        raise StartRefused(message) from None


def _key(pem: bytes, path: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # The parser's own text may quote the key.
        message = f"{path} holds no unencrypted PEM key"
        raise StartRefused(message) from None


def _agent_id(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
