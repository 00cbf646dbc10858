"""Finds the states of a log, among the receipts that are kept of it, which the log has to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_client.connection.notes import NoteError, open_note
from leadglass_client.connection.receipt_file import READ_BYTES
from leadglass_client.connection.receipt_lines import receipts_in
from leadglass_client.connection.receipt_store import path_of
from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from leadglass_client.connection.notes import Checkpoint
    from leadglass_client.connection.receipt_lines import StoredReceipt

_MOST: Final = 64  # proofs, each of them a call


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that an agent signed earlier, when its receipt came (RFC 3339), and the file that it stands in."""

    state: Checkpoint
    time: str
    path: Path


@dataclass(frozen=True, slots=True)
class KeptStates:
    """The largest and the last state of each key, the largest first; how many more there are, and damaged lines."""

    states: tuple[Kept, ...]
    more: int
    damaged: int


def kept_states(origin: str, before: str) -> KeptStates:
    """Gives the states whose receipts came before a time; fails on a file that cannot be read."""
    path = path_of(origin)
    try:
        with path.open("rb") as file:
            content = file.read(READ_BYTES)
    except FileNotFoundError:
        return KeptStates((), 0, 0)
    except OSError as error:
        what = f"cannot read {path}: {error.strerror}"
        raise Failure(ExitCode.ERROR, what, "check the folder's owner and permissions") from error
    lines = content.splitlines()
    receipts = tuple(receipts_in(lines))
    damaged = len(lines) - len(receipts)
    largest: dict[str, Kept] = {}
    last: dict[str, Kept] = {}
    for key, kept in _opened(receipts, path):
        if kept.state.origin != origin or kept.time >= before:
            continue
        if key not in largest or kept.state.size > largest[key].state.size:
            largest[key] = kept
        if key not in last or kept.time >= last[key].time:
            last[key] = kept
    found = {(kept.state.size, kept.state.root): kept for kept in (*largest.values(), *last.values())}
    states = sorted(found.values(), key=lambda kept: kept.state.size, reverse=True)
    return KeptStates(tuple(states[:_MOST]), len(states[_MOST:]), damaged)


def _opened(receipts: Iterable[StoredReceipt], path: Path) -> Iterable[tuple[str, Kept]]:
    for receipt in receipts:
        try:
            yield receipt.key, Kept(open_note(receipt.checkpoint, receipt.key), receipt.time, path)
        except NoteError:
            continue
