"""The shape of a policy file, key by key, with the bounds of every value."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from leadglass_agent.policy.model import Effect, Permission, Profile, Tier

MAX_RULES: Final = 1000

# Schema keywords alone: the parser checks these itself, to answer a wrong value with what is wrong about it.
_NAME: Final = Meta(extra_json_schema={"pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"})
_TIME: Final = Meta(extra_json_schema={"pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"})
_PERMISSION: Final = Meta(extra_json_schema={"enum": [permission.value for permission in Permission]})

# A list that is written down names somebody or something; UNSET rather than None, so that a bare `names:` is an error.
Globs: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
Uid: TypeAlias = Annotated[int, Meta(ge=0, le=4_294_967_294)]  # the highest number is the kernel's "no user"
Name: TypeAlias = Annotated[str, _NAME]
# Nobody is a possible answer to who may approve; it is written down, so that it is no slip of the pen.
Approvers: TypeAlias = Annotated[tuple[Name, ...], Meta(max_length=100)]
Approvals: TypeAlias = Annotated[int, Meta(ge=1, le=10)]
Threshold: TypeAlias = Annotated[int, Meta(ge=1, le=100_000)]
# Signatures with a public key alone: with `none` or an HMAC whoever can read the keys file could sign (RFC 8725 §2.1).
Algorithm: TypeAlias = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# A JSON number up to here is the same number to every reader (RFC 8259 §6).
Count: TypeAlias = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
Claims: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(min_length=1, max_length=20)
]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What every part of the file has in common: camelCase keys, and no others than the named."""


class ProcessesPart(_Part, frozen=True):
    """One entry of `processes`: all its keys must fit."""

    names: Globs | UnsetType = UNSET
    executables: Globs | UnsetType = UNSET
    uids: Annotated[tuple[Uid, ...], Meta(min_length=1, max_length=100)] | UnsetType = UNSET


class RulePart(_Part, frozen=True):
    """One rule; within a role the order of rules does not matter, and a forbid overrides every permit."""

    id: Name
    effect: Effect
    permissions: Annotated[tuple[Annotated[str, _PERMISSION], ...], Meta(min_length=1, max_length=50)]
    processes: Annotated[tuple[ProcessesPart, ...], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    names: Globs | UnsetType = UNSET
    paths: Globs | UnsetType = UNSET
    redaction: Profile | UnsetType = UNSET


class SessionPart(_Part, frozen=True):
    """Limits of sessions; a role's can only tighten the policy's."""

    max_minutes: Annotated[int, Meta(ge=1, le=480)] | UnsetType = UNSET
    idle_minutes: Annotated[int, Meta(ge=1, le=120)] | UnsetType = UNSET
    max_open: Annotated[int, Meta(ge=1, le=20)] | UnsetType = UNSET
    calls_per_minute: Annotated[int, Meta(ge=1, le=6000)] | UnsetType = UNSET
    min_reason_characters: Annotated[int, Meta(ge=20, le=200)] | UnsetType = UNSET
    ticket_pattern: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET


class WindowPart(_Part, frozen=True, rename={"start": "from"}):
    """A part of the week in UTC; an end that is not behind the start is on the next day."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)]
    start: Annotated[str, _TIME]
    until: Annotated[str, _TIME]


class EvidenceRulePart(_Part, frozen=True):
    """What the caller's ID token must say: every method of `amr`, one class of `acr`, a sign-in no older."""

    max_minutes: Annotated[int, Meta(ge=1, le=1440)]
    amr: Claims | UnsetType = UNSET
    acr: Claims | UnsetType = UNSET


class ConditionsPart(_Part, frozen=True):
    """What must hold for a role's permits to count; its forbids always do."""

    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1, max_length=len(Tier))] | UnsetType = UNSET
    windows: Annotated[tuple[WindowPart, ...], Meta(min_length=1, max_length=20)] | UnsetType = UNSET
    max_certificate_hours: Annotated[int, Meta(ge=1, le=8760)] | UnsetType = UNSET
    evidence: EvidenceRulePart | UnsetType = UNSET


