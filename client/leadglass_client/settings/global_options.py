"""What the options say that every command takes."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What the global options say; an empty text is not given."""

    context: str = ""
    address: str = ""
    server_name: str = ""
    authority: str = ""
    certificate: str = ""
    key: str = ""
    session: str = ""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    no_color: bool = False
