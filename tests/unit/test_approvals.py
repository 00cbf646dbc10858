"""A grant counts for whom, where, when and under what policy it was made out, and as long as all of that holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certificates import TRUST_DOMAIN
from checked_grants import (
    ALICE,
    BOB,
    CAROL,
    GRANT,
    MALLORY,
    NOW,
    POD,
    POLICY,
    TRUST,
    check,
    denies_nothing,
    refusal_of,
)
from grants import (
    GRANT_ID,
    Person,
    approved,
    envelope_of,
    signed_by,
)
from leadglass_agent.access.approvals import PodFacts
from leadglass_agent.access.dsse import Envelope, write_envelope
from leadglass_agent.access.grant import PodSelector, ProcessBound
from leadglass_agent.access.grant_json import write_grant
from leadglass_agent.policy.model import (
    Permission,
    ProcessSelector,
    Tier,
)
from leadglass_agent.policy.standing import GrantedScope


@pytest.mark.parametrize("approvers", [(BOB,), (CAROL,), (BOB, CAROL), (CAROL, BOB)], ids=str)
def test_what_others_approved_is_accepted(approvers: tuple[Person, ...]) -> None:
    verified = check(approved(GRANT, *approvers))
    assert verified.grant == GRANT
    assert [(one.spiffe_id, one.key_digest, one.serial) for one in verified.approvers] == [
        (one.spiffe_id, one.key_digest, one.serial) for one in approvers
    ]
    assert verified.still_holds(NOW, POLICY, TRUST, denies_nothing)


def test_the_policy_learns_what_was_granted_and_by_whom() -> None:
    grant = replace(
        GRANT,
        processes=(ProcessBound(names=("java",), executables=("/usr/**",), uids=(7,)),),
        names=("DB_*",),
        paths=("/app/**",),
    )
    assert check(approved(grant, BOB, CAROL)).scope() == GrantedScope(
        grant_id=GRANT_ID,
        permissions=frozenset({Permission.PROCESSES_LIST, Permission.ENV_PRESENCE}),
        approvers=(BOB.spiffe_id, CAROL.spiffe_id),
        minutes=60,
        processes=(ProcessSelector(names=("java",), executables=("/usr/**",), uids=(7,)),),
        names=("DB_*",),
        paths=("/app/**",),
    )


def test_the_digest_of_an_envelope_does_not_depend_on_its_layout() -> None:
    text = approved(GRANT, BOB)
    assert check(text.replace(",", " ,\n")).envelope_digest == check(text).envelope_digest
    other = check(approved(GRANT, CAROL))
    assert other.envelope_digest != check(text).envelope_digest


@pytest.mark.parametrize(
    "pods",
    [
        (PodSelector(namespace="shop"),),
        (PodSelector(workload="checkout"),),
        (PodSelector(uid=POD.uid),),
        (PodSelector(spiffe_id=POD.spiffe_id),),
        (PodSelector(spiffe_id=f"spiffe://{TRUST_DOMAIN}/ns/*/sa/check*"),),
        (PodSelector(POD.spiffe_id, "shop", "checkout", POD.uid),),
        (PodSelector(namespace="other"), PodSelector(namespace="shop")),
    ],
    ids=str,
)
def test_a_grant_holds_in_every_pod_that_one_of_its_selectors_fits(pods: tuple[PodSelector, ...]) -> None:
    assert check(approved(replace(GRANT, pods=pods), BOB)).grant.pods == pods


@pytest.mark.parametrize(
    "pods",
    [
        (PodSelector(namespace="sho"),),
        (PodSelector(namespace="shop", workload="cart"),),
        (PodSelector(namespace="shop", uid="8e2a2d3c-1111-4222-8333-444455556667"),),
        (PodSelector(spiffe_id=f"spiffe://{TRUST_DOMAIN}/ns/shop"),),
        (PodSelector(spiffe_id=f"spiffe://{TRUST_DOMAIN}/ns/*"),),
        (PodSelector(spiffe_id=f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/checkout", namespace="other"),),
    ],
    ids=str,
)
def test_a_grant_for_other_pods_is_refused(pods: tuple[PodSelector, ...]) -> None:
    assert "pod" in refusal_of(approved(replace(GRANT, pods=pods), BOB))


@pytest.mark.parametrize("field", ["namespace", "workload", "uid", "spiffe_id"])
def test_what_a_pod_does_not_know_of_itself_fits_no_selector(field: str) -> None:
    pod = PodFacts("", "", "", "", Tier.PROD)
    selector = PodSelector(**{field: getattr(POD, field)})
    text = approved(replace(GRANT, pods=(selector,)), BOB)
    assert check(text).grant.pods == (selector,)
    assert "pod" in refusal_of(text, {"pod": pod})


def test_a_grant_holds_in_its_own_tier_alone() -> None:
    non_prod = replace(POD, tier=Tier.NON_PROD)
    assert "tier" in refusal_of(approved(GRANT, BOB), {"pod": non_prod})
    text = approved(replace(GRANT, tier="non-prod"), BOB)
    assert "tier" in refusal_of(text)
    assert check(text, {"pod": non_prod}).grant.tier == "non-prod"


def test_a_grant_is_for_one_caller_with_one_key() -> None:
    text = approved(GRANT, BOB)
    assert "another caller" in refusal_of(text, {"caller": MALLORY.spiffe_id, "key_digest": MALLORY.key_digest})
    assert "another key" in refusal_of(text, {"key_digest": MALLORY.key_digest})
    assert "another caller" in refusal_of(text, {"caller": MALLORY.spiffe_id})


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (GRANT.not_before_unix - 1, False),
        (GRANT.not_before_unix, True),
        (GRANT.not_after_unix - 1, True),
        (GRANT.not_after_unix, False),
    ],
)
def test_a_grant_holds_from_its_start_up_to_its_end(at: int, *, holds: bool) -> None:
    text = approved(GRANT, BOB)
    assert check(text).still_holds(at, POLICY, TRUST, denies_nothing) == holds
    if holds:
        assert check(text, {"now_unix": at}).grant == GRANT
    else:
        assert ("not hold yet" if at < NOW else "time is over") in refusal_of(text, {"now_unix": at})


def test_a_grant_may_be_bound_to_one_policy() -> None:
    text = approved(replace(GRANT, policy_digest=POLICY.digest), BOB)
    verified = check(text)
    changed = replace(POLICY, digest="sha256:" + "2" * 64)
    assert "policy" in refusal_of(text, {"policy": changed})
    assert not verified.still_holds(NOW, changed, TRUST, denies_nothing)
    assert check(approved(GRANT, BOB), {"policy": changed}).grant == GRANT


def test_a_permission_that_this_agent_does_not_have_is_refused() -> None:
    assert "permission" in refusal_of(approved(replace(GRANT, permissions=("env.names", "memory.read")), BOB))


@pytest.mark.parametrize(
    "name",
    [GRANT_ID, ALICE.spiffe_id, ALICE.key_digest, CAROL.spiffe_id, CAROL.key_digest, CAROL.serial],
)
def test_what_is_on_the_deny_list_takes_the_grant_with_it(name: str) -> None:
    text = approved(GRANT, BOB, CAROL)
    verified = check(text)

    def denies(given: str) -> bool:
        return given == name

    assert "deny list" in refusal_of(text, {"denies": denies})
    assert not verified.still_holds(NOW, POLICY, TRUST, denies)


def test_the_payload_must_be_a_grant() -> None:
    payload = write_grant(GRANT)
    for envelope in (
        Envelope("application/vnd.leadglass.grant", payload),
        Envelope("application/json", payload),
        Envelope("APPLICATION/VND.LEADGLASS.GRANT+JSON", payload),
        Envelope("", payload),
    ):
        assert "another type" in refusal_of(write_envelope(signed_by(envelope, BOB)))
    assert "no grant" in refusal_of(write_envelope(signed_by(Envelope(envelope_of(GRANT).payload_type, b"{}"), BOB)))
    assert "no envelope" in refusal_of(payload.decode())
