"""What a session is opened with beyond its caller's words: verified before, and fixed for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import GrantRefused
from leadglass_agent.policy.model import Budget

if TYPE_CHECKING:
    from leadglass_agent.access.approvals import VerifiedGrant
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.standing import Evidence
    from leadglass_agent.views.rows import ProcessRef

UNBOUNDED: Final = Budget()

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """Grants and evidence that it carries, the process whose end ends it, where it was opened, what it may disclose."""

    grants: tuple[VerifiedGrant, ...] = ()
    evidence: Evidence | None = None
    target: ProcessRef | None = None
    peer_host: str = ""
    budget: Budget = UNBOUNDED

    def end_boot_ns(self, longest_boot_ns: int, now: Instant) -> int:
        """Tells when a session ends at the latest, on CLOCK_BOOTTIME: none outlives the last of its grants.

        Grants end by the wall clock; it is read once, here, so that setting it back afterwards prolongs nothing. Raises
        GrantRefused if every grant has ended.
        """
        if not self.grants:
            return longest_boot_ns
        last_unix = max(verified.grant.not_after_unix for verified in self.grants)
        last_boot_ns = now.boot_ns + last_unix * _SECOND_NS - now.unix_ns
        if last_boot_ns <= now.boot_ns:
            detail = "every grant has ended"
            raise GrantRefused(detail)
        return min(longest_boot_ns, last_boot_ns)


NO_TERMS: Final = SessionTerms()
