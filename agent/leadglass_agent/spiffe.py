"""Says what is a SPIFFE id, and of which trust domain."""

from __future__ import annotations

import re
from typing import Final

# SPIFFE-ID standard, section 2: at most 2,048 bytes; trust domain and path segments of these characters, no dot
# segments, no query, no fragment, no percent-encoding.
_SPIFFE_ID: Final = re.compile(
    r"spiffe://(?P<domain>[a-z0-9._-]{1,255})(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,255}){1,32})",
)
_MAX_SPIFFE_ID: Final = 2_048


def trust_domain_of(text: str) -> str | None:
    """Gives the trust domain of a SPIFFE id; None for text that is none, or that names a whole trust domain."""
    match = _SPIFFE_ID.fullmatch(text) if len(text) <= _MAX_SPIFFE_ID else None
    return None if match is None else match["domain"]