class GrantRulePart(_Part, frozen=True):
    """The approvals without which a role's permits do not count; no approvers are nobody, and no grant is enough."""

    approvals: Approvals
    approvers: Approvers
    max_minutes: Annotated[int, Meta(ge=1, le=1440)]


class BudgetPart(_Part, frozen=True):
    """How much one session, or one grant over all its sessions, may disclose; what is left out is not bounded."""

    calls: Annotated[int, Meta(ge=1, le=9_007_199_254_740_991)] | UnsetType = UNSET
    rows: Count | UnsetType = UNSET
    names: Count | UnsetType = UNSET
    paths: Count | UnsetType = UNSET
    reply_bytes: Count | UnsetType = UNSET
    answers: Count | UnsetType = UNSET


class RolePart(_Part, frozen=True):
    """One role."""

    name: Name
    rules: Annotated[tuple[RulePart, ...], Meta(min_length=1, max_length=200)]
    session: SessionPart = SessionPart()
    conditions: ConditionsPart | UnsetType = UNSET
    grant: GrantRulePart | UnsetType = UNSET
    budget: BudgetPart | UnsetType = UNSET


class BindingPart(_Part, frozen=True):
    """One binding."""

    role: Name
    callers: Annotated[tuple[str, ...], Meta(min_length=1, max_length=200)]


class EvidencePart(_Part, frozen=True):
    """Whose ID tokens count as evidence; the keys are read from a file, never fetched."""

    issuer: Annotated[str, Meta(min_length=1, max_length=500, extra_json_schema={"pattern": "^https://"})]
    jwks: Annotated[str, Meta(min_length=1, max_length=4096, extra_json_schema={"pattern": "^/"})]
    audience: Annotated[str, Meta(min_length=1, max_length=255)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1, max_length=10)]


class GuardPart(_Part, frozen=True):
    """What one identity may do within a minute before it is halted, and for how long it is."""

    denials: Threshold | UnsetType = UNSET
    missing_pids: Threshold | UnsetType = UNSET
    missing_paths: Threshold | UnsetType = UNSET
    distinct_pids: Threshold | UnsetType = UNSET
    distinct_paths: Threshold | UnsetType = UNSET
    calls: Threshold | UnsetType = UNSET
    sensitive_hits: Threshold | UnsetType = UNSET
    sensitive_paths: Globs | UnsetType = UNSET
    new_sources: Threshold | UnsetType = UNSET
    halt_minutes: Annotated[int, Meta(ge=1, le=1440)] | UnsetType = UNSET


class BreakGlassPart(_Part, frozen=True):
    """How one variable may be revealed, once; without this part nothing ever is."""

    names: Globs
    approvals: Approvals
    approvers: Approvers
    max_minutes: Annotated[int, Meta(ge=1, le=5)]
    per_month: Annotated[int, Meta(ge=1, le=100)]
    review_owed: bool


class SpecPart(_Part, frozen=True):
    """What the policy says; without roles or bindings it permits nobody anything."""

    roles: Annotated[tuple[RolePart, ...], Meta(max_length=100)]
    bindings: Annotated[tuple[BindingPart, ...], Meta(max_length=500)]
    session: SessionPart = SessionPart()
    # The one profile for all text. Only the stricter one can be asked for: the other would undo what rules say.
    redaction: Literal["strict"] | UnsetType = UNSET
    evidence: EvidencePart | UnsetType = UNSET
    guard: GuardPart | UnsetType = UNSET
    break_glass: BreakGlassPart | UnsetType = UNSET


class MetadataPart(_Part, frozen=True):
    """The policy's own name."""

    name: Name


class PolicyFile(_Part, frozen=True):
    """A whole policy file."""

    api_version: Literal["leadglass.dev/v1"]
    kind: Literal["AccessPolicy"]
    metadata: MetadataPart
    spec: SpecPart
