"""The one refusal type of the agent: a fixed public text for the caller, a private detail for the audit log."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Status(StrEnum):
    """gRPC status names; the engines know the names and not the wire."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class Reason(StrEnum):
    """Stable reasons of google.rpc.ErrorInfo (domain leadglass.dev); clients and audit readers match on them."""

    IDENTITY_REFUSED = "IDENTITY_REFUSED"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    SESSION_MISSING = "SESSION_MISSING"
    SESSION_UNKNOWN = "SESSION_UNKNOWN"
    SESSION_ENDED = "SESSION_ENDED"
    SESSION_LIMIT = "SESSION_LIMIT"
    REASON_REFUSED = "REASON_REFUSED"
    TICKET_REFUSED = "TICKET_REFUSED"
    POLICY_DENIED = "POLICY_DENIED"
    PROCESS_NOT_FOUND = "PROCESS_NOT_FOUND"
    INVALID_REQUEST = "INVALID_REQUEST"
    PATTERN_REFUSED = "PATTERN_REFUSED"
    RATE_LIMITED = "RATE_LIMITED"
    AUDIT_UNAVAILABLE = "AUDIT_UNAVAILABLE"
    READER_UNAVAILABLE = "READER_UNAVAILABLE"
    TIMED_OUT = "TIMED_OUT"
    KNOWN_VALUE = "KNOWN_VALUE"
    KNOWN_VALUES_UNREAD = "KNOWN_VALUES_UNREAD"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    APPROVAL_NEEDED = "APPROVAL_NEEDED"
    CONDITION_UNMET = "CONDITION_UNMET"
    GRANT_REFUSED = "GRANT_REFUSED"
    EVIDENCE_REFUSED = "EVIDENCE_REFUSED"
    BUDGET_SPENT = "BUDGET_SPENT"
    HALTED = "HALTED"
    REVEAL_REFUSED = "REVEAL_REFUSED"
    REVIEW_OWED = "REVIEW_OWED"
    REVIEW_UNKNOWN = "REVIEW_UNKNOWN"
    RECORD_UNKNOWN = "RECORD_UNKNOWN"
    RECORDING_UNKNOWN = "RECORDING_UNKNOWN"
    RECORDING_DESTROYED = "RECORDING_DESTROYED"
    RECORDING_HELD = "RECORDING_HELD"
    INTERNAL = "INTERNAL"


class Severity(StrEnum):
    """How urgently somebody has to look at a record of the audit log; most records need nobody."""

    CRITICAL = "CRITICAL"


class Refusal(Exception):
    """A call that is answered with no; subclasses fix status, reason and the text that the caller reads.

    `str()` of a refusal is the private detail, which only the audit log sees; it never holds a value of the target.
    """

    status: ClassVar[Status] = Status.INTERNAL
    reason: ClassVar[Reason] = Reason.INTERNAL
    public: ClassVar[str] = "internal error"
    severity: ClassVar[Severity | None] = None

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.public)


class IdentityRefused(Refusal):
    """The peer proves no acceptable identity."""

    status = Status.UNAUTHENTICATED
    reason = Reason.IDENTITY_REFUSED
    public = "the client certificate is not acceptable"


class CertificateExpired(Refusal):
    """The peer's certificate is not valid now, although its connection still stands."""

    status = Status.UNAUTHENTICATED
    reason = Reason.CERTIFICATE_EXPIRED
    public = "the client certificate has expired or is not valid yet"


class SessionMissing(Refusal):
    """A read was asked for outside a session."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.SESSION_MISSING
    public = "open a session first"


class SessionUnknown(Refusal):
    """No session of this id belongs to this caller's key."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.SESSION_UNKNOWN
    public = "no such session for this certificate"


class SessionEnded(Refusal):
    """The session was closed, or its time is over."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.SESSION_ENDED
    public = "the session has ended; open a new one"


class SessionLimit(Refusal):
    """The caller, or the agent, has as many open sessions as allowed."""

    status = Status.RESOURCE_EXHAUSTED
    reason = Reason.SESSION_LIMIT
    public = "too many open sessions; close one first"


class ReasonRefused(Refusal):
    """The reason given for a session is too short, too long or says nothing."""

    status = Status.INVALID_ARGUMENT
    reason = Reason.REASON_REFUSED
    public = "the reason does not satisfy the policy: say in words why access is needed"


class TicketRefused(Refusal):
    """The ticket given for a session is missing or not of the form that policy asks for."""

    status = Status.INVALID_ARGUMENT
    reason = Reason.TICKET_REFUSED
    public = "the ticket is missing or not of the form that the policy asks for"


class PolicyDenied(Refusal):
    """No rule permits it, or a rule forbids it."""

    status = Status.PERMISSION_DENIED
    reason = Reason.POLICY_DENIED
    public = "the policy does not permit this"


class ProcessNotFound(Refusal):
    """No process of this number and start is within the caller's scope."""

    status = Status.NOT_FOUND
    reason = Reason.PROCESS_NOT_FOUND
    public = "no such process within your scope"


class InvalidRequest(Refusal):
    """A field of the request is out of its bounds."""

    status = Status.INVALID_ARGUMENT
    reason = Reason.INVALID_REQUEST
    public = "the request is out of bounds"


class PatternRefused(Refusal):
    """A pattern to search text with is too large, or not of the kind that takes linear time."""

    status = Status.INVALID_ARGUMENT
    reason = Reason.PATTERN_REFUSED
    public = "the pattern is too large, or holds what cannot be searched for in linear time"


