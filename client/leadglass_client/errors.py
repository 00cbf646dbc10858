"""The one failure of the client: what happened, what to do next, and the exit code that scripts match on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command; they are part of the interface."""

    OK = 0
    ERROR = 1
    USAGE = 2
    DENIED = 3
    NOT_FOUND = 4
    NOT_AUTHENTICATED = 5
    UNREACHABLE = 6
    DEADLINE = 7
    PARTIAL = 8
    APPROVAL_PENDING = 9
    AUDIT_INVALID = 10
    INTERRUPTED = 130


class Failure(Exception):
    """A command that cannot do what was asked; both texts are single lines for a person."""

    def __init__(self, code: ExitCode, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step
        self.code = code


class ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


class OutputLostError(Exception):
    """Standard output does not take what is written: a full disk, or there is none; the text says which."""
