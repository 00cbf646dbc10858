"""Exactly one SPIFFE id, from a certificate that is valid and vouched for now, on a connection that proved it now."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import (
    ALICE,
    GOOD_RECIPES,
    TRUST_DOMAIN,
    Authority,
    Bad,
    Recipe,
    auth_context,
    bad_certificates,
    issue,
    new_authority,
)
from chains import authority, leaf
from leadglass_agent.access.deny_list import DenyList
from leadglass_agent.errors import CertificateExpired, CertificateRevoked, IdentityRefused, Reason
from leadglass_agent.identity import Caller, authenticate
from leadglass_agent.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_AUTHORITY = new_authority()
_TRUST = Trust(_AUTHORITY.certificate.public_bytes(Encoding.PEM))
_NOBODY = DenyList()
_GOOD = issue(_AUTHORITY, Recipe())
_PARSED = x509.load_pem_x509_certificate(_GOOD.pem)
_START = int(_PARSED.not_valid_before_utc.timestamp())
_END = int(_PARSED.not_valid_after_utc.timestamp())
_PEER = "ipv4:127.0.0.1:5"
_BAD = list(bad_certificates(_AUTHORITY))
_REFUSALS = (IdentityRefused, CertificateExpired, CertificateRevoked)


def _authenticate(auth: Mapping[str, Iterable[bytes]], now_unix: float | None = None) -> Caller:
    return authenticate(auth, _PEER, TRUST_DOMAIN, time.time() if now_unix is None else now_unix, _TRUST, _NOBODY)


@pytest.mark.parametrize("name", GOOD_RECIPES)
def test_a_good_certificate_is_accepted(name: str) -> None:
    caller = _authenticate(auth_context(issue(_AUTHORITY, GOOD_RECIPES[name]).pem))
    assert caller.spiffe_id == ALICE
    assert caller.peer == _PEER


def test_a_caller_is_known_by_id_key_and_serial() -> None:
    caller = _authenticate(auth_context(_GOOD.pem))
    spki = _PARSED.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert caller.key_digest == hashlib.sha256(spki).hexdigest()
    assert caller.serial == f"{_PARSED.serial_number:x}"
    assert (caller.certificate_since_unix, caller.not_after_unix) == (_START, _END)


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: bad.name)
def test_a_bad_certificate_is_refused(bad: Bad) -> None:
    with pytest.raises(_REFUSALS):
        _authenticate(auth_context(bad.certificate.pem))


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: bad.name)
def test_a_bad_certificate_is_refused_even_if_the_tls_library_vouches_for_an_id(bad: Bad) -> None:
    context = auth_context(bad.certificate.pem, peer_spiffe_id=(ALICE.encode(),))
    with pytest.raises(_REFUSALS):
        _authenticate(context)


@pytest.mark.parametrize(
    ("moment", "accepted"), [(_START - 1, False), (_START, True), (_END - 1, True), (_END, False), (_END + 1, False)]
)
def test_validity_is_looked_at_on_each_call(moment: int, *, accepted: bool) -> None:
    context = auth_context(_GOOD.pem)
    _authenticate(context, _START + 1)  # it was good before, and is remembered
    if accepted:
        assert _authenticate(context, moment).spiffe_id == ALICE
    else:
        with pytest.raises(CertificateExpired) as caught:
            _authenticate(context, moment)
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
        _authenticate(auth_context(_GOOD.pem, **changes))


@pytest.mark.parametrize("name", sorted(auth_context(_GOOD.pem)))
def test_a_connection_that_says_too_little_is_refused(name: str) -> None:
    context = auth_context(_GOOD.pem)
    del context[name]
    with pytest.raises(IdentityRefused):
        _authenticate(context)


def test_a_connection_without_tls_is_refused() -> None:
    with pytest.raises(IdentityRefused):
        _authenticate({})


_property = st.sampled_from(
    ["transport_security_type", "ssl_tls_version", "ssl_session_reused", "x509_pem_cert", "peer_spiffe_id"]
)


@given(changes=st.dictionaries(_property, st.lists(st.binary(max_size=30), max_size=2), min_size=1))
def test_any_other_word_of_the_tls_library_is_a_refusal(changes: dict[str, list[bytes]]) -> None:
    context = auth_context(_GOOD.pem) | {name: tuple(values) for name, values in changes.items()}
    if context == auth_context(_GOOD.pem):
        return
    with pytest.raises(IdentityRefused):
        _authenticate(context)


_DER = _PARSED.public_bytes(Encoding.DER)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=800)
@given(position=st.integers(0, len(_DER) - 1), patch=st.binary(min_size=1, max_size=3), removed=st.integers(0, 3))
def test_a_damaged_certificate_is_refused(position: int, patch: bytes, removed: int) -> None:
    der = _DER[:position] + patch + _DER[position + removed :]
    if der == _DER:
        return
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    context = auth_context(_GOOD.pem, x509_pem_cert=(pem,))
    with suppress(*_REFUSALS):
        _authenticate(context)
        pytest.fail("a damaged certificate was accepted")


def _authorities(*authorities: Authority) -> Trust:
    return Trust(b"".join(authority.certificate.public_bytes(Encoding.PEM) for authority in authorities))


def test_an_authority_that_was_taken_away_takes_its_callers_with_it() -> None:
    successor = new_authority()
    context, now = auth_context(_GOOD.pem), time.time()
    for trust in (_authorities(_AUTHORITY), _authorities(_AUTHORITY, successor), _authorities(successor, _AUTHORITY)):
        assert authenticate(context, _PEER, TRUST_DOMAIN, now, trust, _NOBODY).spiffe_id == ALICE
    with pytest.raises(CertificateRevoked) as caught:
        authenticate(context, _PEER, TRUST_DOMAIN, now, _authorities(successor), _NOBODY)
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


def test_an_intermediate_that_the_peer_sent_leads_up_but_is_trusted_for_nothing() -> None:
    root, strange_root = authority("root"), authority("strange root")
    trust, now = Trust(root.pem), time.time()
    client = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)]
    for above, accepted in ((root, True), (strange_root, False)):
        middle = authority("middle", above)
        context = auth_context(leaf(middle, extra=client).pem, x509_pem_cert_chain=(middle.pem + above.pem,))
        if accepted:
            assert authenticate(context, _PEER, TRUST_DOMAIN, now, trust, _NOBODY).spiffe_id == ALICE
            del context["x509_pem_cert_chain"]
        with pytest.raises(CertificateRevoked):
            authenticate(context, _PEER, TRUST_DOMAIN, now, trust, _NOBODY)


def test_two_chains_are_one_too_many() -> None:
    with pytest.raises(IdentityRefused):
        _authenticate(auth_context(_GOOD.pem, x509_pem_cert_chain=(_GOOD.pem, _GOOD.pem)))


@pytest.mark.parametrize(
    "denied",
    [
        DenyList(serials=frozenset({f"{_PARSED.serial_number:x}"})),
        DenyList(keys=frozenset({_authenticate(auth_context(_GOOD.pem)).key_digest})),
        DenyList(callers=frozenset({ALICE})),
    ],
    ids=["serial", "key", "caller"],
)
def test_a_caller_on_the_deny_list_is_refused(denied: DenyList) -> None:
    context, now = auth_context(_GOOD.pem), time.time()
    with pytest.raises(CertificateRevoked) as caught:
        authenticate(context, _PEER, TRUST_DOMAIN, now, _TRUST, denied)
    assert caught.value.public == "the client certificate is not accepted any more"
    other = auth_context(issue(_AUTHORITY, Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/bob",))).pem)
    assert authenticate(other, _PEER, TRUST_DOMAIN, now, _TRUST, denied).spiffe_id.endswith("/bob")
