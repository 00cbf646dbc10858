"""Tampers with logs in every way that somebody who holds the files, the disk or even the log's keys could."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leadglass_agent.audit.checkpoint import Checkpoint, LogSigner
from leadglass_agent.audit.record import RECORD_BYTES
from leadglass_agent.audit.tree import EMPTY, Frontier, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

_TAG = b"leadglass.dev/audit/record/v1\n"


@dataclass(frozen=True, slots=True)
class Tampered:
    """Lines that were tampered with; `first_bad` is the number of the first record that is not what it was."""

    name: str
    lines: tuple[bytes, ...]
    first_bad: int


def rechained(
    lines: Sequence[bytes], since: int, *, signers: Mapping[str, LogSigner] | None = None
) -> tuple[bytes, ...]:
    """Makes numbers, `prev` and hashes right from line `since` on; with signers also the tree and the signatures."""
    made = list(lines[:since])
    prev: str = json.loads(made[-1])["hash"] if made else "0" * 64
    tree = EMPTY
    for line in made:
        tree = tree.plus(leaf_hash(line[:-1]))
    key = next((json.loads(line).get("verifier_key") for line in reversed(made) if b'"AGENT_STARTED"' in line), None)
    for seq, line in enumerate(lines[since:], start=since + 1):
        fields = json.loads(line) | {"prev": prev, "seq": seq}
        if fields["kind"] == "AGENT_STARTED":
            key = fields.get("verifier_key")
        if signers is not None and "tree_size" in fields:
            fields |= _state(fields, tree, signers.get(key or ""))
        made.append(sealed(fields))
        prev = json.loads(made[-1])["hash"]
        tree = tree.plus(leaf_hash(made[-1][:-1]))
    return tuple(made)


def sealed(fields: dict[str, object]) -> bytes:
    """Writes a record with the hash that is right for it."""
    bare = {name: value for name, value in fields.items() if name != "hash"}
    digest = hashlib.sha256(_TAG + _canonical(bare)).hexdigest()
    return _canonical(bare | {"hash": digest}) + b"\n"


def changed(line: bytes, **fields: str | int) -> bytes:
    """Writes the record with other fields, as a careful forger would."""
    return sealed(json.loads(line) | fields)


def tamperings(lines: tuple[bytes, ...], chance: Random, signers: Mapping[str, LogSigner]) -> tuple[Tampered, ...]:
    """Tampers once in each way, at a random place; some ways may hit what changes nothing, and are left out."""
    count = len(lines)
    at = chance.randrange(count)
    other = chance.randrange(count)
    low, high = min(at, other), max(at, other)
    edited = (*lines[:at], changed(lines[at], detail="another"), *lines[at + 1 :])
    dropped = (*lines[:at], *lines[at + 1 :])
    swapped = list(lines)
    swapped[low], swapped[high] = swapped[high], swapped[low]
    window = list(lines[at : at + 5])
    chance.shuffle(window)
    flipped = bytearray(lines[at])
    place = chance.randrange(len(flipped) - 1)
    flipped[place] ^= 1 << chance.randrange(7)
    strangers = {
        key: LogSigner(signer.origin, Ed25519PrivateKey.from_private_bytes(chance.randbytes(32)))
        for key, signer in signers.items()
    }
    every: tuple[tuple[str, Sequence[bytes]], ...] = (
        ("edit", (*lines[:at], bytes(flipped), *lines[at + 1 :])),
        ("edit with its hash", edited),
        ("edit with all hashes", rechained(edited, at)),
        ("edit, re-signed", rechained(edited, at, signers=signers)),
        ("edit, signed with another key", rechained(edited, at, signers=strangers)),
        ("drop", dropped),
        ("drop with all hashes", rechained(dropped, at)),
        ("drop, re-signed", rechained(dropped, at, signers=signers)),
        ("swap", swapped),
        ("swap, re-signed", rechained(swapped, low, signers=signers)),
        ("duplicate", (*lines[: at + 1], *lines[at:])),
        ("duplicate, re-signed", rechained((*lines[: at + 1], *lines[at:]), at + 1, signers=signers)),
        ("reorder", (*lines[:at], *window, *lines[at + 5 :])),
        ("reorder with all hashes", rechained((*lines[:at], *window, *lines[at + 5 :]), at)),
        ("tail cut", lines[: at + 1]),
        ("tail cut within a record", (*lines[:at], lines[at][: chance.randrange(1, len(lines[at]))])),
        ("no checkpoints", _without_checkpoints(lines, at)),
        ("too long", (*lines[:at], lines[at][:-2] + b"x" * RECORD_BYTES + b"\n", *lines[at + 1 :])),
    )
    return tuple(
        Tampered(name, tuple(made), first_difference(lines, made)) for name, made in every if tuple(made) != lines
    )


def first_difference(lines: Sequence[bytes], made: Sequence[bytes]) -> int:
    """Gives the number of the first record that is not the same."""
    same = 0
    for one, other in zip(lines, made, strict=False):
        if one != other:
            break
        same += 1
    return same + 1


def _without_checkpoints(lines: tuple[bytes, ...], at: int) -> tuple[bytes, ...]:
    kept = [line for number, line in enumerate(lines) if number < at or b'"kind":"CHECKPOINT"' not in line]
    return rechained(kept, at)


def _state(fields: dict[str, object], tree: Frontier, signer: LogSigner | None) -> dict[str, object]:
    made: dict[str, object] = {"tree_size": tree.size, "root_hash": tree.root().hex()}
    if "frontier" in fields:
        made["frontier"] = [root.hex() for root in tree.roots]
    if "signature" in fields and signer is not None:
        made["signature"] = signer.signature(Checkpoint(str(fields["origin"]), tree.size, tree.root()))
    return made


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def corrupted(receipt: str, chance: Random) -> str:
    """Changes one hash of a receipt."""
    fields = json.loads(receipt)
    digest = bytearray(bytes.fromhex(fields["leaf"]))
    digest[chance.randrange(32)] ^= 1
    return json.dumps(fields | {"leaf": digest.hex()})
