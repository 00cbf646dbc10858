"""A recording as an agent sent it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Fetched:
    """A recording, encrypted as it lies on disk, and its key, sealed to the auditor or to the key of the request."""

    session_id: str
    data: bytes
    sealed_key: bytes
    is_auditors: bool

    def __repr__(self) -> str:
        """Says nothing of what it holds."""
        return f"Fetched({self.session_id})"
