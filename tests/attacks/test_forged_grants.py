"""Nobody makes a grant out of what others signed for something else, or out of what nobody signed."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from certificates import TRUST_DOMAIN, Recipe, new_authority
from grants import Person, approved, certified, envelope_of, grant_for, person, signed_by, spiffe_id_of
from leadglass_agent.access.approvals import PodFacts, VerifiedGrant, verify_grant
from leadglass_agent.access.dsse import Envelope, EnvelopeError, parse_envelope, write_envelope
from leadglass_agent.access.grant import GRANT_PAYLOAD, GrantBudget, PodSelector, ProcessBound
from leadglass_agent.access.grant_json import write_grant
from leadglass_agent.errors import GrantRefused
from leadglass_agent.policy.model import (
    Binding,
    Effect,
    Permission,
    Policy,
    Role,
    Rule,
    RuleId,
    SessionLimits,
    Tier,
)
from leadglass_agent.trust import Trust

if TYPE_CHECKING:
    from leadglass_agent.access.grant import Grant
    from leadglass_agent.policy.model import SpiffeId

_NOW = int(time.time())
_AUTHORITY = new_authority()
_TRUST = Trust(_AUTHORITY.certificate.public_bytes(Encoding.PEM))
_ALICE = person(_AUTHORITY, "alice")
_BOB = person(_AUTHORITY, "bob")
_CAROL = person(_AUTHORITY, "carol", key="Ed25519")
_APPROVERS = (_BOB, _CAROL)
_OUTSIDERS = {
    "the requester": _ALICE,
    "the requester with a second key": person(_AUTHORITY, "alice"),
    "somebody without the role": person(_AUTHORITY, "mallory"),
    "a name like an approver's": person(_AUTHORITY, "bob2"),
    "an approver's name from another authority": person(new_authority(), "bob"),
    "an approver's name from an imitated authority": person(
        replace(_AUTHORITY, key=ec.generate_private_key(ec.SECP256R1())), "carol"
    ),
    "an approver's name in another trust domain": certified(_AUTHORITY, Recipe(uris=("spiffe://other/user/bob",))),
    "an approver's name beside the own": certified(
        _AUTHORITY, Recipe(uris=(spiffe_id_of("mallory"), spiffe_id_of("bob")))
    ),
    "an authority": certified(_AUTHORITY, Recipe(uris=(spiffe_id_of("bob"),), is_authority=True)),
    "a server": certified(_AUTHORITY, Recipe(uris=(spiffe_id_of("bob"),), usages=())),
}

_LIMITS = SessionLimits(max_minutes=60, idle_minutes=15, max_open=3, calls_per_minute=120, min_reason_characters=20)
_POLICY = Policy(
    name="test",
    digest="sha256:" + "1" * 64,
    roles=(
        Role("approver", (Rule(RuleId("approve"), Effect.PERMIT, frozenset({Permission.GRANTS_APPROVE})),), _LIMITS),
    ),
    # The requester may approve what others ask for.
    bindings=(Binding("approver", (*(approver.spiffe_id for approver in _APPROVERS), _ALICE.spiffe_id)),),
    session=_LIMITS,
)
_POD = PodFacts(f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/checkout", "shop", "checkout", "8e2a2d3c", Tier.PROD)

_GRANT = grant_for(_ALICE, _NOW)
_ENVELOPE = envelope_of(_GRANT, *_APPROVERS)
_TEXT = write_envelope(_ENVELOPE)
# What the requester would rather have had, in a form that only lacks signatures.
_WISHES = (
    replace(_GRANT, permissions=("processes.list", "env.presence", "env.names")),
    replace(_GRANT, permissions=("env.reveal",), names=("DB_URL",), reveals=True),
    replace(_GRANT, requester=spiffe_id_of("mallory")),
    replace(_GRANT, requester_key="0" * 64),
    replace(_GRANT, pods=(PodSelector(spiffe_id="spiffe://**"),)),
    replace(_GRANT, tier="non-prod"),
    replace(_GRANT, not_before_unix=_NOW - 7_200),
    replace(_GRANT, not_after_unix=_NOW + 7_200),
    replace(_GRANT, grant_id="f" * 32),
    replace(_GRANT, reason="something else altogether"),
    replace(_GRANT, ticket="OPS-8"),
    replace(_GRANT, budget=GrantBudget(calls=1 << 40)),
    replace(_GRANT, processes=(ProcessBound(uids=(0,)),)),
    replace(_GRANT, names=("*",)),
    replace(_GRANT, paths=("/**",)),
    replace(_GRANT, policy_digest=_POLICY.digest),
    replace(_GRANT, needs_evidence=True),
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid"]), inner)
    ),
    max_leaves=12,
)


def _verified(text: str, caller: SpiffeId = _ALICE.spiffe_id, key: str = _ALICE.key_digest) -> VerifiedGrant:
    return verify_grant(
        text,
        pod=_POD,
        caller=caller,
        key_digest=key,
        trust=_TRUST,
        policy=_POLICY,
        denies=lambda _: False,
        now_unix=_NOW,
        trust_domain=TRUST_DOMAIN,
    )


def _is_refused(text: str, caller: SpiffeId = _ALICE.spiffe_id, key: str = _ALICE.key_digest) -> bool:
    with pytest.raises(GrantRefused):
        _verified(text, caller, key)
    return True


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """Changes a few characters of the good envelope: other ones, more, fewer, or the same at another place."""
    text = _TEXT
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        end = min(len(text), at + draw(st.integers(0, 3)))
        text = text[:at] + draw(st.text(st.characters(max_codepoint=0xFF), max_size=3)) + text[end:]
    return text


def _with_one_bit_flipped(data: bytes, place: int) -> bytes:
    at, bit = divmod(place % (8 * len(data)), 8)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


@st.composite
def _flipped(draw: st.DrawFn) -> str:
    """Flips one bit of what the good envelope carries: payload, a signature, a key id or a certificate."""
    place = draw(st.integers(0, 100_000))
    chosen = draw(st.integers(0, len(_APPROVERS) - 1))
    signature = _ENVELOPE.signatures[chosen]
    match draw(st.sampled_from(["payload", "signature", "keyid", "certificates"])):
        case "payload":
            return write_envelope(replace(_ENVELOPE, payload=_with_one_bit_flipped(_ENVELOPE.payload, place)))
        case "signature":
            changed = replace(signature, signature=_with_one_bit_flipped(signature.signature, place))
        case "keyid":
            changed = replace(signature, keyid=_with_one_bit_flipped(bytes.fromhex(signature.keyid), place).hex())
        case _:
            der = base64.b64decode("".join(signature.certificates.splitlines()[1:-1]))
            lines = wrap(base64.b64encode(_with_one_bit_flipped(der, place)).decode(), 64)
            pem = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
            changed = replace(signature, certificates=pem)
    signatures = list(_ENVELOPE.signatures)
    signatures[chosen] = changed
    return write_envelope(replace(_ENVELOPE, signatures=tuple(signatures)))


def test_the_good_envelope_is_accepted() -> None:
    verified = _verified(_TEXT)
    assert verified.grant == _GRANT
    assert [approver.spiffe_id for approver in verified.approvers] == [one.spiffe_id for one in _APPROVERS]


@settings(max_examples=1_000, deadline=None)
@given(_damaged())
def test_a_thousand_damaged_envelopes_are_refused(text: str) -> None:
    with suppress(EnvelopeError):
        assume(parse_envelope(text) != _ENVELOPE)
    assert _is_refused(text)


@settings(max_examples=1_000, deadline=None)
@given(_flipped())
def test_a_thousand_envelopes_with_one_bit_changed_are_refused(text: str) -> None:
    assert _is_refused(text)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=300) | _JSON.map(json.dumps))
def test_a_thousand_random_texts_are_refused(text: str) -> None:
    assert _is_refused(text)
    document = {"payload": base64.b64encode(text.encode(errors="replace")).decode(), "payloadType": GRANT_PAYLOAD}
    assert _is_refused(json.dumps(document | {"signatures": json.loads(_TEXT)["signatures"]}))


@pytest.mark.parametrize("wish", range(len(_WISHES)))
def test_signatures_do_not_fit_another_payload(wish: int) -> None:
    edited = replace(_ENVELOPE, payload=write_grant(_WISHES[wish]))
    assert _is_refused(write_envelope(edited))
    # Also where the signed payload travels along, for a reader that takes the other one.
    text = json.dumps(json.loads(write_envelope(edited)) | {"payload ": base64.b64encode(_ENVELOPE.payload).decode()})
    assert _is_refused(text)
    twice = write_envelope(edited).replace("{", f'{{"payload":"{base64.b64encode(_ENVELOPE.payload).decode()}",', 1)
    assert _is_refused(twice)


def test_signatures_do_not_fit_another_type() -> None:
    for kind in ("application/vnd.leadglass.grant+json2", "application/vnd.in-toto+json", ""):
        made = Envelope(kind, _ENVELOPE.payload)
        for approver in _APPROVERS:
            made = signed_by(made, approver)
        assert _is_refused(write_envelope(made))
        assert _is_refused(write_envelope(replace(made, payload_type=GRANT_PAYLOAD)))


@pytest.mark.parametrize("name", _OUTSIDERS)
@pytest.mark.parametrize("beside", [(), (_BOB,), (_CAROL,)], ids=["alone", "beside bob", "beside carol"])
def test_who_may_not_approve_spoils_the_whole(name: str, beside: tuple[Person, ...]) -> None:
    assert _is_refused(approved(_GRANT, *beside, _OUTSIDERS[name]))
    assert _is_refused(approved(_GRANT, _OUTSIDERS[name], *beside))


@pytest.mark.parametrize("name", _OUTSIDERS)
def test_an_approvers_certificate_does_not_make_anothers_signature_theirs(name: str) -> None:
    outsider = _OUTSIDERS[name]
    (signature,) = envelope_of(_GRANT, outsider).signatures
    for approver in _APPROVERS:
        for stolen in (
            replace(signature, certificates=approver.certificates),
            replace(signature, certificates=approver.certificates, keyid=approver.key_digest),
            replace(signature, certificates=approver.certificates + outsider.certificates),
            replace(signature, certificates=outsider.certificates + approver.certificates),
            replace(signature, certificates=""),
            replace(signature, keyid=""),
        ):
            assert _is_refused(write_envelope(replace(_ENVELOPE, signatures=(stolen,))))


@pytest.mark.parametrize("wish", range(len(_WISHES)))
def test_signatures_of_another_grant_are_of_no_use(wish: int) -> None:
    other = envelope_of(_WISHES[wish], _BOB)
    mixed = (other.signatures[0], _ENVELOPE.signatures[1])
    for payload in (other.payload, _ENVELOPE.payload):
        assert _is_refused(write_envelope(Envelope(GRANT_PAYLOAD, payload, mixed)))


def test_one_approver_does_not_count_for_two() -> None:
    (bob, carol) = _ENVELOPE.signatures
    again = envelope_of(_GRANT, _BOB).signatures[0]  # ECDSA gives another signature each time
    second_key = envelope_of(_GRANT, person(_AUTHORITY, "bob")).signatures[0]
    for signatures in ((bob, bob), (bob, again), (bob, second_key), (bob, carol, again), (bob, carol, bob)):
        assert _is_refused(write_envelope(replace(_ENVELOPE, signatures=signatures)))


def test_taking_a_signature_away_leaves_one_approver_fewer() -> None:
    for signature, approver in zip(_ENVELOPE.signatures, _APPROVERS, strict=True):
        verified = _verified(write_envelope(replace(_ENVELOPE, signatures=(signature,))))
        assert verified.scope().approvers == (approver.spiffe_id,)
    assert _is_refused(write_envelope(replace(_ENVELOPE, signatures=())))


def test_a_grant_is_of_no_use_to_anybody_else() -> None:
    for thief in (*_OUTSIDERS.values(), *_APPROVERS):
        for caller, key in ((thief.spiffe_id, _ALICE.key_digest), (_ALICE.spiffe_id, _BOB.key_digest)):
            if caller != _ALICE.spiffe_id or key != _ALICE.key_digest:
                assert _is_refused(_TEXT, caller, key)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_WISHES), st.permutations(sorted(_OUTSIDERS)), st.integers(1, 4), st.lists(st.booleans()))
def test_no_crowd_of_outsiders_makes_a_grant(wish: Grant, names: list[str], count: int, beside: list[bool]) -> None:
    crowd = [_OUTSIDERS[name] for name in names[:count]]
    crowd += [approver for approver, is_there in zip(_APPROVERS, beside, strict=False) if is_there]
    assert _is_refused(approved(wish, *crowd))


def test_a_hoard_of_certificates_is_refused() -> None:
    (bob, carol) = _ENVELOPE.signatures
    padded = replace(bob, certificates=_BOB.certificates + _CAROL.certificates * 15)
    assert _is_refused(write_envelope(replace(_ENVELOPE, signatures=(padded, carol))))
    assert _is_refused(write_envelope(replace(_ENVELOPE, signatures=(bob, carol) * 40)))