class RateLimited(Refusal):
    """The session makes more calls a minute than policy allows."""

    status = Status.RESOURCE_EXHAUSTED
    reason = Reason.RATE_LIMITED
    public = "too many calls; wait a moment"


class AuditUnavailable(Refusal):
    """The audit log cannot be written, so nothing may be read."""

    status = Status.UNAVAILABLE
    reason = Reason.AUDIT_UNAVAILABLE
    public = "the audit log cannot be written; nothing is shown until it can"


class ReaderUnavailable(Refusal):
    """The reader process is gone or broke the protocol."""

    status = Status.UNAVAILABLE
    reason = Reason.READER_UNAVAILABLE
    public = "the agent is restarting"


class TimedOut(Refusal):
    """The view did not answer within its deadline."""

    status = Status.DEADLINE_EXCEEDED
    reason = Reason.TIMED_OUT
    public = "the view did not answer in time"


class KnownValue(Refusal):
    """The reply holds a value that the pod keeps as a secret: something before the barrier has failed."""

    status = Status.PERMISSION_DENIED
    reason = Reason.KNOWN_VALUE
    public = "the reply was withheld: it holds a value that this pod keeps to itself"
    severity = Severity.CRITICAL


class KnownValuesUnread(Refusal):
    """The values that must not leave are not all known yet, so that no reply can be checked."""

    status = Status.UNAVAILABLE
    reason = Reason.KNOWN_VALUES_UNREAD
    public = "the values that must not leave could not all be read; nothing is shown without them"


class MethodUnknown(Refusal):
    """The contract has no such method."""

    status = Status.UNIMPLEMENTED
    reason = Reason.METHOD_UNKNOWN
    public = "this agent has no such method"


class CertificateRevoked(Refusal):
    """The peer's certificate, key or SPIFFE id is on the deny list, or no authority in force vouches for it."""

    status = Status.UNAUTHENTICATED
    reason = Reason.CERTIFICATE_REVOKED
    public = "the client certificate is not accepted any more"


class ApprovalNeeded(Refusal):
    """The policy would permit it with a grant that this session does not carry."""

    status = Status.PERMISSION_DENIED
    reason = Reason.APPROVAL_NEEDED
    public = "this needs a grant that others approved; ask for one"


class ConditionUnmet(Refusal):
    """The policy permits it, but not now, not in this tier, or not without fresh evidence of who is there."""

    status = Status.PERMISSION_DENIED
    reason = Reason.CONDITION_UNMET
    public = "a condition of the policy does not hold now"


class GrantRefused(Refusal):
    """A grant is not what approvers signed for this caller, this pod and this time."""

    status = Status.PERMISSION_DENIED
    reason = Reason.GRANT_REFUSED
    public = "a grant is not accepted here; look at it with leadglass grant inspect"


class EvidenceRefused(Refusal):
    """The ID token is not one that policy accepts for this caller and these grants."""

    status = Status.UNAUTHENTICATED
    reason = Reason.EVIDENCE_REFUSED
    public = "the ID token is not accepted"


class BudgetSpent(Refusal):
    """The grant or the session has disclosed as much as it may."""

    status = Status.RESOURCE_EXHAUSTED
    reason = Reason.BUDGET_SPENT
    public = "the budget of this session or of its grant is spent"


class Halted(Refusal):
    """The guard has halted the session, or its identity for a while."""

    status = Status.PERMISSION_DENIED
    reason = Reason.HALTED
    public = "halted: this looked like abuse and was reported; wait, or ask the people who run this agent"


class RevealRefused(Refusal):
    """Break-glass is off, or does not cover this variable, this moment or one more time."""

    status = Status.PERMISSION_DENIED
    reason = Reason.REVEAL_REFUSED
    public = "this value cannot be revealed"


class ReviewOwed(Refusal):
    """An earlier reveal has not been reviewed yet."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.REVIEW_OWED
    public = "an earlier reveal waits for its review; nothing more is revealed before"


class ReviewUnknown(Refusal):
    """No open review of this id can be closed by this caller."""

    status = Status.NOT_FOUND
    reason = Reason.REVIEW_UNKNOWN
    public = "no open review of this id that you may close"


class RecordUnknown(Refusal):
    """The log has no such record or size, or no longer what a proof of it needs."""

    status = Status.NOT_FOUND
    reason = Reason.RECORD_UNKNOWN
    public = "the log has no such record or size, or not any more"


class RecordingUnknown(Refusal):
    """No recording of this session is here."""

    status = Status.NOT_FOUND
    reason = Reason.RECORDING_UNKNOWN
    public = "no recording of this session is here"


class RecordingDestroyed(Refusal):
    """The recording's key was destroyed, so that nobody can read it."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.RECORDING_DESTROYED
    public = "the recording's key was destroyed: nobody can read it any more"


class RecordingHeld(Refusal):
    """The recording is held, and stays until it is let go."""

    status = Status.FAILED_PRECONDITION
    reason = Reason.RECORDING_HELD
    public = "the recording is held: let it go first"


class InternalError(Refusal):
    """Something that nobody foresaw; the caller gets an id to quote and nothing else."""

    def __init__(self, detail: str = "", error_id: str = "") -> None:
        super().__init__(detail)
        self.error_id = error_id


_BY_REASON: dict[Reason, type[Refusal]] = {kind.reason: kind for kind in Refusal.__subclasses__()}


def refusal_of(reason: Reason) -> type[Refusal]:
    """Gives the class of a refusal that came over the channel as its reason."""
    return _BY_REASON.get(reason, Refusal)
