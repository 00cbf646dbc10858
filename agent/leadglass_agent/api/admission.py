"""Says whether a caller may, now: who it is, that nothing halts or revokes it, its session, and what policy decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.access.session import SessionState, why_ended
from leadglass_agent.errors import ApprovalNeeded, ConditionUnmet, Halted, PolicyDenied, Refusal, SessionEnded
from leadglass_agent.identity import Caller, authenticate
from leadglass_agent.policy.decide import Allow, Deny, DenyReason, decide
from leadglass_agent.policy.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.access.approvals import PodFacts
    from leadglass_agent.access.guard import Guard
    from leadglass_agent.access.session import Session, SessionBook
    from leadglass_agent.api.methods import Method
    from leadglass_agent.api.peer import Peer
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import Permission, Policy
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.processes.live import Live

_SECOND_NS = 1_000_000_000
_CONDITIONS = frozenset(
    {
        DenyReason.OTHER_TIER,
        DenyReason.OUTSIDE_WINDOW,
        DenyReason.CERTIFICATE_TOO_OLD,
        DenyReason.EVIDENCE_NEEDED,
    }
)


@dataclass(frozen=True, slots=True)
class Permit:
    """A yes: where the method's permission holds, and for each of its field groups where that holds, or None.

    `grants` are all that the answer depends on: a field group may be shown by another grant than the rows themselves.
    """

    allow: Allow
    widened: Mapping[Permission, Scope | None]
    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks identity, guard, sessions and policy as they are now; nothing is remembered from an earlier answer."""

    live: Live
    sessions: SessionBook
    guard: Guard
    pod: PodFacts
    trust_domain: str

    def caller(self, peer: Peer, now: Instant) -> Caller:
        """Gives who calls; raises IdentityRefused, CertificateExpired or CertificateRevoked."""
        now_unix = now.unix_ns / _SECOND_NS
        return authenticate(peer.auth, peer.address, self.trust_domain, now_unix, self.live.trust, self.live.deny_list)

    def refuse_halted(self, caller: Caller, now: Instant) -> None:
        """Raises Halted while the guard keeps this identity out."""
        halt = self.guard.halted(caller.spiffe_id, now)
        if halt is not None:
            raise Halted(halt.cause)

    def session(self, session_id: str, caller: Caller, now: Instant) -> Session:
        """Counts one call of a session; raises SessionUnknown, SessionEnded, Halted or RateLimited."""
        return self.sessions.use(session_id, caller.spiffe_id, caller.key_digest, now)

    def still_open(self, session: Session, caller: Caller, now: Instant) -> Session:
        """Gives a session as it is now, which is no use of it; raises SessionEnded or Halted."""
        found = self.sessions.show(session.session_id, caller.spiffe_id, caller.key_digest, now)
        if found.state is not SessionState.OPEN:
            raise why_ended(found)
        return found

    def standing(self, caller: Caller, session: Session | None, policy: Policy, now: Instant) -> Standing:
        """Gives what the decision depends on; raises SessionEnded once none of a session's grants holds any more."""
        verified = () if session is None else session.grants
        now_unix = now.unix_ns / _SECOND_NS
        trust, denies = self.live.trust, self.live.deny_list.denies
        holding = tuple(grant for grant in verified if grant.still_holds(now_unix, policy, trust, denies))
        if session is not None and verified and not holding:
            self.sessions.end(session.session_id, SessionState.GRANT_ENDED, now)
            raise SessionEnded(SessionState.GRANT_ENDED)
        return Standing(
            unix_ns=now.unix_ns,
            tier=self.pod.tier,
            certificate_since_unix=caller.certificate_since_unix,
            evidence=None if session is None else session.evidence,
            grants=tuple(grant.scope() for grant in holding),
        )

    def permit(self, policy: Policy, method: Method, caller: Caller, standing: Standing) -> Permit:
        """Gives what policy permits of a method; raises PolicyDenied, ApprovalNeeded or ConditionUnmet."""
        match decide(policy, caller.spiffe_id, method.needs, standing):
            case Allow() as allow:
                wider = {group: _allowed(policy, caller, group, standing) for group in method.widens}
                grants = {grant for yes in (allow, *wider.values()) if yes is not None for grant in yes.grants}
                scopes = {group: None if yes is None else yes.scope for group, yes in wider.items()}
                return Permit(allow, scopes, tuple(sorted(grants)))
            case Deny() as deny:
                raise _refusal(method.needs, deny)


def _refusal(permission: Permission, deny: Deny) -> Refusal:
    detail = f"{permission.value}: {deny.why.value} {deny.role}".rstrip()
    if deny.why is DenyReason.GRANT_NEEDED:
        return ApprovalNeeded(detail)
    return ConditionUnmet(detail) if deny.why in _CONDITIONS else PolicyDenied(detail)


def _allowed(policy: Policy, caller: Caller, permission: Permission, standing: Standing) -> Allow | None:
    """Gives where and by which grants a field group is permitted, or None if it is nowhere."""
    decision = decide(policy, caller.spiffe_id, permission, standing)
    return decision if isinstance(decision, Allow) else None
