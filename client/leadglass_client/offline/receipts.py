"""Lists and prints the receipts that one keeps of agents' audit logs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_client.connection.receipt_store import MAX_BYTES, receipts_in
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import show
from leadglass_client.settings.folders import receipts_folder
from leadglass_client.views.receipts import receipts_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_client.forms import OutputForm


@dataclass(frozen=True, slots=True)
class KeptLog:
    """What is kept of one log: how many receipts, the largest size that was seen, and when the last one came."""

    origin: str
    receipts: int
    size: int
    last_time: str
    path: str


def list_receipts(form: OutputForm, *, no_color: bool) -> None:
    """Prints of which logs receipts are kept."""
    kept = tuple(kept for path in _files() if (kept := _kept(path)) is not None)
    show(receipts_sheet(kept), form, no_color=no_color)


def export_receipts() -> None:
    """Prints every receipt as it is kept, for `leadglass audit verify --receipts`."""
    for path in _files():
        for line in _lines(path):
            sys.stdout.write(line.decode("utf-8", "replace") + "\n")
    sys.stdout.flush()


def _files() -> tuple[Path, ...]:
    try:
        return tuple(sorted(receipts_folder().glob("*.jsonl")))
    except OSError as error:
        raise _unreadable(receipts_folder(), error) from error


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(2 * MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    return (line for line in content.splitlines() if any(receipts_in([line])))


def _kept(path: Path) -> KeptLog | None:
    origin, count, size, last = "", 0, 0, ""
    for receipt in receipts_in(_lines(path)):
        lines = receipt.checkpoint.split("\n")
        seen = lines[1] if len(lines) > 1 else ""
        origin, count, last = lines[0], count + 1, max(last, receipt.time)
        size = max(size, int(seen) if seen.isascii() and seen.isdigit() else 0)
    return KeptLog(origin, count, size, last, str(path)) if count else None


def _unreadable(path: Path, error: OSError) -> Failure:
    return Failure(ExitCode.ERROR, f"cannot read {path}: {error.strerror}", "check the folder's owner and permissions")
