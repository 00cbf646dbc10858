"""Reads and writes the payload of a grant: canonical JSON, one text for one grant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from leadglass_agent.access.grant import (
    MAX_LIFETIME_SECONDS,
    REVEAL,
    Grant,
    GrantBudget,
    GrantError,
    PodSelector,
    ProcessBound,
)
from leadglass_agent.access.json_members import MAX_GLOBS, Members, refuse, take_glob, take_number, take_text
from leadglass_agent.audit.canonical import Json, NotCanonical, NotJson, canonical, parse
from leadglass_agent.policy.glob import check_name, check_path, check_segments
from leadglass_agent.spiffe import trust_domain_of

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SpiffeId

__all__ = ["GrantError", "parse_grant", "write_grant"]

MAX_PAYLOAD: Final = 32 * 1024
MAX_PERMISSIONS: Final = 32
MAX_PROCESSES: Final = 20
MAX_PODS: Final = 64
MAX_REASON: Final = 500
MAX_TICKET: Final = 100

_MAX_UID: Final = 4_294_967_294  # the highest number is the kernel's "no user"
_MAX_UNIX: Final = 2**40  # beyond every calendar; what adds a day to it still fits everywhere
_MAX_COUNT: Final = 2**48

_GRANT_ID: Final = re.compile(r"[0-9a-f]{32}")
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PERMISSION: Final = re.compile(r"[a-z]{1,32}\.[a-z]{1,32}")
_TIER: Final = re.compile(r"prod|non-prod")
# Kubernetes: a namespace is a DNS label (RFC 1123), a workload's name a DNS subdomain, a uid a UUID.
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_WORKLOAD: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_POD_UID: Final = re.compile(r"[a-z0-9-]{1,64}")
_ANY: Final = re.compile(r".*", re.DOTALL)
_WILDCARDS: Final = frozenset("*?")

# Every member is always there, so that none can be forgotten by whoever reads what is to be signed.
_GRANT_KEYS: Final = frozenset(
    {
        "budget",
        "grantId",
        "names",
        "needsEvidence",
        "notAfterUnix",
        "notBeforeUnix",
        "paths",
        "permissions",
        "pods",
        "policyDigest",
        "processes",
        "reason",
        "requester",
        "requesterKey",
        "reveals",
        "ticket",
        "tier",
    }
)
_PROCESS_KEYS: Final = frozenset({"executables", "names", "uids"})
_POD_KEYS: Final = frozenset({"namespace", "spiffeId", "uid", "workload"})
_BUDGET_KEYS: Final = frozenset({"answers", "calls", "names", "paths", "replyBytes", "rows"})


def parse_grant(payload: bytes) -> Grant:
    """Reads a grant; raises GrantError, with the field, for whatever `write_grant` would not write."""
    if len(payload) > MAX_PAYLOAD:
        refuse("payload", f"larger than {MAX_PAYLOAD // 1024} KiB")
    try:
        content = parse(payload)
    except (NotJson, NotCanonical):
        refuse("payload", "not one canonical JSON object")
    members = Members("", content)
    members.check_keys(_GRANT_KEYS)
    grant = Grant(
        grant_id=members.text("grantId", _GRANT_ID),
        requester=cast("SpiffeId", _spiffe_id(members)),
        requester_key=members.text("requesterKey", _KEY),
        permissions=_permissions(members),
        pods=members.each("pods", MAX_PODS, _pod),
        tier=members.text("tier", _TIER),
        not_before_unix=members.number("notBeforeUnix", _MAX_UNIX),
        not_after_unix=members.number("notAfterUnix", _MAX_UNIX),
        reason=members.text("reason", _ANY, MAX_REASON),
        processes=members.each("processes", MAX_PROCESSES, _process),
        names=members.globs("names", check_name),
        paths=members.globs("paths", check_path),
        budget=_budget(Members("budget", members.value("budget"))),
        ticket=members.text("ticket", _ANY, MAX_TICKET),
        policy_digest=members.text("policyDigest", _DIGEST, optional=True),
        needs_evidence=members.flag("needsEvidence"),
        reveals=members.flag("reveals"),
    )
    _check_whole(grant)
    return grant


def write_grant(grant: Grant) -> bytes:
    """Writes the one text of the grant; raises GrantError if `parse_grant` would not read it back."""
    budget = {
        "answers": grant.budget.answers,
        "calls": grant.budget.calls,
        "names": grant.budget.names,
        "paths": grant.budget.paths,
        "replyBytes": grant.budget.reply_bytes,
        "rows": grant.budget.rows,
    }
    value: dict[str, Json] = {
        "budget": {key: amount for key, amount in budget.items() if amount is not None},
        "grantId": grant.grant_id,
        "names": list(grant.names),
        "needsEvidence": grant.needs_evidence,
        "notAfterUnix": grant.not_after_unix,
        "notBeforeUnix": grant.not_before_unix,
        "paths": list(grant.paths),
        "permissions": list(grant.permissions),
        "pods": [
            {"namespace": pod.namespace, "spiffeId": pod.spiffe_id, "uid": pod.uid, "workload": pod.workload}
            for pod in grant.pods
        ],
        "policyDigest": grant.policy_digest,
        "processes": [
            {"executables": list(bound.executables), "names": list(bound.names), "uids": list(bound.uids)}
            for bound in grant.processes
        ],
        "reason": grant.reason,
        "requester": grant.requester,
        "requesterKey": grant.requester_key,
        "reveals": grant.reveals,
        "ticket": grant.ticket,
        "tier": grant.tier,
    }
    payload = canonical(value)
    if parse_grant(payload) != grant:
        refuse("payload", "does not read back as the same grant")
    return payload


def _check_whole(grant: Grant) -> None:
    """Checks what no field says alone."""
    if not grant.permissions:
        refuse("permissions", "names none")
    if not grant.pods:
        refuse("pods", "names none")
    if not any(character.isalnum() for character in grant.reason):
        refuse("reason", "says nothing")
    if not grant.not_before_unix < grant.not_after_unix:
        refuse("notAfterUnix", "not after notBeforeUnix")
    if grant.not_after_unix - grant.not_before_unix > MAX_LIFETIME_SECONDS:
        refuse("notAfterUnix", f"more than {MAX_LIFETIME_SECONDS // 3600} hours after notBeforeUnix")
    if grant.reveals != (REVEAL in grant.permissions):
        refuse("reveals", f"must be true with the permission {REVEAL}, and only with it")
    # One variable, spelled out: who approves a reveal has to see whose value it is.
    if grant.reveals and (len(grant.names) != 1 or not _WILDCARDS.isdisjoint(grant.names[0])):
        refuse("names", "not exactly one name without wildcards, as a grant that reveals must have")


def _spiffe_id(members: Members) -> str:
    value = members.text("requester", _ANY)
    if trust_domain_of(value) is None:
        refuse("requester", "not a SPIFFE id")
    return value


def _permissions(members: Members) -> tuple[str, ...]:
    def take(value: object, place: str) -> str:
        text = take_text(value, place)
        if not _PERMISSION.fullmatch(text):
            refuse(place, "not a permission")
        return text

    return members.each("permissions", MAX_PERMISSIONS, take)


def _pod(value: object, place: str) -> PodSelector:
    members = Members(place, value)
    members.check_keys(_POD_KEYS)
    spiffe_id = members.text("spiffeId", _ANY)
    if spiffe_id:
        take_glob(spiffe_id, members.at("spiffeId"), check_segments)
        if not spiffe_id.startswith("spiffe://"):
            refuse(members.at("spiffeId"), "does not start as a SPIFFE id does")
    pod = PodSelector(
        spiffe_id=spiffe_id,
        namespace=members.text("namespace", _NAMESPACE, optional=True),
        workload=members.text("workload", _WORKLOAD, optional=True),
        uid=members.text("uid", _POD_UID, optional=True),
    )
    if pod == PodSelector():
        refuse(place, "selects every pod there is")
    return pod


def _process(value: object, place: str) -> ProcessBound:
    members = Members(place, value)
    members.check_keys(_PROCESS_KEYS)
    bound = ProcessBound(
        names=members.globs("names", check_name),
        executables=members.globs("executables", check_path),
        uids=members.each("uids", MAX_GLOBS, lambda uid, at: take_number(uid, at, _MAX_UID)),
    )
    if bound == ProcessBound():
        refuse(place, "selects every process there is")
    return bound


def _budget(members: Members) -> GrantBudget:
    content = members.content
    if not isinstance(content, dict) or not content.keys() <= _BUDGET_KEYS:
        refuse(members.place, "not an object of the known members")

    def amount(key: str) -> int | None:
        return members.number(key, _MAX_COUNT) if key in content else None

    return GrantBudget(
        calls=amount("calls"),
        rows=amount("rows"),
        names=amount("names"),
        paths=amount("paths"),
        reply_bytes=amount("replyBytes"),
        answers=amount("answers"),
    )
