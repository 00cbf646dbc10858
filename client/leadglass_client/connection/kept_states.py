"""Finds the largest state of a log among the receipts that are kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_client.connection.notes import NoteError, open_note
from leadglass_client.connection.receipt_store import MAX_BYTES, path_of, receipts_in
from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.connection.notes import Checkpoint


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that an agent signed earlier, when its receipt came (RFC 3339), and the file that it stands in."""

    state: Checkpoint
    time: str
    path: Path


def largest_kept(origin: str, before: str) -> Kept | None:
    """Gives the largest state whose receipt came before a time; None if none is kept. Fails on a file unread."""
    path = path_of(origin)
    try:
        with path.open("rb") as file:
            content = file.read(2 * MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = f"cannot read {path}: {error.strerror}"
        raise Failure(ExitCode.ERROR, what, "check the folder's owner and permissions") from error
    largest: Kept | None = None
    for receipt in receipts_in(content.splitlines()):
        try:
            state = open_note(receipt.checkpoint, receipt.key)
        except NoteError:
            continue
        is_larger = largest is None or state.size > largest.state.size
        if state.origin == origin and receipt.time < before and is_larger:
            largest = Kept(state, receipt.time, path)
    return largest
