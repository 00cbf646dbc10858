"""Makes the text of one write: the records of several events, and the signed state of the log after them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadglass_agent.audit.chain import append
from leadglass_agent.audit.checkpoint import Checkpoint, note_of
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadglass_agent.audit.chain import Head
    from leadglass_agent.audit.checkpoint import LogSigner
    from leadglass_agent.audit.tree import Frontier
    from leadglass_agent.clock import Instant


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that became durable together: the first one's number, their leaves, and the tree before and after them.

    A CHECKPOINT record that the log adds to them comes after, and is not counted.
    """

    first_seq: int
    leaves: tuple[bytes, ...]
    before: Frontier
    after: Frontier


@dataclass(frozen=True, slots=True)
class Text:
    """What is to be written, and what is true of the log once it is durable."""

    data: bytes
    head: Head
    frontier: Frontier
    leaves: tuple[bytes, ...]  # the checkpoint's too
    batch: Batch
    note: str | None


def compose(
    head: Head, before: Frontier, events: Sequence[Event], clock: Callable[[], Instant], signer: LogSigner | None
) -> Text:
    """Makes the records of the events after `head`; with a signer, a CHECKPOINT record of the state after them too."""
    first_seq, note = head.seq + 1, None
    lines: list[bytes] = []
    leaves: list[bytes] = []
    frontier = before
    for event in events:
        line, head = append(head, event, clock())
        lines.append(line)
        leaves.append(leaf_hash(line[:-1]))
        frontier = frontier.plus(leaves[-1])
    batch = Batch(first_seq, tuple(leaves), before, frontier)
    if signer is not None:
        state = Checkpoint(signer.origin, frontier.size, frontier.root())
        signature = signer.signature(state)
        note = note_of(state, signature)
        line, head = append(head, _checkpoint(state, signature), clock())
        lines.append(line)
        leaves.append(leaf_hash(line[:-1]))
        frontier = frontier.plus(leaves[-1])
    return Text(b"".join(lines), head, frontier, tuple(leaves), batch, note)


def segment_started(origin: str, frontier: Frontier, previous: str) -> Event:
    """Gives the record that a new file of the log begins with: all that its tree needs of the files before."""
    return anchored(Event(kind=EventKind.SEGMENT_STARTED, facts=(("previous", previous),)), origin, frontier)


def anchored(event: Event, origin: str, frontier: Frontier) -> Event:
    """Adds the state of the tree before the record, from which the tree goes on whatever is missing before it."""
    return replace(
        event,
        origin=origin,
        tree_size=frontier.size,
        root_hash=frontier.root().hex(),
        frontier=tuple(root.hex() for root in frontier.roots),
    )


def certified(event: Event, started: Event | None) -> Event:
    """Adds the key that signs, as the boot record has it: that may lie in a file that is deleted one day."""
    if started is None:
        return event
    return replace(
        event,
        verifier_key=started.verifier_key,
        certificate=started.certificate,
        key_signature=started.key_signature,
    )


def _checkpoint(state: Checkpoint, signature: str) -> Event:
    return Event(
        kind=EventKind.CHECKPOINT,
        origin=state.origin,
        tree_size=state.size,
        root_hash=state.root.hex(),
        signature=signature,
    )
