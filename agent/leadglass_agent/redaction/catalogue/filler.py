"""Expands the placeholders of catalogue examples, so that no file holds a string that looks like a live credential."""

from __future__ import annotations

import hashlib
import re
import string

_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base58": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "bech32": "qpzry9x8gf2tvdw0s3jn54khce6mua7l".upper(),
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
}
_PLACEHOLDER = re.compile(r"\{([a-z0-9]+):(\d{1,4})\}")


def expand(template: str, salt: str) -> bytes:
    """Replaces each `{alphabet:length}` by filler that looks random and depends on template and salt alone.

    Raises KeyError for an alphabet that does not exist.
    """
    pieces: list[str] = []
    position = 0
    for match in _PLACEHOLDER.finditer(template):
        pieces.append(template[position : match.start()])
        alphabet, length = _ALPHABETS[match[1]], int(match[2])
        stream = hashlib.shake_256(f"{salt}:{template}:{match.start()}".encode()).digest(length)
        pieces.append("".join(alphabet[byte % len(alphabet)] for byte in stream))
        position = match.end()
    pieces.append(template[position:])
    return "".join(pieces).encode()
