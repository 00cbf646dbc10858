"""Promise: a verifier that others wrote from the documentation finds what ours finds, where ours finds it."""

from __future__ import annotations

import io
import json
from random import Random
from typing import TYPE_CHECKING

import pytest

import independent_verifier
from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.checkpoint import Checkpoint
from leadglass_agent.audit.verify import verify
from leadglass_agent.audit.witnesses import read_witnesses
from random_logs import certified_agent, random_life, trusted
from tampering import changed, corrupted, tamperings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from random_logs import Life

# These are said of the log, or of a receipt, and not of a line.
_OF_THE_WHOLE = {Fault.FRONTIER_UNVOUCHED, Fault.SEGMENT_MISSING, Fault.SIGNER_UNKNOWN, Fault.RECEIPT_INVALID}
# These need a noted head, hundreds of records, or a bit in the right place; all others come up in any hundred logs.
_RARE = {
    Fault.HEAD_MISSING,
    Fault.CHECKPOINT_MISSING,
    Fault.NOT_CANONICAL,
    Fault.BAD_JSON,
    Fault.BAD_FIELDS,
}


def _kept(life: Life, chance: Random) -> list[str]:
    """Chooses what some callers and the cluster kept; often nothing."""
    writer = life.writer
    receipts = chance.sample(writer.receipts, min(len(writer.receipts), chance.randint(0, 5)))
    printed = chance.sample(writer.printed, min(len(writer.printed), chance.randint(0, 3)))
    return [kept.text for kept in (*receipts, *printed)]


def _cases(chance: Random, life: Life) -> Iterator[tuple[str, bytes, list[str]]]:
    """Yields a log as it is, and tampered with in each way, with what witnesses kept of the true one."""
    kept = _kept(life, chance)
    yield "as it is", life.writer.whole, kept
    for made in tamperings(life.lines, chance, life.signers):
        yield made.name, b"".join(made.lines), kept
    segments = [bytes(segment) for segment in life.writer.segments]
    gone = chance.randrange(len(segments))
    yield "the oldest segments deleted", b"".join(segments[gone:]), kept
    yield "a segment missing", b"".join(segments[:gone] + segments[gone + 1 :]), kept
    other = random_life(chance, agent=certified_agent("another authority")[1], origin=life.writer.origin)
    yield "of an own key and authority", other.writer.whole, kept
    yield "of another life", random_life(chance).writer.whole, kept
    shown = _kept(random_life(chance, origin=life.writer.origin), chance)
    yield "two histories, of which a stranger signed one", life.writer.whole, kept + shown
    if kept:
        note: str = json.loads(kept[0]).get("note") or json.loads(kept[0])["checkpoint"]
        size, signer = int(note.split("\n")[1]), chance.choice(list(life.signers.values()))
        other_state = signer.sign(Checkpoint(life.writer.origin, size, chance.randbytes(32)))
        yield "two histories", life.writer.whole, [*kept, json.dumps({"event": "checkpoint", "note": other_state})]
    yield "no log", b"", kept
    if life.writer.receipts:
        receipt = chance.choice(life.writer.receipts).text
        yield "a receipt that proves nothing", life.writer.whole, [*kept, corrupted(receipt, chance)]
    if gone:
        lines = b"".join(segments[gone:]).splitlines(keepends=True)
        begun = (changed(lines[0], tree_size=3), *lines[1:])
        yield "a segment that lies about what was before", b"".join(begun), kept
        life.writer.delete(gone)
        yield "retention", life.writer.whole, kept


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(100), id="100 logs")]
    + [
        pytest.param(range(start, start + 100), id=f"{start + 1} to {start + 100}", marks=pytest.mark.slow)
        for start in range(100, 1_000, 100)
    ],
)
def test_both_say_the_same_of_every_log(seeds: range) -> None:
    issuer, _ = trusted()
    said: set[Fault | None] = set()
    for seed in seeds:
        chance = Random(seed)  # noqa: S311 - lives of a test, not secrets
        life = random_life(chance, steps=16)
        pem, certificate = (issuer.pem, issuer.certificate) if chance.random() < 0.5 else (None, None)
        for name, log, kept in _cases(chance, life):
            witnesses = read_witnesses([("receipts", io.BytesIO("\n".join(kept).encode()))]) if kept else None
            ours = verify(io.BytesIO(log), witnesses=witnesses, authorities_pem=pem)
            theirs = independent_verifier.verify(log, kept, certificate)
            fault = None if ours.fault is None else ours.fault.fault
            said.add(fault)
            assert (fault is None) == (theirs is None), f"log {seed}, {name}: {ours.fault} and {theirs}"
            if ours.fault is not None and fault not in _OF_THE_WHOLE:
                assert ours.fault.line == theirs, f"log {seed}, {name}: {ours.fault} and {theirs}"

    assert set(Fault) - said <= _RARE
