"""Decides whether an envelope is a grant that others approved for this caller, this pod and this time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never

from leadglass_agent.access.dsse import EnvelopeError, parse_envelope, verifies, write_envelope
from leadglass_agent.access.grant import GRANT_PAYLOAD, GrantError
from leadglass_agent.access.grant_json import parse_grant
from leadglass_agent.access.signer import SignerError, read_signer
from leadglass_agent.errors import GrantRefused
from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.model import Permission, ProcessSelector, Tier
from leadglass_agent.policy.standing import GrantedScope, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.access.dsse import Envelope, Signature
    from leadglass_agent.access.grant import Grant, PodSelector
    from leadglass_agent.policy.model import Policy, SpiffeId
    from leadglass_agent.trust import Trust

_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PodFacts:
    """The pod that asks; "" is what it does not know of itself, and fits no selector that names it."""

    spiffe_id: str
    namespace: str
    workload: str
    uid: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class Approver:
    """Who approved; `since_unix` is the first moment at which certificate and grant were both valid."""

    spiffe_id: SpiffeId
    key_digest: str
    serial: str
    certificate_since_unix: int
    since_unix: int
    certificates: bytes


@dataclass(frozen=True, slots=True)
class VerifiedGrant:
    """A grant that was accepted, with who approved it, and the `sha256:` digest of its envelope as we write it."""

    grant: Grant
    approvers: tuple[Approver, ...]
    envelope_digest: str

    def scope(self) -> GrantedScope:
        """Gives what the policy needs to know of it."""
        return GrantedScope(
            grant_id=self.grant.grant_id,
            permissions=frozenset(Permission(text) for text in self.grant.permissions),
            approvers=tuple(approver.spiffe_id for approver in self.approvers),
            minutes=self.grant.minutes,
            processes=tuple(
                ProcessSelector(names=bound.names, executables=bound.executables, uids=bound.uids)
                for bound in self.grant.processes
            ),
            names=self.grant.names,
            paths=self.grant.paths,
        )

    def still_holds(self, now_unix: float, policy: Policy, trust: Trust, denies: Callable[[str], bool]) -> bool:
        """Says whether nothing was taken away since: its time, its approvers' rights, keys and authorities, itself."""
        return not _lapse(self, now_unix, policy, trust, denies)


def verify_grant(  # noqa: PLR0913 - each is one fact that a grant is held against, and all are needed
    text: str,
    *,
    pod: PodFacts,
    caller: SpiffeId,
    key_digest: str,
    trust: Trust,
    policy: Policy,
    denies: Callable[[str], bool],
    now_unix: float,
    trust_domain: str,
) -> VerifiedGrant:
    """Gives the grant of an envelope; raises GrantRefused unless everything about it holds now.

    `denies` says of a serial, a key digest, a SPIFFE id or a grant's id whether it is on the deny list. One signature
    that does not verify, or that may not be there, refuses the whole: what nobody can account for was tampered with.
    Whether the approvers are enough, and the right ones, is for the policy: see `policy.standing.GrantedScope`.
    """
    envelope, grant = _read(text)
    _check_terms(grant, pod, caller, key_digest)
    approvers = tuple(_approver(envelope, grant, signature, trust_domain) for signature in envelope.signatures)
    _check_distinct(grant, approvers)
    digest = hashlib.sha256(write_envelope(envelope).encode()).hexdigest()
    verified = VerifiedGrant(grant, approvers, f"sha256:{digest}")
    if fault := _lapse(verified, now_unix, policy, trust, denies):
        _refuse(fault)
    return verified


def _read(text: str) -> tuple[Envelope, Grant]:
    try:
        envelope = parse_envelope(text)
    except EnvelopeError as error:
        _refuse(f"no envelope: {error}")
    if envelope.payload_type != GRANT_PAYLOAD:
        _refuse("the payload is of another type than a grant")
    if not envelope.signatures:
        _refuse("nobody has signed it")
    try:
        return envelope, parse_grant(envelope.payload)
    except GrantError as error:
        _refuse(f"no grant: {error}")


