"""Issues short-lived certificates for laptops and tests from a small certificate authority in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.names import check_trust_domain, check_workload_name, spiffe_id

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY_LIFETIME = timedelta(days=30)
LEAF_LIFETIME = timedelta(hours=24)
# Clocks of containers and laptops differ by seconds; a certificate from a minute ago is valid on both.
_BACKDATE = timedelta(seconds=60)
_ORGANIZATION = "leadglass ca"
_MAX_COMMON_NAME = 64  # RFC 5280, appendix A.1: ub-common-name


@dataclass(frozen=True, slots=True)
class Issued:
    """Paths of one certificate with its key and authority, and what it says."""

    certificate: Path
    key: Path
    authority: Path
    identity: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    trust_domain: str


def create_authority(
    directory: Path,
    trust_domain: str,
    lifetime: timedelta = AUTHORITY_LIFETIME,
    *,
    force: bool = False,
    now: datetime | None = None,
) -> Issued:
    """Creates ca.crt and ca.key in a folder of mode 0700; it lives at most 30 days and signs leaves alone."""
    check_trust_domain(trust_domain)
    _check_lifetime(lifetime, AUTHORITY_LIFETIME)
    start = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(trust_domain)
    identity = f"spiffe://{trust_domain}"
    certificate = (
        _builder(subject, subject, key.public_key(), start, start + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private_files.make_directory(directory)
    issued = Issued(directory / "ca.crt", directory / "ca.key", directory / "ca.crt", identity, start + lifetime)
    _write(
        (
            (issued.key, _key_pem(key), private_files.PRIVATE),
            (issued.certificate, _pem(certificate), private_files.PUBLIC),
        ),
        force=force,
    )
    return issued


def issue_client(
    directory: Path,
    path: str,
    out: Path,
    lifetime: timedelta = LEAF_LIFETIME,
    *,
    force: bool = False,
    now: datetime | None = None,
) -> Issued:
    """Issues tls.crt, tls.key and ca.crt for a caller: one SPIFFE id, client authentication alone, at most 24 hours."""
    authority = _load(directory)
    identity = spiffe_id(authority.trust_domain, path)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity)]
    return _issue(authority, names, ExtendedKeyUsageOID.CLIENT_AUTH, out, _Term(identity, lifetime, now, force))


def issue_server(
    directory: Path,
    name: str,
    out: Path,
    lifetime: timedelta = LEAF_LIFETIME,
    *,
    path: str | None = None,
    force: bool = False,
    now: datetime | None = None,
) -> Issued:
    """Issues tls.crt, tls.key and ca.crt for an agent: its workload name, and a SPIFFE id if a path is given."""
    authority = _load(directory)
    names: list[x509.GeneralName] = [x509.DNSName(check_workload_name(name))]
    if path is not None:
        names.append(x509.UniformResourceIdentifier(spiffe_id(authority.trust_domain, path)))
    return _issue(authority, names, ExtendedKeyUsageOID.SERVER_AUTH, out, _Term(name, lifetime, now, force))


@dataclass(frozen=True, slots=True)
class _Term:
    identity: str
    lifetime: timedelta
    now: datetime | None
    force: bool


def _issue(
    authority: _Authority, names: list[x509.GeneralName], usage: x509.ObjectIdentifier, out: Path, term: _Term
) -> Issued:
    _check_lifetime(term.lifetime, LEAF_LIFETIME)
    start = term.now or datetime.now(UTC)
    authority_end = authority.certificate.not_valid_after_utc
    if not authority.certificate.not_valid_before_utc <= start < authority_end:
        what = f"the authority is valid until {authority_end:%Y-%m-%d %H:%M} UTC and cannot issue now"
        raise Failure(ExitCode.ERROR, what, "make a new one: leadglass ca init DIR --trust-domain NAME --force")
    end = min(start + term.lifetime, authority_end)
    key = ec.generate_private_key(ec.SECP256R1())
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    # The name is in the subject alternative name alone: a common name would be a second, weaker place to look.
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)])
    certificate = (
        _builder(subject, authority.certificate.subject, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_id, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    private_files.make_directory(out)
    issued = Issued(out / "tls.crt", out / "tls.key", out / "ca.crt", term.identity, end)
    files = (
        (issued.key, _key_pem(key), private_files.PRIVATE),
        (issued.certificate, _pem(certificate), private_files.PUBLIC),
        (issued.authority, _pem(authority.certificate), private_files.PUBLIC),
    )
    _write(files, force=term.force)
    return issued


def _load(directory: Path) -> _Authority:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        uris = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.UniformResourceIdentifier
        )
    except OSError as error:
        what = f"no authority in {directory}: {error.filename}: {error.strerror}"
        raise Failure(ExitCode.USAGE, what, f"make one: leadglass ca init {directory} --trust-domain NAME") from error
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _not_ours(directory) from error
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or len(uris) != 1
        or key.public_key() != certificate.public_key()
    ):
        raise _not_ours(directory)
    return _Authority(certificate, key, check_trust_domain(uris[0].removeprefix("spiffe://")))


def _not_ours(directory: Path) -> Failure:
    what = f"{directory} holds no authority that leadglass made"
    return Failure(ExitCode.USAGE, what, "make one: leadglass ca init DIR --trust-domain NAME")


def _check_lifetime(lifetime: timedelta, longest: timedelta) -> None:
    if not timedelta(0) < lifetime <= longest:
        hours = int(longest.total_seconds() // 3600)
        what = f"a lifetime is more than nothing and at most {hours} hours"
        raise Failure(ExitCode.USAGE, what, "ask for a time within that")


def _subject(trust_domain: str) -> x509.Name:
    common_name = trust_domain[:_MAX_COMMON_NAME]
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BACKDATE)
        .not_valid_after(end)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _write(files: tuple[tuple[Path, bytes, int], ...], *, force: bool) -> None:
    if not force:
        for path, _, _ in files:
            private_files.require_absent(path, "give --force to replace it, or choose another folder")
    for path, content, mode in files:
        write = private_files.replace if force else private_files.create
        write(path, content, mode)
