"""Says in words what an agent's refusal means and what to do next, by the stable reason in google.rpc.ErrorInfo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped,unused-ignore] # has no py.typed
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped,unused-ignore] # has no py.typed

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.visible import capped

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOMAIN = "leadglass.dev"
_DETAILS_KEY = "grpc-status-details-bin"
_MAX_DETAILS = 16
_MAX_CHARACTERS = 300
_OPEN = "open one: leadglass session open --reason '...' --ticket ID"
_POLICY = "see what your session permits: leadglass session show; ask the owner of the policy for more"
_RENEW = (
    "renew it: leadglass ca issue DIR client --path /user/NAME --out DIR; which one is used: leadglass context show"
)

# The reasons are those of the agent; what they mean to a person and to a script is decided here.
REFUSALS: Mapping[str, tuple[ExitCode, str, str]] = {
    "IDENTITY_REFUSED": (ExitCode.NOT_AUTHENTICATED, "the agent accepts no caller with your certificate", _RENEW),
    "CERTIFICATE_EXPIRED": (ExitCode.NOT_AUTHENTICATED, "your certificate has expired or is not valid yet", _RENEW),
    "SESSION_MISSING": (ExitCode.NOT_AUTHENTICATED, "nothing is shown without a session", _OPEN),
    "SESSION_UNKNOWN": (ExitCode.NOT_AUTHENTICATED, "the agent knows no such session of your certificate", _OPEN),
    "SESSION_ENDED": (ExitCode.NOT_AUTHENTICATED, "the session has ended", _OPEN),
    "SESSION_LIMIT": (ExitCode.ERROR, "too many sessions are open", "close one: leadglass session close"),
    "REASON_REFUSED": (
        ExitCode.DENIED,
        "the reason does not satisfy the policy",
        "say in a sentence why access is needed: --reason 'checkout answers 502 since 14:10, looking for the cause'",
    ),
    "TICKET_REFUSED": (
        ExitCode.DENIED,
        "the ticket is missing or not of the form that the policy asks for",
        "name the ticket that the work belongs to: --ticket INC-1234",
    ),
    "POLICY_DENIED": (ExitCode.DENIED, "the policy does not permit this", _POLICY),
    "KNOWN_VALUE": (
        ExitCode.DENIED,
        "the agent withheld its reply: it holds a value that the pod keeps as a secret",
        "ask for less of it; whoever reads the audit log finds where the value lies under this call",
    ),
    "KNOWN_VALUES_UNREAD": (
        ExitCode.ERROR,
        "the agent could not read all values that must not leave, and shows nothing without them",
        "try again in a moment; if it stays so, a secret mount of the target may hang",
    ),
    "PROCESS_NOT_FOUND": (
        ExitCode.NOT_FOUND,
        "no such process within your scope: it ended, its number was reused, or the policy hides it",
        "see which there are: leadglass ps",
    ),
    "INVALID_REQUEST": (
        ExitCode.USAGE,
        "the agent takes the request as out of bounds",
        "paths begin with a slash; names have at most 256 characters; see: leadglass COMMAND --help",
    ),
    "PATTERN_REFUSED": (
        ExitCode.USAGE,
        "the agent does not search for this pattern: it is too large, or no regular expression without backtracking",
        "leave out (?=...), \\1 and counts above 255; for a plain text: -F",
    ),
    "METHOD_UNKNOWN": (
        ExitCode.ERROR,
        "the agent does not know this call",
        "it is of another version: leadglass self, leadglass --version",
    ),
    "RATE_LIMITED": (ExitCode.ERROR, "the session makes too many calls", "wait a minute and try again"),
    "AUDIT_UNAVAILABLE": (
        ExitCode.ERROR,
        "the agent cannot write its audit log, so it shows nothing",
        "free space on the volume of its log and recordings, or bring its audit sink back; it recovers by itself",
    ),
    "READER_UNAVAILABLE": (ExitCode.UNREACHABLE, "the agent is restarting", "try again in a few seconds"),
    "TIMED_OUT": (
        ExitCode.DEADLINE,
        "the view did not answer in time: a file system or the kernel hangs",
        "try again, or ask for less",
    ),
    "CERTIFICATE_REVOKED": (
        ExitCode.NOT_AUTHENTICATED,
        "the agent does not accept your certificate any more: it, its key or you were revoked, or its authority was",
        "ask whoever runs the agent; with a new certificate, open a new session",
    ),
    "APPROVAL_NEEDED": (
        ExitCode.APPROVAL_PENDING,
        "this needs a grant that others have approved, and the session carries none that is enough",
        "ask for one: leadglass request --help; then: leadglass session open --grant FILE ...",
    ),
    "CONDITION_UNMET": (
        ExitCode.DENIED,
        "the policy permits this to you, but not now: hours, tier, age of the certificate, or missing ID token",
        "see the conditions of your role; for an ID token: leadglass session open --id-token-file FILE ...",
    ),
    "GRANT_REFUSED": (
        ExitCode.DENIED,
        "the agent does not accept a grant: not for you, your key, this pod or this time, or not approved as needed",
        "look at it: leadglass grant inspect FILE; why exactly, the agent's audit log says",
    ),
    "EVIDENCE_REFUSED": (
        ExitCode.NOT_AUTHENTICATED,
        "the agent does not accept the ID token",
        "sign in again, with the nonce that fits the grants: leadglass grant nonce FILE...",
    ),
    "BUDGET_SPENT": (
        ExitCode.DENIED,
        "the session or its grant has shown as much as it may",
        "see how much that is: leadglass session show; for more, ask for a new grant: leadglass request --help",
    ),
    "HALTED": (
        ExitCode.DENIED,
        "you were halted: what you did looked like abuse, and was reported",
        "wait a quarter of an hour, or talk to the people who run the agent",
    ),
    "REVEAL_REFUSED": (
        ExitCode.DENIED,
        "this value is not revealed: break-glass is off, or does not cover this variable, this grant or one more time",
        "see what the policy says under breakGlass; a grant reveals once, ever",
    ),
    "REVIEW_OWED": (
        ExitCode.DENIED,
        "an earlier reveal of yours waits for its review, and nothing more is revealed before",
        "ask somebody else to close it: leadglass review list",
    ),
    "REVIEW_UNKNOWN": (
        ExitCode.NOT_FOUND,
        "no open review of this id that you may close: nobody closes that of what they revealed or approved",
        "see which there are: leadglass review list",
    ),
    "RECORD_UNKNOWN": (
        ExitCode.NOT_FOUND,
        "the agent's audit log has no such record or size, or not any more",
        "older records lie where the segments were shipped to",
    ),
    "RECORDING_UNKNOWN": (
        ExitCode.NOT_FOUND,
        "the agent has no recording of this session",
        "see which there are: leadglass recording list",
    ),
    "RECORDING_DESTROYED": (
        ExitCode.NOT_FOUND,
        "the recording was destroyed: nobody can read it any more",
        "who destroyed it and why, the agent's audit log says; a copy that was fetched before still opens",
    ),
    "RECORDING_HELD": (
        ExitCode.DENIED,
        "the recording is held, or its session is open, and it stays until neither is so",
        "see leadglass recording list; end the session, or: leadglass recording release SESSION --reason TEXT",
    ),
    "INTERNAL": (ExitCode.ERROR, "the agent failed", "find the error id in the agent's log"),
}

_BY_STATUS: Mapping[grpc.StatusCode, tuple[ExitCode, str]] = {
    grpc.StatusCode.UNAUTHENTICATED: (ExitCode.NOT_AUTHENTICATED, "check your certificate: leadglass context show"),
    grpc.StatusCode.PERMISSION_DENIED: (ExitCode.DENIED, _POLICY),
    grpc.StatusCode.NOT_FOUND: (ExitCode.NOT_FOUND, "see which processes there are: leadglass ps"),
    grpc.StatusCode.INVALID_ARGUMENT: (ExitCode.USAGE, "see: leadglass COMMAND --help"),
    grpc.StatusCode.UNAVAILABLE: (ExitCode.UNREACHABLE, "try again in a few seconds"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (ExitCode.DEADLINE, "try again with a longer --timeout"),
    grpc.StatusCode.UNIMPLEMENTED: (
        ExitCode.ERROR,
        "the agent is of another version: leadglass self, leadglass --version",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (ExitCode.ERROR, "ask for less, or wait a minute"),
}


def refusal_failure(error: object) -> Failure | None:
    """Translates a refusal that carries an ErrorInfo of an agent; None if the error carries none."""
    info = _error_info(error)
    if info is None:
        return None
    known = REFUSALS.get(info.reason)
    if known is None:
        what = f"the agent refused for a reason that this version does not know: {capped(info.reason, 60)}"
        return Failure(ExitCode.ERROR, what, "compare versions: leadglass self, leadglass --version")
    code, what, next_step = known
    error_id = str(info.metadata.get("error_id", ""))
    return Failure(code, f"{what} (error id {capped(error_id, 64)})" if error_id else what, next_step)


def status_failure(error: object) -> Failure:
    """Translates an error by its gRPC status alone, for a peer that says nothing more."""
    if not isinstance(error, grpc.Call):
        return Failure(ExitCode.ERROR, "the call failed before it was sent", "try again")
    code, next_step = _BY_STATUS.get(error.code(), (ExitCode.ERROR, "try again; then look at the agent's own log"))
    details = capped(error.details() or "no details", _MAX_CHARACTERS)
    return Failure(code, f"the agent answered {error.code().name}: {details}", next_step)


def _error_info(error: object) -> ErrorInfo | None:
    if not isinstance(error, grpc.Call):
        return None
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            status, info = Status(), ErrorInfo()
            try:
                status.ParseFromString(value)
                for detail in status.details[:_MAX_DETAILS]:
                    if detail.Unpack(info) and info.domain == _DOMAIN:
                        return info
            except DecodeError:
                return None
    return None
