"""Follows a recorded session under another policy's limits: its reason, ticket, length, idle time and rate of calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.budget import CallBudget
from leadglass_agent.access.justification import judge_reason, judge_ticket
from leadglass_agent.errors import Reason, Refusal
from leadglass_agent.policy.decide import Deny, decide, roles_of, session_limits
from leadglass_agent.policy.model import Permission, SpiffeId
from leadglass_client.replay.permitted import Refused, refused

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.policy.standing import Standing
    from leadglass_agent.recordings.records import Opened
    from leadglass_client.replay.recording import RecordedCall

_MINUTE_NS: Final = 60 * 1_000_000_000
_MASK: Final = "[redacted:"
# Refused before the session's limits were asked, or by them.
_BEFORE: Final = frozenset(
    {Reason.SESSION_MISSING, Reason.SESSION_UNKNOWN, Reason.SESSION_ENDED, Reason.RATE_LIMITED, Reason.HALTED}
)


class SessionTerms:
    """One session as its calls come; wall-clock times stand for the boot clock's, which are not recorded.

    `then` is how the caller stood at its first call, hence at the opening: what is needed for that needs no grant.
    """

    def __init__(self, opened: Opened, policy: Policy, then: Standing | None) -> None:
        self._caller = SpiffeId(opened.caller)
        self._limits = session_limits(policy, self._caller) if _has_role(policy, self._caller) else None
        self._opened_ns = opened.time_unix_ns
        self._used_ns = opened.time_unix_ns
        self._calls = CallBudget()
        if self._limits is not None:  # the opening counts as a call
            self._calls.spend(self._caller, self._limits.calls_per_minute, opened.time_unix_ns)
        self._never = None if self._limits is None else self._unopened(opened, policy, then)

    def refuses(self, call: RecordedCall) -> Refused | None:
        """Gives the refusal of a call by the limits; None if they permit it, or it did not come as far then."""
        if self._limits is None or self._never is not None:
            return self._never  # without a role the policy itself says no
        if call.refusal in _BEFORE:
            return None
        now = call.called.time_unix_ns
        if now - self._opened_ns >= self._limits.max_minutes * _MINUTE_NS:
            return Refused(Reason.SESSION_ENDED, f"the session is over after {self._limits.max_minutes} minutes")
        if now - self._used_ns >= self._limits.idle_minutes * _MINUTE_NS:
            why = f"no call for {self._limits.idle_minutes} minutes had ended the session"
            self._never = Refused(Reason.SESSION_ENDED, why)
            return self._never
        if not self._calls.spend(self._caller, self._limits.calls_per_minute, now):
            return Refused(Reason.RATE_LIMITED, f"{self._limits.calls_per_minute} calls a minute are allowed")
        self._used_ns = max(self._used_ns, now)
        return None

    def _unopened(self, opened: Opened, policy: Policy, then: Standing | None) -> Refused | None:
        """Gives why the session would not have been opened; what was masked in the recording is taken as good."""
        if self._limits is None:
            return None
        if then is not None:
            at = replace(then, unix_ns=opened.time_unix_ns)
            decision = decide(policy, self._caller, Permission.SESSION_OPEN, at)
            if isinstance(decision, Deny):
                return refused(policy, Permission.SESSION_OPEN, decision)
        try:
            if _MASK not in opened.reason:
                judge_reason(opened.reason, self._limits)
            if _MASK not in opened.ticket:
                judge_ticket(opened.ticket, self._limits)
        except Refusal as refusal:
            return Refused(refusal.reason, f"the session is not opened: {refusal}")
        return None


def _has_role(policy: Policy, caller: SpiffeId) -> bool:
    return bool(roles_of(policy, caller))
