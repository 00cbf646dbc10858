"""Makes secrets to plant and finds them again in any bytes: raw, base64, hex or URL-encoded."""

from __future__ import annotations

import base64
import secrets
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORTEST = 12  # a shorter secret turns up in a megabyte of hex by chance


@dataclass(frozen=True, slots=True)
class Planted:
    """Secrets by the place where each was planted."""

    by_place: dict[str, str]

    def __getitem__(self, place: str) -> str:
        """Gives the secret of a place."""
        return self.by_place[place]

    def leaks(self, text: bytes) -> tuple[str, ...]:
        """Names every place whose secret is in the text, with the encoding that it was found in."""
        return tuple(
            f"{place} ({encoding})"
            for place, secret in self.by_place.items()
            for encoding, form in encodings(secret.encode())
            if form in text
        )


def plant(*places: str) -> Planted:
    """Makes one secret of letters and digits for each place, which nothing else contains."""
    return Planted({place: f"Zq7{secrets.token_hex(10)}Kx" for place in places})


def encodings(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Gives each form in which a secret may turn up; base64 at each of the three offsets possible in longer data."""
    if len(secret) < _SHORTEST:
        message = f"a planted secret has at least {_SHORTEST} bytes"
        raise ValueError(message)
    yield "raw", secret
    yield "reversed", secret[::-1]
    yield "utf-16", secret.decode().encode("utf-16-le")
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    yield "url", urllib.parse.quote_from_bytes(secret, safe="").encode()
    yield "url of each byte", b"".join(b"%%%02X" % byte for byte in secret)
    yield "url of each byte, small", b"".join(b"%%%02x" % byte for byte in secret)
    for offset in range(3):
        whole = bytes(offset) + secret
        # The characters that depend on this secret alone: 6 bits each, none shared with its neighbours.
        first, last = -(-offset * 8 // 6), len(whole) * 8 // 6
        yield f"base64 at {offset}", base64.b64encode(whole)[first:last]
        yield f"base64url at {offset}", base64.urlsafe_b64encode(whole)[first:last]
