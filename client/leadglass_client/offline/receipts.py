"""Lists and prints the receipts that one keeps of agents' audit logs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_client.connection.receipt_file import READ_BYTES
from leadglass_client.connection.receipt_lines import receipts_in
from leadglass_client.connection.receipt_store import is_contradicting
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import note, show
from leadglass_client.settings.folders import receipts_folder
from leadglass_client.views.receipts import receipts_sheet

if TYPE_CHECKING:
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
    """Prints of which logs receipts are kept; notes damaged lines, and files of receipts that contradict others."""
    kept = tuple(kept for path in _files() if (kept := _kept(path)) is not None)
    show(receipts_sheet(kept), form, no_color=no_color)


def export_receipts() -> None:
    """Prints every receipt as it is kept, for `leadglass audit verify --receipts`."""
    for path in _files():
        for line in _lines(path):
            if is_contradicting(path) or any(receipts_in([line])):  # there, a signed state alone is evidence, too
                sys.stdout.write(line.decode("utf-8", "replace") + "\n")
    sys.stdout.flush()


def _files() -> tuple[Path, ...]:
    try:
        return tuple(sorted(receipts_folder().glob("*.jsonl")))
    except OSError as error:
        raise _unreadable(receipts_folder(), error) from error


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.read(READ_BYTES).splitlines()
    except OSError as error:
        raise _unreadable(path, error) from error


def _kept(path: Path) -> KeptLog | None:
    origin, count, size, last = "", 0, 0, ""
    lines = _lines(path)
    for receipt in receipts_in(lines):
        origin, count = receipt.origin, count + 1
        size, last = max(size, receipt.size), max(last, receipt.time)
    if is_contradicting(path):
        if lines:
            note(f"what contradicts your other receipts is in {path}: leadglass audit verify LOG --receipts FOLDER")
    elif len(lines) > count:
        note(f"damaged lines passed over in {path}: {len(lines) - count}")
    return KeptLog(origin, count, size, last, str(path)) if count else None


def _unreadable(path: Path, error: OSError) -> Failure:
    return Failure(ExitCode.ERROR, f"cannot read {path}: {error.strerror}", "check the folder's owner and permissions")
