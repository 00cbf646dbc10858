"""Where a known value was found, in words that the audit log may hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SourceKind(StrEnum):
    """What held the value."""

    ENVIRONMENT = "ENVIRONMENT"
    MOUNT = "MOUNT"


@dataclass(frozen=True, slots=True)
class Origin:
    """The first place where a value was found: a variable of a process, or a file of a secret mount."""

    kind: SourceKind
    name: str
    pid: int

    def __str__(self) -> str:
        """Names the place and never the value."""
        what = "environment variable" if self.kind is SourceKind.ENVIRONMENT else "secret mount's file"
        return f"{what} {self.name} of process {self.pid}"
