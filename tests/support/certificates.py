"""Makes certificates that an agent must refuse, each wrong in one way, and a few unusual ones that it must accept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TRUST_DOMAIN = "test.leadglass"
ALICE = f"spiffe://{TRUST_DOMAIN}/user/alice"
HOUR = timedelta(hours=1)

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in memory."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, both as PEM."""

    pem: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a leaf says; as it stands, Alice's good one."""

    uris: tuple[str, ...] = (ALICE,)
    dns: tuple[str, ...] = ()
    common_name: str = ""
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    alternative_names: bool = True
    basic_constraints: bool = True
    is_authority: bool = False
    starts_in: timedelta = -HOUR
    ends_in: timedelta = HOUR
    key: str = "P-256"


@dataclass(frozen=True, slots=True)
class Bad:
    """A certificate that is refused, and for what, as the name of a test."""

    name: str
    certificate: Certificate


# Each differs from the good recipe in what its name says.
BAD_RECIPES: Mapping[str, Recipe] = {
    "expired": Recipe(starts_in=-2 * HOUR, ends_in=-timedelta(seconds=2)),
    "not yet valid": Recipe(starts_in=HOUR, ends_in=2 * HOUR),
    "two SPIFFE ids": Recipe(uris=(ALICE, f"spiffe://{TRUST_DOMAIN}/user/bob")),
    "a SPIFFE id and another URI": Recipe(uris=(ALICE, "https://example.org/alice")),
    "the same SPIFFE id twice": Recipe(uris=(ALICE, ALICE)),
    "no URI": Recipe(uris=(), dns=("localhost",)),
    "a DNS name that looks like the id": Recipe(uris=(), dns=("test.leadglass",), common_name=ALICE),
    "no alternative name at all": Recipe(alternative_names=False, common_name=ALICE),
    "a URI that is no SPIFFE id": Recipe(uris=("https://test.leadglass/user/alice",)),
    "a query in the id": Recipe(uris=(f"{ALICE}?admin=1",)),
    "a fragment in the id": Recipe(uris=(f"{ALICE}#admin",)),
    "a port in the id": Recipe(uris=(f"spiffe://{TRUST_DOMAIN}:443/user/alice",)),
    "a user in the id": Recipe(uris=(f"spiffe://root@{TRUST_DOMAIN}/user/alice",)),
    "an escape in the id": Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/%61lice",)),
    "a dot segment in the id": Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/bob/../alice",)),
    "an empty segment in the id": Recipe(uris=(f"spiffe://{TRUST_DOMAIN}//user/alice",)),
    "a slash at the end of the id": Recipe(uris=(f"{ALICE}/",)),
    "no path in the id": Recipe(uris=(f"spiffe://{TRUST_DOMAIN}",)),
    "a capital in the scheme": Recipe(uris=(ALICE.replace("spiffe", "SPIFFE"),)),
    "a capital in the trust domain": Recipe(uris=("spiffe://TEST.leadglass/user/alice",)),
    "an id longer than 2,048 bytes": Recipe(uris=(ALICE + "/a" * 1_024,)),
    "another trust domain": Recipe(uris=("spiffe://other.leadglass/user/alice",)),
    "a trust domain below ours": Recipe(uris=(f"spiffe://evil.{TRUST_DOMAIN}/user/alice",)),
    "an authority as leaf": Recipe(is_authority=True),
    "no basic constraints": Recipe(basic_constraints=False),
    "a server's key usage": Recipe(usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    "no key usage": Recipe(usages=()),
}

GOOD_RECIPES: Mapping[str, Recipe] = {
    "as the authority issues them": Recipe(),
    "a DNS name beside the id": Recipe(dns=("alice.test.leadglass",)),
    "client and server usage": Recipe(usages=(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)),
    "an RSA key": Recipe(key="RSA"),
    "a P-384 key": Recipe(key="P-384"),
}


def new_authority(trust_domain: str = TRUST_DOMAIN, lifetime: timedelta = 24 * HOUR) -> Authority:
    """Makes an authority that no agent knows; it has existed for a day, and ends after `lifetime`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"authority of {trust_domain}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 24 * HOUR)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        # With it and the leaves' own, TLS libraries tell apart two authorities of one name, as while one is replaced.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def load_authority(folder: Path) -> Authority:
    """Loads the authority that an agent trusts."""
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key)


def bad_certificates(authority: Authority) -> Iterator[Bad]:
    """Makes every certificate that is wrong in itself or in its issuer."""
    for name, recipe in BAD_RECIPES.items():
        yield Bad(name, issue(authority, recipe))
    yield Bad("another authority", issue(new_authority(), Recipe()))
    # The same name as the real authority, so that only the signature tells them apart.
    imitation = replace(authority, key=ec.generate_private_key(ec.SECP256R1()))
    yield Bad("an authority of the same name", issue(imitation, Recipe()))
    yield Bad("its own signature", self_signed())


def issue(authority: Authority, recipe: Recipe) -> Certificate:
    """Issues a leaf as the recipe says."""
    key = _new_key(recipe.key)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(recipe.common_name))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + recipe.starts_in)
        .not_valid_after(now + recipe.ends_in)
    )
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer_key, critical=False)
    if recipe.alternative_names:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in recipe.uris]
        names += [x509.DNSName(name) for name in recipe.dns]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if recipe.basic_constraints:
        constraints = x509.BasicConstraints(ca=recipe.is_authority, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    if recipe.usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(recipe.usages), critical=False)
    return _with_key(builder.sign(authority.key, hashes.SHA256()), key)


def self_signed() -> Certificate:
    """Makes Alice's certificate as anybody could make it."""
    authority = new_authority()
    key = authority.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject("alice"))
        .issuer_name(_subject("alice"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - HOUR)
        .not_valid_after(datetime.now(UTC) + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(ALICE)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return _with_key(builder.sign(key, hashes.SHA256()), key)


def auth_context(pem: bytes, **changes: tuple[bytes, ...]) -> dict[str, tuple[bytes, ...]]:
    """Gives what gRPC says of a TLS 1.3 connection with this certificate, but for the changes."""
    context: dict[str, tuple[bytes, ...]] = {
        "transport_security_type": (b"ssl",),
        "ssl_tls_version": (b"TLSv1.3",),
        "ssl_session_reused": (b"false",),
        "x509_pem_cert": (pem,),
    }
    # gRPC gives peer_spiffe_id for a leaf with exactly one URI that starts as a SPIFFE id does.
    uris = _uris(pem)
    if len(uris) == 1 and uris[0].startswith("spiffe://"):
        context["peer_spiffe_id"] = (uris[0].encode(),)
    return context | changes


def _uris(pem: bytes) -> list[str]:
    try:
        extensions = x509.load_pem_x509_certificate(pem).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _new_key(kind: str) -> PrivateKey:
    match kind:
        case "RSA":
            return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return ec.generate_private_key(ec.SECP256R1())


def _subject(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "leadglass tests")]
    if common_name:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def _with_key(certificate: x509.Certificate, key: PrivateKey) -> Certificate:
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
