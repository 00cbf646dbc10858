"""Reads whose ID tokens count as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import UnsetType

from leadglass_agent.policy.glob import is_canonical
from leadglass_agent.policy.model import EvidenceSource
from leadglass_agent.policy.parse_names import listed, refuse_twice

if TYPE_CHECKING:
    from leadglass_agent.policy.document import PolicyFile
    from leadglass_agent.strict_yaml import Document


def evidence_source(document: Document[PolicyFile]) -> EvidenceSource | None:
    """Reads `spec.evidence`; None if the file has none."""
    part = document.value.spec.evidence
    if isinstance(part, UnsetType):
        return None
    path = ("spec", "evidence")
    if not _is_issuer(part.issuer):
        raise document.error(
            (*path, "issuer"),
            "an issuer is an https:// address without user, query and fragment, as its tokens spell it",
        )
    if not is_canonical(part.jwks) or part.jwks == "/":
        raise document.error((*path, "jwks"), "'jwks' is the absolute path of a file")
    refuse_twice(document, listed((*path, "algorithms"), part.algorithms))
    return EvidenceSource(
        issuer=part.issuer, jwks=part.jwks, audience=part.audience, algorithms=frozenset(part.algorithms)
    )


def _is_issuer(text: str) -> bool:
    """Says whether a token can have this issuer (OpenID Connect Core 1.0 §2, `iss`)."""
    try:
        parsed = urlsplit(text)
        has_host = bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and not set(text) & set(" ?#@\\")
    return plain and has_host and text.startswith("https://")
