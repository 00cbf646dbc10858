"""An approval counts from others alone, who may approve and whose certificate was in order when the grant began."""

from __future__ import annotations

import base64
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from textwrap import wrap

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from certificates import BAD_RECIPES, Authority, Recipe, issue, new_authority, self_signed
from checked_grants import (
    ALICE,
    APPROVE,
    APPROVER,
    AUTHORITY,
    BOB,
    GRANT,
    MALLORY,
    NOW,
    POLICY,
    TRUST,
    Changes,
    check,
    denies_nothing,
    refusal_of,
)
from grants import (
    Person,
    approved,
    certified,
    envelope_of,
    grant_for,
    person,
    signed_by,
    spiffe_id_of,
)
from leadglass_agent.access.dsse import write_envelope
from leadglass_agent.access.signer import MAX_CERTIFICATES
from leadglass_agent.policy.model import (
    Binding,
    Conditions,
    Effect,
    EvidenceRule,
    Policy,
    RuleId,
    Tier,
    TimeWindow,
)
from leadglass_agent.trust import Trust

_HOUR = timedelta(hours=1)


def test_nobody_approves_their_own_grant() -> None:
    assert "requester" in refusal_of(approved(GRANT, ALICE))
    assert "requester" in refusal_of(approved(GRANT, BOB, ALICE))
    # The same person with a second key, and somebody else with the same key.
    assert "requester" in refusal_of(approved(GRANT, person(AUTHORITY, "alice")))
    assert "same key" in refusal_of(approved(GRANT, _with_key_of(ALICE, "bob")))


def test_an_approver_counts_once_however_often_they_sign() -> None:
    assert "twice" in refusal_of(approved(GRANT, BOB, person(AUTHORITY, "bob")))
    assert "same key" in refusal_of(_signed_twice(BOB, _with_key_of(BOB, "carol")))
    assert "twice" in refusal_of(_signed_twice(BOB, BOB))


def test_a_grant_without_signatures_is_a_request() -> None:
    assert "nobody" in refusal_of(approved(GRANT))


def test_only_who_may_approve_grants_counts_and_one_other_refuses_the_whole() -> None:
    assert "may not approve" in refusal_of(approved(GRANT, MALLORY))
    assert "may not approve" in refusal_of(approved(GRANT, BOB, MALLORY))
    text = approved(GRANT, BOB)
    forbidden = replace(APPROVER, rules=(APPROVE, replace(APPROVE, rule_id=RuleId("no"), effect=Effect.FORBID)))
    for policy in (
        replace(POLICY, roles=(forbidden,)),
        replace(POLICY, bindings=()),
        replace(POLICY, roles=()),
        replace(POLICY, roles=(replace(APPROVER, rules=(replace(APPROVE, permissions=frozenset()),)),)),
    ):
        assert "may not approve" in refusal_of(text, {"policy": policy})
        assert not check(text).still_holds(NOW, policy, TRUST, denies_nothing)


def test_conditions_of_an_approvers_role_are_those_of_the_moment_from_which_the_grant_holds() -> None:
    text = approved(GRANT, BOB)
    start = datetime.fromtimestamp(GRANT.not_before_unix, UTC)
    minute = start.hour * 60 + start.minute
    within = TimeWindow(frozenset({start.weekday()}), minute, minute + 1)
    outside = TimeWindow(frozenset({(start.weekday() + 3) % 7}), minute, minute + 1)
    later = GRANT.not_after_unix - 1
    for conditions in (Conditions(windows=(within,)), Conditions(tiers=frozenset({Tier.PROD}))):
        verified = check(text, {"policy": _conditional(conditions)})
        assert verified.still_holds(later, _conditional(conditions), TRUST, denies_nothing)
    for conditions in (
        Conditions(windows=(outside,)),
        Conditions(tiers=frozenset({Tier.NON_PROD})),
        Conditions(evidence=EvidenceRule(frozenset({"mfa"}), frozenset(), 60)),
    ):
        assert "may not approve" in refusal_of(text, {"policy": _conditional(conditions)})