def _check_terms(grant: Grant, pod: PodFacts, caller: SpiffeId, key_digest: str) -> None:
    """Checks what the grant says of itself, none of which changes while it holds."""
    if grant.requester != caller or grant.requester_key != key_digest:
        _refuse("it was made out to another caller or another key")
    if grant.tier != pod.tier:
        _refuse("it is for the other tier")
    if not any(_selects(selector, pod) for selector in grant.pods):
        _refuse("it is not for this pod")
    if not set(Permission).issuperset(grant.permissions):
        _refuse("it names a permission that this agent does not have")


def _approver(envelope: Envelope, grant: Grant, signature: Signature, trust_domain: str) -> Approver:
    try:
        signer = read_signer(signature.certificates)
    except SignerError as error:
        _refuse(f"a signer is unknown: {error}")
    # The key id is only a hint, but one that contradicts the certificate was not written by whoever signed.
    if signature.keyid != signer.key_digest or not verifies(envelope, signature, signer.public_key):
        _refuse("a signature does not verify")
    if signer.trust_domain != trust_domain:
        _refuse("a signer is of another trust domain")
    return Approver(
        spiffe_id=signer.spiffe_id,
        key_digest=signer.key_digest,
        serial=signer.serial,
        certificate_since_unix=signer.not_before_unix,
        since_unix=max(grant.not_before_unix, signer.valid_from_unix),
        certificates=signature.certificates.encode(),
    )


def _check_distinct(grant: Grant, approvers: tuple[Approver, ...]) -> None:
    """Checks that requester and approvers are all different people, with different keys."""
    ids = [grant.requester, *(approver.spiffe_id for approver in approvers)]
    keys = [grant.requester_key, *(approver.key_digest for approver in approvers)]
    if len(set(ids)) != len(ids):
        _refuse("an approver has signed twice, or is the requester")
    if len(set(keys)) != len(keys):
        _refuse("two approvers, or an approver and the requester, have the same key")


def _lapse(
    verified: VerifiedGrant, now_unix: float, policy: Policy, trust: Trust, denies: Callable[[str], bool]
) -> str:
    """Says what of a grant does not hold now; "" if all does."""
    grant = verified.grant
    if now_unix < grant.not_before_unix:
        return "it does not hold yet"
    if now_unix >= grant.not_after_unix:
        return "its time is over"
    if grant.policy_digest not in ("", policy.digest):
        return "it was made out under another policy"
    if any(denies(name) for name in (grant.grant_id, grant.requester, grant.requester_key)):
        return "the grant, or whom it was made out to, is on the deny list"
    faults = (_fault(approver, grant, now_unix, policy, trust, denies) for approver in verified.approvers)
    return next(filter(None, faults), "")


def _fault(
    approver: Approver,
    grant: Grant,
    now_unix: float,
    policy: Policy,
    trust: Trust,
    denies: Callable[[str], bool],
) -> str:
    if any(denies(name) for name in (approver.spiffe_id, approver.key_digest, approver.serial)):
        return "an approver is on the deny list"
    # Certificates are short-lived: the approval outlives the one that it was given with, within the grant's 24 hours.
    # What counts is a moment at which both were valid, and that the authority is still one of ours.
    if approver.since_unix > now_unix or not trust.vouches(approver.certificates, approver.since_unix):
        return "no authority in force vouches for an approver"
    # Without evidence: nobody can show an ID token to an agent that they do not call.
    standing = Standing(
        unix_ns=approver.since_unix * _NANOSECONDS,
        tier=Tier(grant.tier),
        certificate_since_unix=approver.certificate_since_unix,
    )
    if not isinstance(decide(policy, approver.spiffe_id, Permission.GRANTS_APPROVE, standing), Allow):
        return "an approver may not approve grants"
    return ""


def _selects(selector: PodSelector, pod: PodFacts) -> bool:
    if selector.spiffe_id and not matches_path(selector.spiffe_id, pod.spiffe_id):
        return False
    named = ((selector.namespace, pod.namespace), (selector.workload, pod.workload), (selector.uid, pod.uid))
    return all(wanted in ("", given) for wanted, given in named)


def _refuse(detail: str) -> Never:
    raise GrantRefused(detail)
