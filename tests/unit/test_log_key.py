"""The log's key is the agent's whose certificate signed it, and nobody else's."""

from __future__ import annotations

import base64
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certificates import HOUR, TRUST_DOMAIN, Authority, Certificate, Recipe, issue, new_authority
from leadglass_agent.audit.checkpoint import LogSigner
from leadglass_agent.audit.log_key import Certified, LogKeyError, certify, check_certified, statement

AGENT = f"spiffe://{TRUST_DOMAIN}/agent/shop"
ORIGIN = f"{TRUST_DOMAIN}/agent/shop/log/0123456789abcdef"
VERIFIER_KEY = LogSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32)))).verifier_key
AUTHORITY = new_authority()
SERVER = Recipe(uris=(AGENT,), dns=("shop",), usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
ISSUED = issue(AUTHORITY, SERVER)


def _der(certificate: Certificate) -> str:
    return base64.b64encode(x509.load_pem_x509_certificate(certificate.pem).public_bytes(Encoding.DER)).decode()


def _sign(certificate: Certificate, verifier_key: str = VERIFIER_KEY) -> str:
    return certify(verifier_key, load_pem_private_key(certificate.key, password=None))


def _pem(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(Encoding.PEM)


def _check(
    certificate: Certificate = ISSUED,
    *,
    verifier_key: str = VERIFIER_KEY,
    signature: str | None = None,
    authorities: bytes | None = None,
    in_time: timedelta = timedelta(),
) -> Certified:
    return check_certified(
        verifier_key,
        _der(certificate),
        _sign(certificate) if signature is None else signature,
        authorities_pem=authorities,
        at_unix=time.time() + in_time.total_seconds(),
    )


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA", "Ed25519"])
def test_the_key_of_a_certificate_of_any_kind_vouches_for_the_logs(kind: str) -> None:
    certificate = issue(AUTHORITY, Recipe(uris=(AGENT,), key=kind))

    found = _check(certificate, authorities=_pem(AUTHORITY))

    ends = x509.load_pem_x509_certificate(certificate.pem).not_valid_after_utc
    assert found == Certified(AGENT, int(ends.timestamp()))


def test_what_is_signed_says_what_it_is_for() -> None:
    assert statement(VERIFIER_KEY) == b"leadglass.dev/audit/log-key/v1\n" + VERIFIER_KEY.encode()


def test_a_key_of_a_kind_that_tls_does_not_use_signs_nothing() -> None:
    with pytest.raises(LogKeyError, match="kind"):
        certify(VERIFIER_KEY, dsa.generate_private_key(2_048))


def test_without_authorities_the_signature_alone_is_checked() -> None:
    stranger = issue(new_authority(), SERVER)

    assert _check(stranger).spiffe_id == AGENT
    with pytest.raises(LogKeyError, match="no authority"):
        _check(stranger, authorities=_pem(AUTHORITY))


def test_the_time_that_counts_is_that_of_the_record() -> None:
    assert _check(authorities=_pem(AUTHORITY)).spiffe_id == AGENT
    for late in (2 * HOUR, -2 * HOUR):
        with pytest.raises(LogKeyError, match="no authority"):
            _check(authorities=_pem(AUTHORITY), in_time=late)


def test_authorities_that_are_none_are_refused() -> None:
    for authorities in (b"", b"no certificate", ISSUED.pem):
        with pytest.raises(LogKeyError, match="authorities cannot be read"):
            _check(authorities=authorities)


def test_the_signature_of_another_key_or_over_another_is_refused() -> None:
    other = LogSigner(ORIGIN, Ed25519PrivateKey.generate()).verifier_key

    for signature in (_sign(issue(AUTHORITY, SERVER)), _sign(ISSUED, other), ""):
        with pytest.raises(LogKeyError, match="did not sign"):
            _check(signature=signature)
    with pytest.raises(LogKeyError, match="did not sign"):
        _check(verifier_key=other)


@pytest.mark.parametrize("kind", ["P-256", "RSA", "Ed25519"])
def test_no_flipped_bit_of_a_signature_is_accepted(kind: str) -> None:
    certificate = issue(AUTHORITY, Recipe(uris=(AGENT,), key=kind))
    raw = base64.b64decode(_sign(certificate))
    for at in range(len(raw)):
        damaged = bytearray(raw)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(LogKeyError, match="did not sign"):
            _check(certificate, signature=base64.b64encode(damaged).decode())


def test_another_holder_of_a_certificate_cannot_sign_in_the_agents_name() -> None:
    for uri in (f"spiffe://{TRUST_DOMAIN}/agent/shop2", f"spiffe://{TRUST_DOMAIN}/agent", f"{AGENT}/log/x"):
        with pytest.raises(LogKeyError, match="not that of the agent"):
            _check(issue(AUTHORITY, Recipe(uris=(uri,))), authorities=_pem(AUTHORITY))
    with pytest.raises(LogKeyError, match="not that of the agent"):
        _check(issue(AUTHORITY, Recipe(uris=(), dns=("shop",))))


def test_a_log_that_names_no_agent_is_anybodys_and_says_whose() -> None:
    verifier_key = LogSigner("leadglass.dev/unnamed/log/0123456789abcdef", Ed25519PrivateKey.generate()).verifier_key
    nameless = issue(AUTHORITY, Recipe(uris=(), dns=("shop",)))

    for certificate, spiffe_id in ((nameless, ""), (ISSUED, AGENT)):
        found = _check(certificate, verifier_key=verifier_key, signature=_sign(certificate, verifier_key))
        assert found.spiffe_id == spiffe_id


@pytest.mark.parametrize(
    "uris", [(AGENT, f"{AGENT}2"), ("https://example.org",), (f"spiffe://{TRUST_DOMAIN}",), (f"{AGENT}?a=b",)]
)
def test_a_certificate_with_no_single_spiffe_id_is_refused(uris: tuple[str, ...]) -> None:
    with pytest.raises(LogKeyError, match="more than one URI"):
        _check(issue(AUTHORITY, Recipe(uris=uris)))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()))
def test_no_text_breaks_the_check(text: str) -> None:
    signature = _sign(ISSUED)
    for verifier_key, certificate, signed in (
        (text, _der(ISSUED), signature),
        (VERIFIER_KEY, text, signature),
        (VERIFIER_KEY, _der(ISSUED), text),
    ):
        with pytest.raises(LogKeyError):
            check_certified(verifier_key, certificate, signed, authorities_pem=None, at_unix=0.0)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # cryptography's word on a flipped sign
def test_no_damaged_certificate_vouches_or_breaks_the_check() -> None:
    whole = base64.b64decode(_der(ISSUED))
    tbs = x509.load_pem_x509_certificate(ISSUED.pem).tbs_certificate_bytes
    start = whole.index(tbs)
    # Behind what the authority signed lies its signature, whose encoding has bits that mean nothing.
    for at in range(start, start + len(tbs)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(LogKeyError):
            check_certified(
                VERIFIER_KEY,
                base64.b64encode(damaged).decode(),
                _sign(ISSUED),
                authorities_pem=_pem(AUTHORITY),
                at_unix=time.time(),
            )


def test_what_is_too_long_is_not_read() -> None:
    for certificate, signature in ((_der(ISSUED), "A" * 4_096), ("A" * 40_000, _sign(ISSUED))):
        with pytest.raises(LogKeyError, match="too long"):
            check_certified(VERIFIER_KEY, certificate, signature, authorities_pem=None, at_unix=0.0)
