"""ID tokens as an attacker would make them: none is evidence, and no refusal quotes one."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from id_tokens import CLAIMS, NONCE, NOW, SOURCE, Token, b64, jwk, jwks, keys
from leadglass_agent.access.evidence import MAX_TOKEN, verify_id_token
from leadglass_agent.errors import EvidenceRefused
from leadglass_agent.policy.model import EvidenceSource
from planted_secrets import plant


def _refused(token: str, source: EvidenceSource = SOURCE, key_set: bytes | None = None) -> str:
    with pytest.raises(EvidenceRefused) as caught:
        verify_id_token(token, source=source, jwks=key_set or jwks(), nonce=NONCE, now_unix=NOW)
    assert caught.value.__cause__ is None
    return str(caught.value)


def _unsigned(header: dict[str, object], signature: str = "") -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(dict(CLAIMS)).encode())}.{signature}"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature_is_refused_whatever_policy_lists(name: str) -> None:
    generous = EvidenceSource(SOURCE.issuer, SOURCE.jwks, SOURCE.audience, frozenset({name, "ES256"}))
    for key_id in ("ec", "rsa", ""):
        for signature in ("", "AAAA"):
            assert "algorithm" in _refused(_unsigned({"alg": name, "kid": key_id or "x"}, signature), generous)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    generous = EvidenceSource(SOURCE.issuer, SOURCE.jwks, SOURCE.audience, frozenset({algorithm, "RS256"}))
    public = keys()["rsa"].public_key()
    spellings = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk(keys()["rsa"], "rsa")).encode(),
        jwks(),
    )
    for secret in spellings:
        signed = _unsigned({"alg": algorithm, "kid": "rsa"}).removesuffix(".")
        mac = hmac.new(secret, signed.encode(), hashlib.new("sha" + algorithm[2:]).name).digest()
        for source in (SOURCE, generous):
            assert "algorithm" in _refused(f"{signed}.{b64(mac)}", source)


def test_a_key_that_the_token_brings_along_is_not_looked_at() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    for header in ({"jwk": jwk(own, "ec")}, {"jku": "https://evil.example/jwks"}, {"x5c": ["AAAA"]}):
        assert "signature" in _refused(Token(key=own, header=header).text())


def test_a_key_of_the_set_is_chosen_by_its_id_alone() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    both = jwks(jwk(keys()["ec"], "ec"), jwk(other, "other"))
    assert "signature" in _refused(Token(key=other).text(), key_set=both)
    assert "kid" in _refused(Token(key_id="gone").text())
    for header in ({"kid": None}, {"kid": ""}, {"kid": ["ec"]}, {"kid": "../ec"}):
        assert "kid" in _refused(Token(header=header).text())


def test_a_key_is_used_for_the_algorithm_that_it_was_published_for() -> None:
    bound = jwks(jwk(keys()["rsa"], "rsa", alg="RS256"))
    assert "another algorithm" in _refused(Token("PS256").text(), key_set=bound)
    # A key of another type than the algorithm asks for.
    for algorithm, key_id in (("ES256", "rsa"), ("RS256", "ec"), ("EdDSA", "ec"), ("PS256", "ed")):
        assert "signature" in _refused(Token(algorithm, key_id=key_id).text())
    # ES256 is of P-256 alone.
    curve = ec.generate_private_key(ec.SECP384R1())
    point = curve.public_key().public_numbers()
    p384 = {"kty": "EC", "kid": "ec", "crv": "P-384", "x": b64(point.x.to_bytes(48)), "y": b64(point.y.to_bytes(48))}
    assert "signature" in _refused(Token().text(), key_set=jwks(p384))


def test_an_algorithm_that_policy_does_not_list_is_refused_although_the_key_would_do() -> None:
    narrow = EvidenceSource(SOURCE.issuer, SOURCE.jwks, SOURCE.audience, frozenset({"ES256"}))
    assert "algorithm" in _refused(Token("RS256").text(), narrow)


def test_a_short_rsa_key_makes_the_whole_set_unusable() -> None:
    short = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - what has to be refused
    assert "2048" in _refused(Token("RS256", key=short).text(), key_set=jwks(jwk(short, "rsa")))


def test_extensions_of_the_format_are_refused() -> None:
    headers: tuple[dict[str, object], ...] = (
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
    )
    for header in headers:
        assert "extension" in _refused(Token(header=header).text())


def test_a_member_that_is_given_twice_is_refused_before_anybody_reads_the_wrong_one() -> None:
    claims = json.dumps(dict(CLAIMS))
    doubled = claims[:-1] + ', "sub": "admin"}'
    assert "twice" in _refused(Token(payload=doubled.encode()).text())
    header = b64(b'{"alg": "none", "alg": "ES256", "kid": "ec"}')
    assert "twice" in _refused(".".join([header, *Token().text().split(".")[1:]]))


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b'"x"', b"\xff\xfe", b"{" * 9_000, b'{"exp": NaN}', b'{"exp": ' + b"9" * 5_000 + b"}"]
)
def test_a_signed_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    _refused(Token(payload=payload).text())


def test_a_token_is_bounded_before_it_is_decoded() -> None:
    assert "16 KiB" in _refused("A" * (MAX_TOKEN + 1))
    assert "16 KiB" in _refused("ä" * 10)
    assert "part of the token" in _refused(Token(header={"x": "y" * 5_000}).text())


def test_parts_are_neither_added_nor_taken_away() -> None:
    header, payload, signature = Token().text().split(".")
    forms = ("", "..", header, f"{header}.{payload}", f"{header}..{signature}", f"{header}.{payload}.{signature}.")
    for text in (*forms, f"{header}.{payload}.{signature}.x.y", json.dumps({"payload": payload})):
        _refused(text)


def test_a_part_has_one_spelling() -> None:
    header, payload, signature = Token().text().split(".")
    for text in (f"{header}=", f" {header}", f"{header}\n", header.replace("J", "+", 1)):
        _refused(f"{text}.{payload}.{signature}")
    # The last character of 86 that carry 64 bytes has four bits which say nothing.
    spelled = signature[:-1] + chr(ord(signature[-1]) + 1)
    _refused(f"{header}.{payload}.{spelled}")


@given(data=st.data())
def test_no_edited_token_is_evidence(data: st.DataObject) -> None:
    token = Token(data.draw(st.sampled_from(["ES256", "RS256", "EdDSA"]))).text()
    at = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda one: one != token[at]))
    edited = data.draw(st.sampled_from([token[:at] + new + token[at + 1 :], token[:at] + token[at + 1 :], token[:at]]))
    _refused(edited)


@given(text=st.text(max_size=300) | st.text("ABCab-_.=", max_size=300))
def test_noise_is_no_evidence(text: str) -> None:
    _refused(text)


def test_no_refusal_holds_a_piece_of_the_token() -> None:
    planted = plant("sub", "kid", "header", "iss", "aud", "nonce", "acr")
    for token in (
        Token(claims={"iss": planted["iss"], "sub": planted["sub"]}),
        Token(claims={"aud": planted["aud"]}),
        Token(claims={"nonce": planted["nonce"]}),
        Token(claims={"acr": planted["acr"] * 20}),
        Token(key_id=planted["kid"]),
        Token(header={"alg": planted["header"]}),
    ):
        assert planted.leaks(_refused(token.text()).encode()) == ()
