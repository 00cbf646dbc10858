"""Checks what can be said of a grant without an agent: who signed it, whether that holds, and whether its time is come.

It follows the agent's own rules and has less to go by: which roles the signers hold, how many of them the policy asks
for, and what is on a deny list, only the agent knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.dsse import verifies
from leadglass_agent.access.signer import SignerError, read_signer
from leadglass_agent.spiffe import trust_domain_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.access.dsse import Signature
    from leadglass_agent.access.grant import Grant
    from leadglass_agent.access.signer import Signer
    from leadglass_agent.trust import Trust
    from leadglass_client.offline.grant_files import GrantFile


class GrantState(StrEnum):
    """What a file is good for now."""

    REQUESTED = "requested"
    APPROVED = "approved"
    NOT_YET = "not_yet"
    ENDED = "ended"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Approval:
    """One signature: who made it as far as its certificate says, and what is wrong with it; "" if nothing is."""

    spiffe_id: str
    key_digest: str
    serial: str
    certificate_end_unix: int
    fault: str


@dataclass(frozen=True, slots=True)
class CheckedGrant:
    """A grant with its signatures looked at."""

    grant: Grant
    approvals: tuple[Approval, ...]
    state: GrantState

    @property
    def fault(self) -> str:
        """The first fault of a signature; "" if there is none."""
        return next((approval.fault for approval in self.approvals if approval.fault), "")


_UNREAD: Final = Approval("", "", "", 0, "it carries no certificate of a signer that can be read")


def check_grant(file: GrantFile, trust: Trust, now_unix: int) -> CheckedGrant:
    """Checks every signature against the text that it covers, and its certificate against the authorities."""
    approvals = tuple(_approvals(file, trust, now_unix))
    return CheckedGrant(file.grant, approvals, _state(file.grant, approvals, now_unix))


def _approvals(file: GrantFile, trust: Trust, now_unix: int) -> Iterator[Approval]:
    grant = file.grant
    people, keys = {str(grant.requester)}, {grant.requester_key}
    for signature in file.envelope.signatures:
        try:
            signer = read_signer(signature.certificates)
        except SignerError:
            yield _UNREAD
            continue
        fault = _signature_fault(file, signature, signer) or _signer_fault(signature, signer, grant, trust, now_unix)
        if not fault and (signer.spiffe_id in people or signer.key_digest in keys):
            fault = "it is the requester's own, or one and the same person or key has signed twice"
        people.add(signer.spiffe_id)
        keys.add(signer.key_digest)
        yield Approval(signer.spiffe_id, signer.key_digest, signer.serial, signer.not_after_unix, fault)


def _signature_fault(file: GrantFile, signature: Signature, signer: Signer) -> str:
    if signature.keyid != signer.key_digest or not verifies(file.envelope, signature, signer.public_key):
        return "it does not fit what the file says now"
    return ""


def _signer_fault(signature: Signature, signer: Signer, grant: Grant, trust: Trust, now_unix: int) -> str:
    if signer.trust_domain != trust_domain_of(grant.requester):
        return "it is from another trust domain than the requester"
    if fault := unvouched(signer, signature.certificates, grant, trust):
        return fault
    return "its certificate is not valid yet" if signer.valid_from_unix > now_unix else ""


def unvouched(signer: Signer, certificates: str, grant: Grant, trust: Trust) -> str:
    """Says why agents will not take this certificate for this grant; "" if they may.

    There must be a moment at which both are valid, as certificates are renewed more often than grants end.
    """
    since = max(grant.not_before_unix, signer.valid_from_unix)
    if signer.not_after_unix <= since:
        return "its certificate ends before the grant begins"
    if not trust.vouches(certificates.encode(), since):
        return "its certificate is from none of your authorities"
    return ""


def _state(grant: Grant, approvals: tuple[Approval, ...], now_unix: int) -> GrantState:
    if any(approval.fault for approval in approvals):
        return GrantState.BROKEN
    if now_unix >= grant.not_after_unix:
        return GrantState.ENDED
    if not approvals:
        return GrantState.REQUESTED
    return GrantState.NOT_YET if now_unix < grant.not_before_unix else GrantState.APPROVED
