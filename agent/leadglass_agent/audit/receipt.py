"""What a caller keeps of its own call: the record's place in the log, and the signed state that proves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """A record's number (from 1) and leaf hash, its audit path (RFC 6962, 2.1.1), and the checkpoint that it leads to.

    `checkpoint` is a signed note (C2SP), `verifier_key` the key that signed it in the note's own form.
    """

    checkpoint: str
    verifier_key: str
    seq: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
