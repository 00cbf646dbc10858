"""What a policy is once it has been read: roles of rules, bindings of callers to roles, limits of sessions."""

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
    TEXT_REDACTED = "text.redacted"


class Effect(StrEnum):
    """Whether a rule permits or forbids; a forbid overrides every permit."""

    PERMIT = "permit"
    FORBID = "forbid"


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
class Role:
    """A named set of rules, with the session limits of whoever holds it."""

    name: str
    rules: tuple[Rule, ...]
    session: SessionLimits


@dataclass(frozen=True, slots=True)
class Binding:
    """Gives a role to the callers whose SPIFFE id fits one of the globs."""

    role: str
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; `digest` is `sha256:` and the hex digest of the file's bytes.

    `redaction` is the profile for all text, whatever rules say; None leaves it to them.
    """

    name: str
    digest: str
    roles: tuple[Role, ...]
    bindings: tuple[Binding, ...]
    session: SessionLimits
    redaction: Profile | None = None
