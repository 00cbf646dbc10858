"""Makes chains of certificates, link by link, each as right or as wrong as a test asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certificates import PrivateKey

    Digest = hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512

HOUR = timedelta(hours=1)
ALICE_URI = x509.UniformResourceIdentifier("spiffe://test.leadglass/user/alice")
_SIGNS = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "crl_sign": True,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class Link:
    """A certificate of a chain with its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def authority(  # noqa: PLR0913 - each is one way to be wrong
    name: str,
    issuer: Link | None = None,
    *,
    ca: bool = True,
    path_length: int | None = None,
    signs: bool | None = True,
    usages: Sequence[x509.ObjectIdentifier] = (),
    constraints: x509.NameConstraints | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    validity: tuple[timedelta, timedelta] = (-24 * HOUR, 24 * HOUR),
    key: PrivateKey | None = None,
    digest: Digest | None = None,
) -> Link:
    """Makes an authority's certificate; without an issuer it signs itself."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca, path_length if ca else None), True)]
    if signs is not None:
        extensions.append((x509.KeyUsage(key_cert_sign=signs, **_SIGNS), True))
    if usages:
        extensions.append((x509.ExtendedKeyUsage(usages), False))
    if constraints is not None:
        extensions.append((constraints, True))
    return _link(name, issuer, [*extensions, *extra], validity, key, digest)


def leaf(
    issuer: Link,
    *,
    names: Sequence[x509.GeneralName] = (ALICE_URI,),
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    validity: tuple[timedelta, timedelta] = (-HOUR, HOUR),
    key: PrivateKey | None = None,
    digest: Digest | None = None,
    name: str = "",
) -> Link:
    """Makes a client's certificate."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName(names), not name),
        *extra,
    ]
    return _link(name, issuer, extensions, validity, key, digest)


def _link(
    name: str,
    issuer: Link | None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    validity: tuple[timedelta, timedelta],
    key: PrivateKey | None,
    digest: Digest | None,
) -> Link:
    own: PrivateKey = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    signer = issuer.key if issuer else own
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + validity[0])
        .not_valid_after(now + validity[1])
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    unhashed = isinstance(signer, ed25519.Ed25519PrivateKey)
    return Link(builder.sign(signer, None if unhashed else digest or hashes.SHA256()), own)


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """Makes an RSA key of any size."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)
