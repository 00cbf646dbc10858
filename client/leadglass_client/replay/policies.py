"""The policies by which a recorded session is decided anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy
    from leadglass_client.replay.recording import RecordedCall


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy to decide by, and that of then if it is known; a recording can end under another than it began."""

    after: Policy
    before: Policy | None = None

    def before_of(self, call: RecordedCall) -> Policy | None:
        """Gives the policy that a call was decided by, if it is one of the two."""
        if call.called.policy_digest == self.after.digest:
            return self.after
        is_known = self.before is not None and call.called.policy_digest == self.before.digest
        return self.before if is_known else None
