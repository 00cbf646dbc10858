"""Envelopes are read strictly, and a signature covers the payload's type as well as its bytes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.dsse import (
    CERTIFICATES_KIND,
    MAX_CERTIFICATES,
    MAX_ENVELOPE,
    MAX_SIGNATURES,
    Envelope,
    EnvelopeError,
    Signature,
    key_digest,
    pae,
    parse_envelope,
    signed,
    verifies,
    write_envelope,
)

# The example of the specification's protocol.md: its key is published there, and its signature is r and s without DER.
_TYPE = "http://example.com/HelloWorld"
_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
_RAW = base64.b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
_VECTOR = json.dumps(
    {
        "payload": "aGVsbG8gd29ybGQ=",
        "payloadType": _TYPE,
        "signatures": [{"sig": base64.b64encode(_RAW).decode()}],
    }
)

_KEYS: dict[str, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
_OTHER_KEYS: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "RSA": rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
}
_ENVELOPE = Envelope("application/vnd.test+json", b'{"a":1}')
_SIGNED = {name: signed(_ENVELOPE, key, "certificates") for name, key in _KEYS.items()}

_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=64)
_SIGNATURES = st.builds(Signature, keyid=_TEXT, signature=st.binary(max_size=128), certificates=st.text(max_size=200))
_ENVELOPES = st.builds(
    Envelope,
    payload_type=_TEXT,
    payload=st.binary(max_size=500),
    signatures=st.lists(_SIGNATURES, max_size=4).map(tuple),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid", "extension", "kind", "ext"]), inner
        )
    ),
    max_leaves=12,
)


def _document(**changes: object) -> str:
    signature = {"sig": "AAAA"}
    return json.dumps({"payload": "e30=", "payloadType": "t", "signatures": [signature], **changes})


def test_the_encoding_before_signing_is_that_of_the_specification() -> None:
    assert pae(_TYPE, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("ü", b"\x00 \xff") == b"DSSEv1 2 \xc3\xbc 3 \x00 \xff"  # lengths are bytes


def test_the_envelope_of_the_specification_is_read_and_its_signature_verifies() -> None:
    envelope = parse_envelope(_VECTOR)
    assert (envelope.payload_type, envelope.payload) == (_TYPE, b"hello world")
    assert envelope.signatures == (Signature("", _RAW, ""),)
    key = ec.EllipticCurvePublicNumbers(_X, _Y, ec.SECP256R1()).public_key()
    der = encode_dss_signature(int.from_bytes(_RAW[:32]), int.from_bytes(_RAW[32:]))
    assert verifies(envelope, Signature("", der, ""), key)
    assert not verifies(envelope, envelope.signatures[0], key), "one form of signature is enough: DER"
    assert not verifies(replace(envelope, payload=b"hello World"), Signature("", der, ""), key)


@given(st.tuples(_TEXT, st.binary(max_size=40)), st.tuples(_TEXT, st.binary(max_size=40)))
def test_no_two_payloads_are_signed_as_the_same_bytes(first: tuple[str, bytes], second: tuple[str, bytes]) -> None:
    assert (pae(*first) == pae(*second)) == (first == second)


@pytest.mark.parametrize("name", _KEYS)
def test_who_signed_is_recognised_and_nobody_else(name: str) -> None:
    envelope, key = _SIGNED[name], _KEYS[name]
    (signature,) = envelope.signatures
    assert signature.keyid == key_digest(key.public_key())
    assert verifies(envelope, signature, key.public_key())
    for other in (*_KEYS.values(), *_OTHER_KEYS.values(), ec.generate_private_key(ec.SECP256R1())):
        assert verifies(envelope, signature, other.public_key()) == (other is key)


@pytest.mark.parametrize("name", _KEYS)
def test_a_signature_covers_type_and_payload(name: str) -> None:
    envelope, key = _SIGNED[name], _KEYS[name].public_key()
    (signature,) = envelope.signatures
    assert not verifies(replace(envelope, payload=b'{"a":2}'), signature, key)
    assert not verifies(replace(envelope, payload_type="application/vnd.test2+json"), signature, key)
    # The bytes of one field moved into the other.
    assert not verifies(Envelope("application/vnd.test+json 7", b""), signature, key)


@pytest.mark.parametrize("name", _KEYS)
@given(damage=st.integers(min_value=0, max_value=10_000))
def test_a_signature_with_one_bit_changed_does_not_verify(name: str, damage: int) -> None:
    (signature,) = _SIGNED[name].signatures
    at, bit = divmod(damage % (8 * len(signature.signature)), 8)
    damaged = bytearray(signature.signature)
    damaged[at] ^= 1 << bit
    wrong = replace(signature, signature=bytes(damaged))
    assert not verifies(_SIGNED[name], wrong, _KEYS[name].public_key())


@pytest.mark.parametrize("name", _OTHER_KEYS)
def test_other_kinds_of_keys_do_not_sign(name: str) -> None:
    with pytest.raises(EnvelopeError, match="P-256 and Ed25519"):
        signed(_ENVELOPE, _OTHER_KEYS[name], "")


def test_a_key_signs_once_and_several_keys_sign_beside_each_other() -> None:
    envelope = _ENVELOPE
    for key in _KEYS.values():
        envelope = signed(envelope, key, "")
    assert len(envelope.signatures) == 2
    for signature, key in zip(envelope.signatures, _KEYS.values(), strict=True):
        assert verifies(envelope, signature, key.public_key())
        with pytest.raises(EnvelopeError, match="already"):
            signed(envelope, key, "")


@given(_ENVELOPES)
def test_what_is_written_reads_back_the_same(envelope: Envelope) -> None:
    assert parse_envelope(write_envelope(envelope)) == envelope


def test_layout_does_not_matter() -> None:
    text = write_envelope(_SIGNED["P-256"])
    assert parse_envelope(json.dumps(json.loads(text), indent=4, sort_keys=True)) == _SIGNED["P-256"]


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe\xfd", b"\xfb\xef", b"??>>"])
def test_both_alphabets_of_base64_are_read(payload: bytes) -> None:
    for text in (base64.b64encode(payload), base64.urlsafe_b64encode(payload)):
        assert parse_envelope(_document(payload=text.decode())).payload == payload


@pytest.mark.parametrize(
    "text",
    ["e30", "e31=", "e30==", "e3 0=", "e30=\n", "\ne30=", "e30=e30=", "-_+/", "=", "é30=", "e30=\x00"],
)
def test_base64_in_another_form_than_its_one_is_refused(text: str) -> None:
    for changed in ({"payload": text}, {"signatures": [{"sig": text}]}):
        with pytest.raises(EnvelopeError):
            parse_envelope(_document(**changed))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "{} ",
        _document() + _document(),
        _document() + " x",
        "\ufeff" + _document(),
        _document(payload=None),
        _document(payload=7),
        _document(payloadType=None),
        _document(payloadType="t" * 129),
        _document(payloadType="t\n"),
        _document(payloadType="tÿpe"),
        _document(signatures=None),
        _document(signatures={}),
        _document(signatures=["AAAA"]),
        _document(signatures=[{}]),
        _document(signatures=[{"sig": "AAAA"}] * (MAX_SIGNATURES + 1)),
        _document(signatures=[{"sig": None}]),
        _document(signatures=[{"sig": "A" * 176}]),
        _document(signatures=[{"sig": "AAAA", "cert": "x"}]),
        _document(signatures=[{"sig": "AAAA", "keyid": 1}]),
        _document(signatures=[{"sig": "AAAA", "keyid": "a" * 65}]),
        _document(signatures=[{"sig": "AAAA", "extension": "x"}]),
        _document(signatures=[{"sig": "AAAA", "extension": {"kind": "x", "ext": {"certificates": ""}}}]),
        _document(signatures=[{"sig": "AAAA", "extension": {"kind": CERTIFICATES_KIND, "ext": {}}}]),
        _document(
            signatures=[{"sig": "AAAA", "extension": {"kind": CERTIFICATES_KIND, "ext": {"certificates": ["x"]}}}]
        ),
        _document(
            signatures=[
                {
                    "sig": "AAAA",
                    "extension": {"kind": CERTIFICATES_KIND, "ext": {"certificates": "x" * (MAX_CERTIFICATES + 1)}},
                }
            ]
        ),
        _document(payloadUtf8="{}"),
        _document(payload="A" * (MAX_ENVELOPE + 4)),
        '{"payload": "e30=", "payloadType": "t", "signatures": [], "signatures": []}',
        '{"payload": "e30=", "payload": "e31=", "payloadType": "t", "signatures": []}',
        '{"payload": "e30=", "payloadType": "t", "signatures": [{"sig": "AAAA", "sig": "AAAB"}]}',
        "[" * 60_000,
        '{"payload": 1e999}',
        '{"payload": NaN}',
        '{"payload": ' + "9" * 10_000 + "}",
        " " * MAX_ENVELOPE + _document(),
        "ü" * MAX_ENVELOPE,
        "\ud800",
    ],
    ids=lambda text: f"{len(text)} characters",
)
def test_whatever_is_not_exactly_an_envelope_is_refused(text: str) -> None:
    with pytest.raises(EnvelopeError):
        parse_envelope(text)


@given(st.text())
def test_any_text_is_an_envelope_or_refused(text: str) -> None:
    with pytest.raises(EnvelopeError):
        parse_envelope(text)


@given(_JSON, st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures"]), _JSON))
def test_any_json_is_an_envelope_or_refused(value: object, changes: dict[str, object]) -> None:
    for text in (json.dumps(value), _document(**changes)):
        try:
            envelope = parse_envelope(text)
        except EnvelopeError:
            continue
        assert parse_envelope(write_envelope(envelope)) == envelope


def test_a_refusal_echoes_nothing_of_the_text() -> None:
    for text in (_document(marker1="x"), _document(payload="marker1"), "marker1", _document(payloadType="marker1\n")):
        with pytest.raises(EnvelopeError) as caught:
            parse_envelope(text)
        assert "marker1" not in str(caught.value)


def test_reading_grants_needs_nothing_that_only_the_sidecar_has() -> None:
    program = (
        "import sys\n"
        "from leadglass_agent.access import dsse, grant, grant_json, signer\n"
        "print([name for name in ('msgspec', 'grpc', 'hyperscan', 'opentelemetry', 'yaml') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr
