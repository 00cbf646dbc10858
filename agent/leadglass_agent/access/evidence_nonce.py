"""Makes the nonce that an ID token must carry: bound to one certificate key and one set of grants."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOMAIN: Final = "leadglass evidence v1"


def evidence_nonce(key_digest: str, grant_ids: Iterable[str]) -> str:
    """Gives 43 characters of base64url: SHA-256 over a fixed text, the key's hex digest and the sorted grant ids.

    The parts are joined by NUL, which none of them holds. Client and agent both compute it, so a token that was made
    for one key and its grants is of no use with others.
    """
    text = "\0".join((_DOMAIN, key_digest, *sorted(grant_ids)))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode("ascii")
