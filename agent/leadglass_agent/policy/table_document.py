"""The shape of a file of policy tests, key by key, with the bounds of every value."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from leadglass_agent.policy.decide import DenyReason
from leadglass_agent.policy.document import Globs, Uid
from leadglass_agent.policy.model import Permission, Tier

MAX_CASES: Final = 2_000

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4096)]
Caller: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
Minutes: TypeAlias = Annotated[int, Meta(ge=0, le=525_600)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What every part of the file has in common: camelCase keys, and no others than the named."""


class ProcessPart(_Part, frozen=True):
    """A process that is asked about; without `executable` the kernel does not show it."""

    name: Text
    uid: Uid
    executable: Text | UnsetType = UNSET


class SelectorPart(_Part, frozen=True):
    """Processes that a grant is for."""

    names: Globs | UnsetType = UNSET
    executables: Globs | UnsetType = UNSET
    uids: Annotated[tuple[Uid, ...], Meta(min_length=1, max_length=100)] | UnsetType = UNSET


class EvidencePart(_Part, frozen=True):
    """What the ID token says that the caller brings; `minutes` since the person signed in."""

    minutes: Minutes
    amr: tuple[Text, ...] = ()
    acr: str = ""


class GrantPart(_Part, frozen=True):
    """A grant that the caller brings; what it leaves out is open, and its permission is that of the case."""

    approvers: Annotated[tuple[Caller, ...], Meta(max_length=16)]
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    permissions: tuple[Permission, ...] | UnsetType = UNSET
    processes: tuple[SelectorPart, ...] = ()
    names: Globs | UnsetType = UNSET
    paths: Globs | UnsetType = UNSET


class CasePart(_Part, frozen=True):
    """One question and the answer that the policy has to give.

    What a case leaves out may be anything: `allow` is then about something, `deny` about everything.
    """

    caller: Caller
    permission: Permission
    expect: Literal["allow", "deny"]
    process: ProcessPart | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    path: Text | UnsetType = UNSET
    tier: Tier = Tier.PROD
    at: Annotated[str, Meta(min_length=1, max_length=40)] | UnsetType = UNSET
    certificate_minutes: Minutes = 5
    evidence: EvidencePart | UnsetType = UNSET
    grants: Annotated[tuple[GrantPart, ...], Meta(max_length=16)] = ()
    rule: Text | UnsetType = UNSET
    why: DenyReason | UnsetType = UNSET


class TablePart(_Part, frozen=True):
    """The cases."""

    cases: Annotated[tuple[CasePart, ...], Meta(min_length=1, max_length=MAX_CASES)]


class MetadataPart(_Part, frozen=True):
    """The table's own name."""

    name: Text


class TableFile(_Part, frozen=True):
    """A whole file of tests."""

    api_version: Literal["leadglass.dev/v1"]
    kind: Literal["PolicyTest"]
    metadata: MetadataPart
    spec: TablePart
