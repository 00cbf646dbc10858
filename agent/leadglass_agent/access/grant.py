"""What a grant says: who may look at what, in which pods, from when until when, how much, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SpiffeId

GRANT_PAYLOAD: Final = "application/vnd.leadglass.grant+json"

MAX_LIFETIME_SECONDS: Final = 24 * 60 * 60
REVEAL: Final = "env.reveal"


class GrantError(Exception):
    """A payload that is no grant; its text names the field and echoes nothing of it."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field


@dataclass(frozen=True, slots=True)
class ProcessBound:
    """Processes that fit each of its lists that is not empty: name globs, executable path globs, user ids."""

    names: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PodSelector:
    """Pods that fit each of its texts that is not empty: a glob for the SPIFFE id, the rest exactly.

    At least one is set; `uid` names one single pod.
    """

    spiffe_id: str = ""
    namespace: str = ""
    workload: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class GrantBudget:
    """How much all sessions that carry the grant may disclose together; None bounds nothing."""

    calls: int | None = None
    rows: int | None = None
    names: int | None = None
    paths: int | None = None
    reply_bytes: int | None = None
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant, or the request for one; only signatures tell them apart.

    `requester_key` is the hex SHA-256 of the requester's public key. Empty `processes`, `names` and `paths` leave that
    dimension to the policy. It holds from `not_before_unix` up to but not including `not_after_unix`, in pods of
    `tier` that one of `pods` selects, under the policy of `policy_digest`, or under any if that is empty.
    """

    grant_id: str
    requester: SpiffeId
    requester_key: str
    permissions: tuple[str, ...]
    pods: tuple[PodSelector, ...]
    tier: str
    not_before_unix: int
    not_after_unix: int
    reason: str
    processes: tuple[ProcessBound, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    budget: GrantBudget = GrantBudget()
    ticket: str = ""
    policy_digest: str = ""
    needs_evidence: bool = False
    reveals: bool = False

    @property
    def minutes(self) -> int:
        """How long it holds, in minutes, rounded up."""
        return -(-(self.not_after_unix - self.not_before_unix) // 60)