# An expired certificate has a test of its own: what counts is when it expired.
@pytest.mark.parametrize("name", sorted(set(BAD_RECIPES) - {"expired"}))
def test_an_approver_with_a_bad_certificate_is_refused(name: str) -> None:
    anybody = replace(POLICY, bindings=(Binding("approver", ("spiffe://**",)),))
    to_mallory: Changes = {"policy": anybody, "caller": MALLORY.spiffe_id, "key_digest": MALLORY.key_digest}
    request = envelope_of(grant_for(MALLORY, NOW))
    check(write_envelope(signed_by(request, certified(AUTHORITY, Recipe()))), to_mallory)
    bad = certified(AUTHORITY, BAD_RECIPES[name])
    detail = refusal_of(write_envelope(signed_by(request, bad)), to_mallory)
    assert "signer" in detail or "vouches" in detail


@pytest.mark.parametrize("key", ["P-384", "RSA"])
def test_approvers_sign_with_keys_of_two_kinds_alone(key: str) -> None:
    approver = person(AUTHORITY, "bob", key)
    envelope = envelope_of(GRANT, BOB)
    (signature,) = envelope.signatures
    swapped = replace(signature, keyid=approver.key_digest, certificates=approver.certificates)
    assert "verify" in refusal_of(write_envelope(replace(envelope, signatures=(swapped,))))


def test_an_authority_that_is_not_ours_vouches_for_nobody() -> None:
    other = new_authority()
    imitation = replace(AUTHORITY, key=ec.generate_private_key(ec.SECP256R1()))
    own = self_signed()
    strangers = (person(other, "bob"), person(imitation, "bob"), Person(BOB.spiffe_id, own, own.pem))
    for stranger in strangers:
        detail = refusal_of(approved(GRANT, stranger))
        assert "vouches" in detail or "requester" in detail
    trusts_other = Trust(other.certificate.public_bytes(Encoding.PEM))
    assert "vouches" in refusal_of(approved(GRANT, BOB), {"trust": trusts_other})
    assert not check(approved(GRANT, BOB)).still_holds(NOW, POLICY, trusts_other, denies_nothing)


def test_an_approval_outlives_the_certificate_that_it_was_given_with() -> None:
    short = certified(AUTHORITY, Recipe(uris=(BOB.spiffe_id,), starts_in=-_HOUR, ends_in=_from_now(300)))
    verified = check(approved(GRANT, short))
    assert verified.still_holds(NOW + 1_800, POLICY, TRUST, denies_nothing)
    assert check(approved(GRANT, short), {"now_unix": NOW + 1_800}).grant == GRANT


def test_a_certificate_that_ended_before_the_grant_began_approves_nothing() -> None:
    past = certified(AUTHORITY, Recipe(uris=(BOB.spiffe_id,), starts_in=-2 * _HOUR, ends_in=_from_now(-120)))
    assert "vouches" in refusal_of(approved(GRANT, past))
    earlier = replace(GRANT, not_before_unix=NOW - 600)
    assert check(approved(earlier, past)).grant == earlier


def test_a_certificate_that_began_after_the_grant_approves_it_from_then_on() -> None:
    young = certified(AUTHORITY, Recipe(uris=(BOB.spiffe_id,), starts_in=_from_now(600), ends_in=2 * _HOUR))
    text = approved(GRANT, young)
    assert "vouches" in refusal_of(text)
    assert check(text, {"now_unix": NOW + 700}).grant == GRANT


def test_bits_of_a_certificate_that_parsers_skip_must_be_as_they_were_issued() -> None:
    """How many bits of the signature's last octet are unused is covered by no signature, so it could be changed."""
    approver = BOB
    while x509.load_pem_x509_certificate(approver.certificate.pem).signature[-1] & 1:
        approver = person(AUTHORITY, "bob")
    certificate = x509.load_pem_x509_certificate(approver.certificate.pem)
    der = certificate.public_bytes(Encoding.DER)
    assert der.endswith(b"\0" + certificate.signature)
    end = len(der) - len(certificate.signature) - 1
    skipped = der[:end] + b"\1" + certificate.signature
    assert x509.load_der_x509_certificate(skipped).tbs_certificate_bytes == certificate.tbs_certificate_bytes
    check(approved(GRANT, approver))
    assert "unknown" in refusal_of(_with_certificate(approver, skipped))


