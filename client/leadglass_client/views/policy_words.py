"""Says in words what questions to policies are about: targets, standings, reasons and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.changes import Change, ChangeKind, grant_terms, next_opening
from leadglass_agent.policy.decide import DenyReason
from leadglass_client.output.units import span, unix_moment
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.model import EvidenceRule, Policy
    from leadglass_agent.policy.question import No, Question
    from leadglass_agent.policy.standing import Standing
    from leadglass_agent.policy.targets import Target

_NANOSECONDS: Final = 1_000_000_000
_WHY: Final = {
    DenyReason.GRANT_NEEDED: "a grant is needed",
    DenyReason.EVIDENCE_NEEDED: "an ID token is needed",
    DenyReason.CERTIFICATE_TOO_OLD: "the certificate is too old",
    DenyReason.OUTSIDE_WINDOW: "it is outside of the hours",
    DenyReason.OTHER_TIER: "it is not for pods of this tier",
    DenyReason.NO_RULE: "no rule permits it",
    DenyReason.FORBIDDEN: "a rule forbids it",
    DenyReason.NO_BINDING: "no binding gives the caller a role",
}
_EDITS: Final = {
    ChangeKind.BIND_ROLE: "bind the caller to role {role}",
    ChangeKind.WIDEN_PERMIT: "add it to permit {rule} of role {role}",
    ChangeKind.ADD_PERMIT: "give role {role} a permit of {permission} for it",
    ChangeKind.DROP_FORBID: "take {permission} out of forbid {rule} of role {role}, or spare this in it",
    ChangeKind.DROP_PERMIT: "take {permission} out of permit {rule} of role {role}",
    ChangeKind.ADD_FORBID: "give role {role} a forbid of {permission} for it",
}


def why_words(no: No) -> str:
    """Says why the answer is no."""
    role = f" for role {no.role}" if no.role and no.why is not DenyReason.FORBIDDEN else ""
    rules = f": {', '.join(no.rules)}" if no.rules else ""
    return f"{_WHY[no.why]}{role}{rules}"


def target_words(target: Target) -> str:
    """Says what is asked about; "" if the permission is about nothing in the pod."""
    words = []
    if target.path is not None:
        words.append(printable(target.path))
    if target.name is not None:
        words.append(f"variable {printable(target.name) or 'without a name'}")
    if target.process is not None:
        facts = target.process
        runs = "of an unknown program" if facts.executable is None else f"running {printable(facts.executable)}"
        words.append(f"process {printable(facts.name) or 'without a name'} {runs} as user {facts.uid}")
    return ", ".join(words)


def standing_words(standing: Standing) -> str:
    """Says when and with what the caller comes."""
    now = standing.unix_ns // _NANOSECONDS
    words = [f"in a {standing.tier} pod at {unix_moment(now)}"]
    words.append(f"certificate of {span(max(0, now - standing.certificate_since_unix))} ago")
    if standing.evidence is not None:
        methods = " ".join(sorted(standing.evidence.amr))
        parts = [part for part in (methods, standing.evidence.acr) if part]
        told = f" ({printable(', '.join(parts))})" if parts else ""
        words.append(f"ID token of {span(max(0, now - standing.evidence.auth_unix))} ago{told}")
    words += [
        f"grant for {grant.minutes}m by {len(grant.approvers)} {'person' if len(grant.approvers) == 1 else 'people'}"
        for grant in standing.grants
    ]
    return ", ".join(words)


def change_words(policy: Policy, question: Question, change: Change) -> str:
    """Says what somebody has to do."""
    edit = _EDITS.get(change.kind)
    if edit is not None:
        return edit.format(permission=question.permission.value, role=change.role, rule=change.rule)
    role = next(role for role in policy.roles if role.name == change.role)
    match change.kind:
        case ChangeKind.BRING_GRANT:
            approvals, approvers, minutes = grant_terms(policy, role, question.permission)
            return f"bring a grant: {approvals} of {' or '.join(approvers)}, at most {minutes} minutes"
        case ChangeKind.SHOW_EVIDENCE:
            return f"open the session with an ID token{_evidence_words(role.conditions.evidence)}"
        case ChangeKind.RENEW_CERTIFICATE:
            return f"renew the certificate: at most {role.conditions.max_certificate_hours} hours old"
        case ChangeKind.WAIT_FOR_WINDOW:
            return f"come at {unix_moment(next_opening(role, question.standing.unix_ns) // _NANOSECONDS)}"
        case _:
            return f"ask in a {' or '.join(sorted(role.conditions.tiers))} pod"


def _evidence_words(rule: EvidenceRule | None) -> str:
    if rule is None:
        return ""
    parts = list(_evidence_parts(rule))
    return f" ({', '.join(parts)})"


def _evidence_parts(rule: EvidenceRule) -> Iterator[str]:
    if rule.amr:
        yield " ".join(sorted(rule.amr))
    if rule.acr:
        yield " or ".join(sorted(rule.acr))
    yield f"signed in at most {rule.max_minutes} minutes ago"
