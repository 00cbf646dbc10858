"""The words that an approver reads say everything that is signed, and nothing in a grant can imitate them."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from leadglass_agent.access.grant import Grant, GrantBudget, PodSelector, ProcessBound
from leadglass_agent.policy.model import SpiffeId
from leadglass_client.offline.grant_check import CheckedGrant, GrantState
from leadglass_client.views.grants import grant_words

_NOW = 1_900_000_000
_BASE = Grant(
    grant_id="0" * 32,
    requester=SpiffeId("spiffe://demo.leadglass/user/alice"),
    requester_key="0" * 64,
    permissions=("env.names", "files.list"),
    pods=(PodSelector(namespace="shop"),),
    tier="prod",
    not_before_unix=_NOW,
    not_after_unix=_NOW + 600,
    reason="checkout answers 502 since 14:10, looking for the cause",
)
_ONE_NAME = replace(_BASE, names=("n",))
_POD_TEXTS = ("spiffe_id", "workload", "uid")
_BOUNDS = (ProcessBound(names=("a",)), ProcessBound(executables=("/a",)), ProcessBound(uids=(0,)))
# For each field, grants that differ from each other in nothing else.
_VARIANTS: dict[str, tuple[Grant, ...]] = {
    "grant_id": (_BASE, replace(_BASE, grant_id="1" * 32)),
    "requester": (_BASE, replace(_BASE, requester=SpiffeId("spiffe://demo.leadglass/user/bob"))),
    "requester_key": (_BASE, replace(_BASE, requester_key="1" * 64)),
    "permissions": (
        _BASE,
        replace(_BASE, permissions=("env.names",)),
        replace(_BASE, permissions=("env.names", "files.list", "later.thing")),
    ),
    "pods": (
        _BASE,
        *(replace(_BASE, pods=(PodSelector(namespace="shop"), PodSelector(**{name: "x"}))) for name in _POD_TEXTS),
        *(replace(_BASE, pods=(PodSelector(**{name: "shop"}),)) for name in _POD_TEXTS),
        replace(_BASE, pods=(PodSelector(namespace="shop2"),)),
    ),
    "tier": (_BASE, replace(_BASE, tier="non-prod")),
    "not_before_unix": (_BASE, replace(_BASE, not_before_unix=_NOW - 60)),
    "not_after_unix": (_BASE, replace(_BASE, not_after_unix=_NOW + 601)),
    "reason": (_BASE, replace(_BASE, reason="another")),
    "processes": (_BASE, *(replace(_BASE, processes=(bound,)) for bound in _BOUNDS)),
    "names": (_BASE, *(replace(_BASE, names=names) for names in (("a",), ("b",), ("a", "b")))),
    "paths": (_BASE, *(replace(_BASE, paths=paths) for paths in (("/a",), ("/b",), ("/a", "/b")))),
    "budget": (
        _BASE,
        *(
            replace(_BASE, budget=GrantBudget(**{field.name: amount}))
            for field in fields(GrantBudget)
            for amount in (0, 1)
        ),
    ),
    "ticket": (_BASE, replace(_BASE, ticket="INC-1")),
    "policy_digest": (_BASE, replace(_BASE, policy_digest="sha256:" + "0" * 64)),
    "needs_evidence": (_BASE, replace(_BASE, needs_evidence=True)),
    "reveals": (_ONE_NAME, replace(_ONE_NAME, reveals=True)),
}


def _shown(grant: Grant) -> tuple[tuple[str, str], ...]:
    words = grant_words(CheckedGrant(grant, (), GrantState.REQUESTED), _NOW)
    return tuple((label, cell.text) for label, cell in words)


@pytest.mark.parametrize("field", [field.name for field in fields(Grant)])
def test_no_two_grants_that_differ_read_the_same(field: str) -> None:
    variants = _VARIANTS[field]
    assert len({_shown(grant) for grant in variants}) == len(variants) > 1


def test_no_text_of_a_grant_looks_like_a_line_of_ours() -> None:
    evil = "x" + " " * 80 + "approved by  spiffe://demo.leadglass/user/bob"
    plain = {label for label, _ in _shown(replace(_BASE, names=("x",), paths=("/x",)))}
    shown = _shown(replace(_BASE, reason=evil, ticket=evil, names=(evil,), paths=(evil,)))
    assert {label for label, _ in shown} == {*plain, ""}