def test_nothing_travels_beside_the_certificates() -> None:
    envelope = envelope_of(GRANT, BOB)
    (signature,) = envelope.signatures
    for text in ("approved by carol\n" + BOB.certificates, BOB.certificates + "\n", BOB.certificates.rstrip()):
        changed = replace(signature, certificates=text)
        assert "unknown" in refusal_of(write_envelope(replace(envelope, signatures=(changed,))))


def test_a_certificate_that_is_merely_warned_about_is_refused() -> None:
    approver = BOB
    while len(approver.serial) < 39:  # its first octet must be there to be replaced by a negative one
        approver = person(AUTHORITY, "bob")
    serial = int(approver.serial, 16).to_bytes(20)
    negative = b"\x80" + serial[1:]
    certificate = x509.load_pem_x509_certificate(approver.certificate.pem)
    der = certificate.public_bytes(Encoding.DER).replace(b"\x02\x14" + serial, b"\x02\x14" + negative)
    with pytest.warns(CryptographyDeprecationWarning, match="positive"):
        x509.load_der_x509_certificate(der)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as where nobody has made warnings errors
        assert "unknown" in refusal_of(_with_certificate(approver, der))


def test_an_intermediate_authority_may_stand_between() -> None:
    between = _intermediate(AUTHORITY)
    leaf = issue(between, Recipe(uris=(BOB.spiffe_id,)))
    chain = leaf.pem + between.certificate.public_bytes(Encoding.PEM)
    assert check(approved(GRANT, Person(BOB.spiffe_id, leaf, chain))).approvers[0].spiffe_id == BOB.spiffe_id
    assert "vouches" in refusal_of(approved(GRANT, Person(BOB.spiffe_id, leaf, leaf.pem)))
    too_many = chain + between.certificate.public_bytes(Encoding.PEM) * (MAX_CERTIFICATES - 1)
    assert "unknown" in refusal_of(approved(GRANT, Person(BOB.spiffe_id, leaf, too_many)))


def test_an_approver_of_another_trust_domain_is_refused() -> None:
    text = approved(GRANT, BOB)
    assert "trust domain" in refusal_of(text, {"trust_domain": "other.leadglass"})


def _conditional(conditions: Conditions) -> Policy:
    return replace(POLICY, roles=(replace(APPROVER, conditions=conditions),))


def _from_now(seconds: int) -> timedelta:
    """Gives the time from this very moment to so many seconds after the one that the tests call now."""
    return datetime.fromtimestamp(NOW + seconds, UTC) - datetime.now(UTC)


def _with_key_of(owner: Person, name: str) -> Person:
    """Makes a certificate of another id for a key that somebody else has already."""
    key = x509.load_pem_x509_certificate(owner.certificate.pem).public_key()
    template = x509.load_pem_x509_certificate(issue(AUTHORITY, Recipe(uris=(spiffe_id_of(name),))).pem)
    builder = x509.CertificateBuilder(
        issuer_name=template.issuer,
        subject_name=template.subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=template.not_valid_before_utc,
        not_valid_after=template.not_valid_after_utc,
        extensions=list(template.extensions),
    )
    pem = builder.sign(AUTHORITY.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return Person(spiffe_id_of(name), replace(owner.certificate, pem=pem), pem)


def _signed_twice(first: Person, second: Person) -> str:
    """Puts two signatures side by side that were made apart."""
    envelopes = (envelope_of(GRANT, first), envelope_of(GRANT, second))
    together = tuple(signature for envelope in envelopes for signature in envelope.signatures)
    return write_envelope(replace(envelopes[0], signatures=together))


def _with_certificate(approver: Person, der: bytes) -> str:
    """Puts other bytes in the place of an approver's certificate."""
    envelope = envelope_of(GRANT, approver)
    lines = wrap(base64.b64encode(der).decode(), 64)
    pem = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    return write_envelope(replace(envelope, signatures=(replace(envelope.signatures[0], certificates=pem),)))


def _intermediate(authority: Authority) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "between")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _HOUR)
        .not_valid_after(now + 2 * _HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    return Authority(certificate, key)
