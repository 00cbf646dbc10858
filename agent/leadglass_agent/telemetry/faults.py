"""Why a peer did not take what was sent to it; light, for those who send through others."""

from __future__ import annotations

from enum import StrEnum


class SendFault(StrEnum):
    """Why a request was not taken; for the audit log."""

    UNREACHABLE = "UNREACHABLE"
    TLS = "TLS"
    TIMED_OUT = "TIMED_OUT"
    HEADERS_UNREAD = "HEADERS_UNREAD"
    BUSY = "BUSY"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    REFUSED = "REFUSED"
    BROKEN = "BROKEN"
    PARTLY_REFUSED = "PARTLY_REFUSED"
    LOG_UNREADABLE = "LOG_UNREADABLE"


class NotTaken(Exception):
    """The peer did not take a request; the text is the fault's name."""

    def __init__(self, fault: SendFault) -> None:
        super().__init__(fault.value)
        self.fault = fault
