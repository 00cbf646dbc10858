"""Reads the files to connect with; refuses a key that others can read and a certificate that no agent would take."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_MAX_BYTES = 1024 * 1024  # a bundle of hundreds of authorities
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_RENEW = "get a new one: leadglass ca issue DIR client --path /user/NAME --out DIR, or ask whoever issued it"


class CredentialFiles(Protocol):
    """Where the three files lie."""

    @property
    def authority(self) -> Path:
        """The authorities that are trusted."""

    @property
    def certificate(self) -> Path:
        """One's certificate, with its intermediates behind it."""

    @property
    def key(self) -> Path:
        """The key of the certificate."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM texts as they are handed to TLS; the key is never shown."""

    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)


def load_credentials(files: CredentialFiles, now: datetime) -> Credentials:
    """Reads the three files and checks the key's permissions, that the certificate fits it and is valid."""
    authority = read_authority(files.authority)
    chain = _read(files.certificate, "certificate", private=False)
    key = _read(files.key, "key", private=True)
    certificate = _parse(files.certificate, chain)
    _check_validity(files.certificate, certificate, now)
    _check_pair(files, certificate, key)
    return Credentials(authority, chain, key)


def read_authority(path: Path) -> bytes:
    """Reads the authorities alone."""
    authority = _read(path, "authority", private=False)
    _parse(path, authority)
    return authority


def _read(path: Path, what: str, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot read the {what} {path}: {error.strerror}"
        next_step = "check the path: leadglass context show"
        raise Failure(ExitCode.USAGE, problem, next_step) from error
    if len(content) > _MAX_BYTES:
        raise Failure(
            ExitCode.USAGE, f"{path} has more than {_MAX_BYTES} bytes", "check the path: leadglass context show"
        )
    # Only POSIX systems tell who can read a file by its mode.
    if private and os.name == "posix" and mode & _OTHERS:
        problem = f"the key {path} can be read by others (mode {stat.S_IMODE(mode):04o})"
        raise Failure(ExitCode.USAGE, problem, f"keep it to yourself: chmod 600 {shlex.quote(str(path))}")
    return content


def _parse(path: Path, content: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError as error:
        next_step = "give a file that begins with -----BEGIN CERTIFICATE-----"
        raise Failure(ExitCode.USAGE, f"{path} holds no certificate", next_step) from error


def _check_validity(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        what = f"your certificate {path} expired at {end:%Y-%m-%d %H:%M:%S}Z"
        raise Failure(ExitCode.NOT_AUTHENTICATED, what, _RENEW)
    if now < start:
        what = f"your certificate {path} is valid only from {start:%Y-%m-%d %H:%M:%S}Z"
        raise Failure(ExitCode.NOT_AUTHENTICATED, what, "check this machine's clock: date -u")


def _check_pair(files: CredentialFiles, certificate: x509.Certificate, key: bytes) -> None:
    try:
        fits = load_pem_private_key(key, password=None).public_key() == certificate.public_key()
    except (ValueError, TypeError) as error:
        what = f"{files.key} holds no key that can be used without a password"
        raise Failure(ExitCode.USAGE, what, "give a PEM file with an unencrypted private key") from error
    if not fits:
        what = f"the key {files.key} does not belong to the certificate {files.certificate}"
        raise Failure(ExitCode.USAGE, what, "check the paths: leadglass context show")
