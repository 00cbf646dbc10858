"""The agent of one pod as a grant meets it: whom it believes, its policy, who asks and who approves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certificates import TRUST_DOMAIN, new_authority
from grants import grant_for, person
from leadglass_agent.access.approvals import PodFacts, VerifiedGrant, verify_grant
from leadglass_agent.errors import GrantRefused, Reason
from leadglass_agent.policy.model import (
    Binding,
    Effect,
    Permission,
    Policy,
    Role,
    Rule,
    RuleId,
    SessionLimits,
    SpiffeId,
    Tier,
)
from leadglass_agent.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = int(time.time())
AUTHORITY = new_authority()
TRUST = Trust(AUTHORITY.certificate.public_bytes(Encoding.PEM))
ALICE = person(AUTHORITY, "alice")
BOB = person(AUTHORITY, "bob")
CAROL = person(AUTHORITY, "carol", key="Ed25519")
MALLORY = person(AUTHORITY, "mallory")

LIMITS = SessionLimits(max_minutes=60, idle_minutes=15, max_open=3, calls_per_minute=120, min_reason_characters=20)
APPROVE = Rule(RuleId("approve"), Effect.PERMIT, frozenset({Permission.GRANTS_APPROVE}))
APPROVER = Role("approver", (APPROVE,), LIMITS)
POLICY = Policy(
    name="test",
    digest="sha256:" + "1" * 64,
    roles=(APPROVER,),
    bindings=(Binding("approver", (BOB.spiffe_id, CAROL.spiffe_id, ALICE.spiffe_id)),),
    session=LIMITS,
)
POD = PodFacts(
    spiffe_id=f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/checkout",
    namespace="shop",
    workload="checkout",
    uid="8e2a2d3c-1111-4222-8333-444455556666",
    tier=Tier.PROD,
)
GRANT = grant_for(ALICE, NOW)


class _Facts(TypedDict):
    pod: PodFacts
    caller: SpiffeId
    key_digest: str
    trust: Trust
    policy: Policy
    denies: Callable[[str], bool]
    now_unix: float
    trust_domain: str


class Changes(TypedDict, total=False):
    """What is otherwise than usual."""

    pod: PodFacts
    caller: SpiffeId
    key_digest: str
    trust: Trust
    policy: Policy
    denies: Callable[[str], bool]
    now_unix: float
    trust_domain: str


def denies_nothing(_: str) -> bool:
    """Is an empty deny list."""
    return False


def check(text: str, changes: Changes | None = None) -> VerifiedGrant:
    """Checks an envelope for alice."""
    facts: _Facts = {
        "pod": POD,
        "caller": ALICE.spiffe_id,
        "key_digest": ALICE.key_digest,
        "trust": TRUST,
        "policy": POLICY,
        "denies": denies_nothing,
        "now_unix": NOW,
        "trust_domain": TRUST_DOMAIN,
    }
    return verify_grant(text, **(facts | (changes or {})))


def refusal_of(text: str, changes: Changes | None = None) -> str:
    """Gives the detail with which an envelope is refused."""
    with pytest.raises(GrantRefused) as caught:
        check(text, changes)
    assert caught.value.reason is Reason.GRANT_REFUSED
    return str(caught.value)
