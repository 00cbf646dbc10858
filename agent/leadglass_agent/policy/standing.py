"""What a decision depends on beside policy and caller: time, tier, the certificate's age, evidence and grants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Permission, ProcessSelector, SpiffeId, Tier


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who an ID token that was verified says is there, how they signed in, and when (seconds since 1970)."""

    subject: str
    amr: frozenset[str]
    acr: str
    auth_unix: int


@dataclass(frozen=True, slots=True)
class GrantedScope:
    """What a grant that was verified covers, who approved it, and for how long it was made out.

    An empty tuple of selectors leaves that dimension open; without approvers it counts for nothing.
    """

    grant_id: str
    permissions: frozenset[Permission]
    approvers: tuple[SpiffeId, ...]
    minutes: int
    processes: tuple[ProcessSelector, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands now: nanoseconds since 1970, the pod's tier, since when the certificate is valid, the rest.

    Without evidence and grants a caller has what needs neither.
    """

    unix_ns: int
    tier: Tier
    certificate_since_unix: int
    evidence: Evidence | None = None
    grants: tuple[GrantedScope, ...] = ()
