"""Reads who one is: the SPIFFE id and key of one's own certificate, what signs with them, and whom one trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leadglass_agent.access.signer import Signer, SignerError, certificates_text, read_signer
from leadglass_agent.trust import Trust, TrustError
from leadglass_client.connection.credentials import load_credentials, read_authority
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.settings.own_files import resolve_authority, resolve_own_files

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from leadglass_client.settings.global_options import GlobalOptions


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """Who one is on the word of one's certificate, the PEM that proves it, and the key; the key is never shown."""

    signer: Signer
    certificates: str
    private_key: PrivateKeyTypes = field(repr=False)


def own_identity(options: GlobalOptions, now: datetime) -> OwnIdentity:
    """Reads certificate and key of the context, checked as for a call; fails unless they name one caller."""
    files = resolve_own_files(options)
    credentials = load_credentials(files, now)
    try:
        certificates = certificates_text(credentials.certificate)
        signer = read_signer(certificates)
    except SignerError as error:
        next_step = "give the certificate of a caller, as `leadglass ca issue DIR client` makes it: --cert FILE"
        raise Failure(ExitCode.USAGE, f"{files.certificate}: {error}", next_step) from error
    return OwnIdentity(signer, certificates, load_pem_private_key(credentials.key, password=None))


def own_trust(options: GlobalOptions) -> Trust:
    """Reads the authorities of the context as those that vouch for callers."""
    path = resolve_authority(options)
    return _trust(path, read_authority(path))


def _trust(path: Path, pem: bytes) -> Trust:
    try:
        return Trust(pem)
    except TrustError as error:
        next_step = "name the file with the authorities that vouch for callers: --ca FILE"
        raise Failure(ExitCode.USAGE, f"{path}: {error}", next_step) from error
