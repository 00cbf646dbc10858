"""An ID token is evidence when its pinned issuer signed it for this key, these grants and this moment."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from id_tokens import AUDIENCE, CLAIMS, NONCE, NOW, SOURCE, Token, jwk, jwks, keys, number
from leadglass_agent.access.evidence import verify_id_token
from leadglass_agent.access.evidence_nonce import evidence_nonce
from leadglass_agent.access.jwks import JwksError, parse_jwks
from leadglass_agent.errors import EvidenceRefused
from leadglass_agent.policy.standing import Evidence

_PRIVATE = ec.generate_private_key(ec.SECP256R1())
_GRANTS = st.lists(st.uuids().map(lambda one: one.hex), max_size=8)
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


def _verified(token: Token, now: int = NOW, nonce: str = NONCE) -> Evidence:
    return verify_id_token(token.text(), source=SOURCE, jwks=jwks(), nonce=nonce, now_unix=now)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_token_of_each_algorithm_says_who_is_there_how_and_since_when(algorithm: str) -> None:
    assert _verified(Token(algorithm)) == Evidence("person-1", frozenset({"pwd", "mfa"}), "gold", NOW - 30)


def test_a_token_without_amr_and_acr_proves_neither() -> None:
    assert _verified(Token(without=("amr", "acr"))) == Evidence("person-1", frozenset(), "", NOW - 30)


def test_times_may_have_fractions_and_clocks_may_differ_by_a_minute() -> None:
    claims: dict[str, object] = {"iat": NOW + 60, "nbf": NOW + 60, "auth_time": NOW - 30.5, "exp": NOW + 0.5}
    assert _verified(Token(claims=claims)).auth_unix == NOW - 31


def test_a_token_for_several_audiences_counts_for_the_one_that_it_was_made_for() -> None:
    claims: dict[str, object] = {"aud": ["other", AUDIENCE], "azp": AUDIENCE}
    assert _verified(Token(claims=claims)).subject == "person-1"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://login.example.org/"}, "iss"),
        ({"iss": ["https://login.example.org"]}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": [AUDIENCE, "other"]}, "azp"),
        ({"aud": [AUDIENCE, 7]}, "aud"),
        ({"azp": "other"}, "azp"),
        ({"nonce": "N" * 43}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"nonce": "ä"}, "nonce"),
        ({"exp": NOW}, "exp"),
        ({"exp": NOW - 1}, "exp"),
        ({"exp": str(NOW + 9)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"iat": NOW + 61}, "iat"),
        ({"nbf": NOW + 61}, "nbf"),
        ({"auth_time": NOW + 61}, "auth_time"),
        ({"auth_time": -1}, "auth_time"),
        ({"sub": ""}, "sub"),
        ({"sub": "s" * 256}, "sub"),
        ({"amr": "mfa"}, "amr"),
        ({"amr": ["mfa", 7]}, "amr"),
        ({"amr": ["mfa"] * 33}, "amr"),
        ({"acr": 2}, "acr"),
        ({"acr": "a" * 257}, "acr"),
    ],
    ids=str,
)
def test_a_claim_that_does_not_fit_is_named_and_refused(claims: dict[str, object], why: str) -> None:
    with pytest.raises(EvidenceRefused, match=f"^{why} "):
        _verified(Token(claims=claims))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "nonce", "iat", "exp", "auth_time"])
def test_a_claim_that_is_missing_is_named_and_refused(claim: str) -> None:
    with pytest.raises(EvidenceRefused, match=f"^{claim} "):
        _verified(Token(without=(claim,)))


@given(digest=_DIGESTS, other=_DIGESTS, grants=_GRANTS, more=st.uuids())
def test_the_nonce_is_of_one_key_and_one_set_of_grants(
    digest: str, other: str, grants: list[str], more: object
) -> None:
    nonce = evidence_nonce(digest, grants)
    text = "\0".join(["leadglass evidence v1", digest, *sorted(grants)]).encode()
    assert nonce == base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().removesuffix("=")
    assert evidence_nonce(digest, reversed(grants)) == nonce
    assert evidence_nonce(digest, [*grants, str(more)]) != nonce
    assert (evidence_nonce(other, grants) == nonce) == (digest == other)


def test_a_token_for_one_grant_is_no_evidence_for_another() -> None:
    nonce = evidence_nonce("ab" * 32, ["1" * 32])
    token = Token(claims={"nonce": nonce})
    assert _verified(token, nonce=nonce).subject == "person-1"
    for other in (evidence_nonce("ab" * 32, ["2" * 32]), evidence_nonce("ab" * 32, []), evidence_nonce("cd" * 32, [])):
        with pytest.raises(EvidenceRefused, match="nonce"):
            _verified(token, nonce=other)


def test_a_key_set_gives_the_signing_keys_by_their_ids() -> None:
    rsa, elliptic = keys()["rsa"], keys()["ec"]
    others: list[dict[str, object]] = [
        jwk(elliptic, "enc", use="enc"),
        {"kty": "AKP", "kid": "pq", "pub": "AAAA"},
        {name: value for name, value in jwk(elliptic, "").items() if name != "kid"},
    ]
    read = parse_jwks(jwks(jwk(rsa, "a", alg="RS256"), jwk(elliptic, "b", x5t="AAAA"), *others))
    assert [(key.key_id, key.algorithm) for key in read] == [("a", "RS256"), ("b", "")]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b'{"keys": {}}',
        b'{"keys": [7]}',
        b"\xff",
        b"[" * 100_000,
        b" " * (256 * 1024 + 1),
        json.dumps({"keys": [{}] * 65}).encode(),
        jwks({"kty": "oct", "kid": "a", "k": "AAAA"}),
        jwks({"kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA"}),
        jwks({"kty": "EC", "kid": "a", "crv": "P-256", "x": "ä", "y": "!!"}),
        jwks({"kty": "RSA", "kid": "a", "n": "AA", "e": ""}),
        jwks({"kty": "RSA", "kid": "a"}),
        jwks({"kty": "RSA", "kid": "a", "n": "gQ" + "A" * 169, "e": "AQAB"}),
        jwks({"kty": "OKP", "kid": "a", "crv": "X9", "x": "AA"}),
        jwks(jwk(keys()["ed"], "a"), jwk(keys()["ec"], "a")),
        jwks(jwk(_PRIVATE, "a", d=number(_PRIVATE.private_numbers().private_value, 32))),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_file_that_is_no_usable_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(JwksError):
        parse_jwks(text)
    with pytest.raises(EvidenceRefused):
        verify_id_token(Token().text(), source=SOURCE, jwks=text, nonce=NONCE, now_unix=NOW)


def test_a_policy_without_algorithms_accepts_none() -> None:
    with pytest.raises(EvidenceRefused, match="algorithm"):
        verify_id_token(
            Token().text(),
            source=replace(SOURCE, algorithms=frozenset()),
            jwks=jwks(),
            nonce=NONCE,
            now_unix=NOW,
        )


def test_a_claim_that_nobody_asked_for_changes_nothing() -> None:
    assert _verified(Token(claims={"groups": ["admin"], "email": "a@example.org"})) == _verified(Token())
    assert set(CLAIMS) >= {"iss", "aud", "exp", "iat", "nonce", "sub"}
