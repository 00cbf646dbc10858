"""Reads, writes, signs and verifies DSSE envelopes.

The format is that of the Dead Simple Signing Envelope specification, version 1.1: the signature covers the type of the
payload as well as its bytes. The signer's certificates travel in the signature's extension. They are not signed over,
and prove nothing until an authority vouches for them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Never, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

MAX_ENVELOPE: Final = 64 * 1024
MAX_SIGNATURES: Final = 16
MAX_PAYLOAD_TYPE: Final = 128
MAX_SIGNATURE: Final = 128  # a DER signature of P-256 takes at most 72 bytes, one of Ed25519 64
MAX_CERTIFICATES: Final = 16 * 1024

CERTIFICATES_KIND: Final = "application/vnd.leadglass.certificates+pem"

_KEY_ID_DIGITS: Final = 64
_Object: TypeAlias = "dict[str, object]"


class EnvelopeError(Exception):
    """Text that is no envelope, or a key that cannot sign one; its text says why and echoes nothing of it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: who says to have made it (hex SHA-256 of the public key), its bytes, and PEM, the leaf first."""

    keyid: str
    signature: bytes
    certificates: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload with its type and the signatures over both, none of them verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...] = ()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Gives the bytes that a signature covers: the pre-authentication encoding of DSSE's protocol.md."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_envelope(text: str) -> Envelope:
    """Reads an envelope; raises EnvelopeError for whatever is not exactly one.

    Stricter than the specification, which ignores unknown members: here nothing may stand beside what was signed that
    one reader sees and another does not.
    """
    if len(text) > MAX_ENVELOPE or len(text.encode(errors="replace")) > MAX_ENVELOPE:
        message = f"larger than {MAX_ENVELOPE // 1024} KiB"
        raise EnvelopeError(message)
    try:
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        message = "not JSON, or a key is given twice"
        raise EnvelopeError(message) from error
    members = _members(value, "the envelope", frozenset({"payload", "payloadType", "signatures"}))
    payload_type = _text(members, "payloadType", MAX_PAYLOAD_TYPE)
    if not payload_type.isascii() or not payload_type.isprintable():
        message = "payloadType is not printable ASCII"
        raise EnvelopeError(message)
    signatures = members["signatures"]
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNATURES:
        message = f"signatures is not a list of at most {MAX_SIGNATURES}"
        raise EnvelopeError(message)
    return Envelope(
        payload_type=payload_type,
        payload=_decoded(members, "payload", MAX_ENVELOPE),
        signatures=tuple(_signature(item) for item in signatures),
    )


def write_envelope(envelope: Envelope) -> str:
    """Writes the envelope as JSON in one line."""
    value = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [_written(signature) for signature in envelope.signatures],
    }
    return json.dumps(value, separators=(",", ":"))


def signed(envelope: Envelope, private_key: PrivateKeyTypes, certificates_pem: str) -> Envelope:
    """Adds a signature with this key, P-256 or Ed25519; raises EnvelopeError for other kinds or one that has signed.

    `certificates_pem` are the signer's certificate and its intermediates; whether they belong to the key is for
    whoever verifies.
    """
    message = pae(envelope.payload_type, envelope.payload)
    match private_key:
        case ec.EllipticCurvePrivateKey() if isinstance(private_key.curve, ec.SECP256R1):
            signature = private_key.sign(message, ec.ECDSA(hashes.SHA256()))
        case ed25519.Ed25519PrivateKey():
            signature = private_key.sign(message)
        case _:
            fault = "only P-256 and Ed25519 keys sign envelopes"
            raise EnvelopeError(fault)
    keyid = key_digest(private_key.public_key())
    if any(other.keyid == keyid for other in envelope.signatures):
        fault = "this key has signed the envelope already"
        raise EnvelopeError(fault)
    added = Signature(keyid, signature, certificates_pem)
    return replace(envelope, signatures=(*envelope.signatures, added))


def verifies(envelope: Envelope, signature: Signature, public_key: PublicKeyTypes) -> bool:
    """Says whether this key, P-256 or Ed25519, made the signature over the envelope's type and payload."""
    message = pae(envelope.payload_type, envelope.payload)
    try:
        match public_key:
            case ec.EllipticCurvePublicKey() if isinstance(public_key.curve, ec.SECP256R1):
                public_key.verify(signature.signature, message, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PublicKey():
                public_key.verify(signature.signature, message)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def key_digest(public_key: PublicKeyTypes) -> str:
    """Gives the hex SHA-256 of the public key (SPKI, DER)."""
    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _written(signature: Signature) -> _Object:
    value: _Object = {"keyid": signature.keyid, "sig": base64.b64encode(signature.signature).decode()}
    if signature.certificates:
        value["extension"] = {"kind": CERTIFICATES_KIND, "ext": {"certificates": signature.certificates}}
    return value


def _signature(value: object) -> Signature:
    members = _members(value, "a signature", frozenset({"sig"}), frozenset({"keyid", "extension"}))
    keyid = _text(members, "keyid", _KEY_ID_DIGITS) if "keyid" in members else ""
    certificates = ""
    if "extension" in members:
        extension = _members(members["extension"], "an extension", frozenset({"kind", "ext"}))
        if extension["kind"] != CERTIFICATES_KIND:
            message = "an extension is of an unknown kind"
            raise EnvelopeError(message)
        ext = _members(extension["ext"], "an extension", frozenset({"certificates"}))
        certificates = _text(ext, "certificates", MAX_CERTIFICATES)
    return Signature(keyid, _decoded(members, "sig", MAX_SIGNATURE), certificates)


def _members(
    value: object, what: str, needed: frozenset[str], allowed: frozenset[str] = frozenset()
) -> dict[str, object]:
    if not isinstance(value, dict):
        message = f"{what} is not an object"
        raise EnvelopeError(message)
    given = value.keys()
    if not needed <= given or not given <= needed | allowed:
        message = f"{what} has a member too many or too few"
        raise EnvelopeError(message)
    return value


def _text(members: _Object, name: str, longest: int) -> str:
    value = members[name]
    if not isinstance(value, str) or len(value) > longest:
        message = f"{name} is not text of at most {longest} characters"
        raise EnvelopeError(message)
    return value


def _decoded(members: _Object, name: str, longest: int) -> bytes:
    """Decodes standard or URL-safe base64, as verifiers must; one text for one value, and no mix of the two."""
    text = _text(members, name, 2 * longest)
    try:
        is_url_safe = "-" in text or "_" in text
        value = base64.b64decode(text, altchars=b"-_" if is_url_safe else None, validate=True)
    except (ValueError, binascii.Error) as error:
        message = f"{name} is not base64"
        raise EnvelopeError(message) from error
    again = base64.urlsafe_b64encode(value) if is_url_safe else base64.b64encode(value)
    if again.decode() != text or len(value) > longest:
        message = f"{name} is not base64 of at most {longest} bytes in its one form"
        raise EnvelopeError(message)
    return value


def _once(pairs: list[tuple[str, object]]) -> _Object:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


def _refuse(text: str) -> Never:
    raise ValueError(text)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_float=_refuse, parse_constant=_refuse)
