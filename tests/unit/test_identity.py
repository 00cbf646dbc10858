"""Exactly one SPIFFE id, from a certificate that is valid now, on a connection that proved it now."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import (
    ALICE,
    GOOD_RECIPES,
    TRUST_DOMAIN,
    Bad,
    Recipe,
    auth_context,
    bad_certificates,
    issue,
    new_authority,
)
from leadglass_agent.errors import CertificateExpired, IdentityRefused, Reason
from leadglass_agent.identity import authenticate

_AUTHORITY = new_authority()
_GOOD = issue(_AUTHORITY, Recipe())
_PARSED = x509.load_pem_x509_certificate(_GOOD.pem)
_START = int(_PARSED.not_valid_before_utc.timestamp())
_END = int(_PARSED.not_valid_after_utc.timestamp())
_PEER = "ipv4:127.0.0.1:5"
# The chain to the authority is TLS' business; these are wrong in nothing that this function sees.
_WRONG_CHAIN = {"another authority", "an authority of the same name", "its own signature"}
_BAD = [bad for bad in bad_certificates(_AUTHORITY) if bad.name not in _WRONG_CHAIN]


@pytest.mark.parametrize("name", GOOD_RECIPES)
def test_a_good_certificate_is_accepted(name: str) -> None:
    caller = authenticate(auth_context(issue(_AUTHORITY, GOOD_RECIPES[name]).pem), _PEER, TRUST_DOMAIN, time.time())
    assert caller.spiffe_id == ALICE
    assert caller.peer == _PEER


def test_a_caller_is_known_by_id_key_and_serial() -> None:
    caller = authenticate(auth_context(_GOOD.pem), _PEER, TRUST_DOMAIN, time.time())
    spki = _PARSED.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert caller.key_digest == hashlib.sha256(spki).hexdigest()
    assert caller.serial == f"{_PARSED.serial_number:x}"
    assert caller.not_after_unix == _END


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: bad.name)
def test_a_bad_certificate_is_refused(bad: Bad) -> None:
    with pytest.raises((IdentityRefused, CertificateExpired)):
        authenticate(auth_context(bad.certificate.pem), _PEER, TRUST_DOMAIN, time.time())


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: bad.name)
def test_a_bad_certificate_is_refused_even_if_the_tls_library_vouches_for_an_id(bad: Bad) -> None:
    context = auth_context(bad.certificate.pem, peer_spiffe_id=(ALICE.encode(),))
    with pytest.raises((IdentityRefused, CertificateExpired)):
        authenticate(context, _PEER, TRUST_DOMAIN, time.time())


@pytest.mark.parametrize(
    ("moment", "accepted"), [(_START - 1, False), (_START, True), (_END - 1, True), (_END, False), (_END + 1, False)]
)
def test_validity_is_looked_at_on_each_call(moment: int, *, accepted: bool) -> None:
    context = auth_context(_GOOD.pem)
    authenticate(context, _PEER, TRUST_DOMAIN, _START + 1)  # it was good before, and is remembered
    if accepted:
        assert authenticate(context, _PEER, TRUST_DOMAIN, moment).spiffe_id == ALICE
    else:
        with pytest.raises(CertificateExpired) as caught:
            authenticate(context, _PEER, TRUST_DOMAIN, moment)
        assert caught.value.reason is Reason.CERTIFICATE_EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        {"transport_security_type": (b"insecure",)},
        {"transport_security_type": (b"local",)},
        {"transport_security_type": ()},
        {"ssl_tls_version": (b"TLSv1.2",)},
        {"ssl_tls_version": (b"",)},
        {"ssl_tls_version": ()},
        {"ssl_session_reused": (b"true",)},
        {"ssl_session_reused": (b"",)},
        {"ssl_session_reused": ()},
        {"x509_pem_cert": ()},
        {"x509_pem_cert": (b"",)},
        {"x509_pem_cert": (_GOOD.pem, _GOOD.pem)},
        {"x509_pem_cert": (_GOOD.pem + bytes(40_000),)},
        {"peer_spiffe_id": ()},
        {"peer_spiffe_id": (ALICE.encode(), ALICE.encode())},
        {"peer_spiffe_id": (b"spiffe://test.leadglass/user/bob",)},
    ],
    ids=str,
)
def test_a_connection_that_proves_less_is_refused(changes: dict[str, tuple[bytes, ...]]) -> None:
    with pytest.raises(IdentityRefused):
        authenticate(auth_context(_GOOD.pem, **changes), _PEER, TRUST_DOMAIN, time.time())


@pytest.mark.parametrize("name", sorted(auth_context(_GOOD.pem)))
def test_a_connection_that_says_too_little_is_refused(name: str) -> None:
    context = auth_context(_GOOD.pem)
    del context[name]
    with pytest.raises(IdentityRefused):
        authenticate(context, _PEER, TRUST_DOMAIN, time.time())


def test_a_connection_without_tls_is_refused() -> None:
    with pytest.raises(IdentityRefused):
        authenticate({}, _PEER, TRUST_DOMAIN, time.time())


_property = st.sampled_from(
    ["transport_security_type", "ssl_tls_version", "ssl_session_reused", "x509_pem_cert", "peer_spiffe_id"]
)


@given(changes=st.dictionaries(_property, st.lists(st.binary(max_size=30), max_size=2), min_size=1))
def test_any_other_word_of_the_tls_library_is_a_refusal(changes: dict[str, list[bytes]]) -> None:
    context = auth_context(_GOOD.pem) | {name: tuple(values) for name, values in changes.items()}
    if context == auth_context(_GOOD.pem):
        return
    with pytest.raises(IdentityRefused):
        authenticate(context, _PEER, TRUST_DOMAIN, time.time())


_DER = _PARSED.public_bytes(Encoding.DER)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=800)
@given(position=st.integers(0, len(_DER) - 1), patch=st.binary(min_size=1, max_size=3), removed=st.integers(0, 3))
def test_a_damaged_certificate_is_accepted_as_alice_or_refused(position: int, patch: bytes, removed: int) -> None:
    der = _DER[:position] + patch + _DER[position + removed :]
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    context = auth_context(_GOOD.pem, x509_pem_cert=(pem,))
    # A damaged signature or serial is TLS' business; the id is ours.
    with suppress(IdentityRefused, CertificateExpired):
        assert authenticate(context, _PEER, TRUST_DOMAIN, time.time()).spiffe_id == ALICE
