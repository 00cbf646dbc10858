"""What a policy is once it has been read: roles of rules, bindings of callers to roles, and what both depend on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

import msgspec

if TYPE_CHECKING:
    from leadglass_agent.policy.ticket import TicketPattern

SpiffeId = NewType("SpiffeId", str)
RuleId = NewType("RuleId", str)


class Permission(StrEnum):
    """What a rule can permit or forbid: one view, or one field group of a view."""

    SESSION_OPEN = "session.open"
    AGENT_SELF = "agent.self"
    PROCESSES_LIST = "processes.list"
    PROCESSES_EXECUTABLE = "processes.executable"
    PROCESSES_ARGV = "processes.argv"
    ENV_PRESENCE = "env.presence"
    ENV_NAMES = "env.names"
    FILES_METADATA = "files.metadata"
    FILES_LIST = "files.list"
    FILES_ACCESS = "files.access"
    TEXT_REDACTED = "text.redacted"
    ENV_REVEAL = "env.reveal"
    SESSIONS_LIST = "sessions.list"
    SESSIONS_END = "sessions.end"
    GRANTS_APPROVE = "grants.approve"
    REVIEWS_LIST = "reviews.list"
    REVIEWS_CLOSE = "reviews.close"
    AUDIT_CHECKPOINT = "audit.checkpoint"
    AUDIT_READ = "audit.read"
    RECORDINGS_LIST = "recordings.list"
    RECORDINGS_READ = "recordings.read"
    RECORDINGS_HOLD = "recordings.hold"
    RECORDINGS_SHRED = "recordings.shred"


class Effect(StrEnum):
    """Whether a rule permits or forbids; a forbid overrides every permit."""

    PERMIT = "permit"
    FORBID = "forbid"


class Tier(StrEnum):
    """Whether a pod serves real users; an agent is of one tier, and a grant for the other holds nothing there."""

    PROD = "prod"
    NON_PROD = "non-prod"


class Profile(StrEnum):
    """The redactor's operating points; the names are those of leadglass.v1.RedactionProfile."""

    BALANCED = "balanced"
    STRICT = "strict"


class ProcessSelector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Selects processes that fit each of its lists that is not empty: name globs, executable path globs, user ids.

    It crosses the channel within a scope, hence a msgspec struct.
    """

    names: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; an empty tuple of selectors leaves that dimension open.

    `redaction` is the profile for the text that the rule shows; None leaves it to the kind of text.
    """

    rule_id: RuleId
    effect: Effect
    permissions: frozenset[Permission]
    processes: tuple[ProcessSelector, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    redaction: Profile | None = None


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of a session: minutes, open sessions of one identity, calls a minute, and what a reason and a ticket need.

    A ticket must fit every one of `ticket_patterns`.
    """

    max_minutes: int
    idle_minutes: int
    max_open: int
    calls_per_minute: int
    min_reason_characters: int
    ticket_patterns: tuple[TicketPattern, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A part of the week in UTC: days from 0 (Monday), minutes of the day from `start` up to but not including `end`.

    A window whose end is not behind its start runs over midnight, and belongs to the day on which it starts.
    """

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """What an ID token must say: every method of `amr`, one class of `acr` if any is named, a sign-in no older."""

    amr: frozenset[str]
    acr: frozenset[str]
    max_minutes: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold for a role's permits to count; its forbids always do. Empty and None ask for nothing."""

    tiers: frozenset[Tier] = frozenset()
    windows: tuple[TimeWindow, ...] = ()
    max_certificate_hours: int | None = None
    evidence: EvidenceRule | None = None


@dataclass(frozen=True, slots=True)
class GrantRule:
    """The approvals without which a role's permits do not count: how many, by holders of which roles, for how long.

    An empty `approvers` is nobody: then no grant is ever enough.
    """

    approvals: int
    approvers: tuple[str, ...]
    max_minutes: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one session, or one grant over all its sessions, may disclose; None bounds nothing.

    Names of variables and paths count once however often they are shown; `answers` are yes-or-no answers.
    """

    calls: int | None = None
    rows: int | None = None
    names: int | None = None
    paths: int | None = None
    reply_bytes: int | None = None
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of rules, with the session limits of whoever holds it, and what its permits depend on."""

    name: str
    rules: tuple[Rule, ...]
    session: SessionLimits
    conditions: Conditions = Conditions()
    grant: GrantRule | None = None
    budget: Budget = Budget()


@dataclass(frozen=True, slots=True)
class Binding:
    """Gives a role to the callers whose SPIFFE id fits one of the globs."""

    role: str
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """Whose ID tokens count as evidence: issuer, the file with its keys (JWKS), our audience, accepted algorithms."""

    issuer: str
    jwks: str
    audience: str
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What an identity may do within a minute before it is halted, and for how long; all numbers at least 1.

    `sensitive_paths` are globs whose every attempt counts, permitted or not.
    """

    denials: int = 20
    missing_pids: int = 30
    missing_paths: int = 60
    distinct_pids: int = 400
    distinct_paths: int = 600
    calls: int = 1_200
    sensitive_hits: int = 5
    sensitive_paths: tuple[str, ...] = ()
    new_sources: int = 3
    halt_minutes: int = 15


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """How one variable may be revealed: which names, how many approvals by whom, how long, how often in 30 days.

    With `review_owed` somebody else has to close a review afterwards, and until then nothing more is revealed to the
    same person. One approval alone is allowed only then.
    """

    names: tuple[str, ...]
    approvals: int
    approvers: tuple[str, ...]
    max_minutes: int
    per_month: int
    review_owed: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; `digest` is `sha256:` and the hex digest of the file's bytes.

    `redaction` is the profile for all text, whatever rules say; None leaves it to them. Without `break_glass` nothing
    is ever revealed, and without `evidence` no token is evidence.
    """

    name: str
    digest: str
    roles: tuple[Role, ...]
    bindings: tuple[Binding, ...]
    session: SessionLimits
    redaction: Profile | None = None
    evidence: EvidenceSource | None = None
    guard: GuardLimits = GuardLimits()
    break_glass: BreakGlass | None = None
