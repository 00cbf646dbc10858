"""The shape of a policy file, key by key, with the bounds of every value."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from leadglass_agent.policy.model import Effect, Profile

MAX_RULES: Final = 1000

# A list that is written down names somebody or something; UNSET rather than None, so that a bare `names:` is an error.
Globs: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
Uid: TypeAlias = Annotated[int, Meta(ge=0, le=4_294_967_294)]  # the highest number is the kernel's "no user"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What every part of the file has in common: camelCase keys, and no others than the named."""


class ProcessesPart(_Part, frozen=True):
    """One entry of `processes`: all its keys must fit."""

    names: Globs | UnsetType = UNSET
    executables: Globs | UnsetType = UNSET
    uids: Annotated[tuple[Uid, ...], Meta(min_length=1, max_length=100)] | UnsetType = UNSET


class RulePart(_Part, frozen=True):
    """One rule; permissions stay text here, so that a wrong one can be answered with the nearest."""

    id: str
    effect: Effect
    permissions: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]
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


class RolePart(_Part, frozen=True):
    """One role."""

    name: str
    rules: Annotated[tuple[RulePart, ...], Meta(min_length=1, max_length=200)]
    session: SessionPart = SessionPart()


class BindingPart(_Part, frozen=True):
    """One binding."""

    role: str
    callers: Annotated[tuple[str, ...], Meta(min_length=1, max_length=200)]


class SpecPart(_Part, frozen=True):
    """What the policy says; without roles or bindings it permits nobody anything."""

    roles: Annotated[tuple[RolePart, ...], Meta(max_length=100)]
    bindings: Annotated[tuple[BindingPart, ...], Meta(max_length=500)]
    session: SessionPart = SessionPart()
    # The one profile for all text. Only the stricter one can be asked for: the other would undo what rules say.
    redaction: Literal["strict"] | UnsetType = UNSET


class MetadataPart(_Part, frozen=True):
    """The policy's own name."""

    name: str


class PolicyFile(_Part, frozen=True):
    """A whole policy file."""

    api_version: Literal["leadglass.dev/v1"]
    kind: Literal["AccessPolicy"]
    metadata: MetadataPart
    spec: SpecPart
