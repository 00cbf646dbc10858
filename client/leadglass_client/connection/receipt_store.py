"""Keeps receipts in a file for each log, and those that contradict it in another, which nothing is compared with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from leadglass_client.connection.receipt_file import append, locked, tail
from leadglass_client.connection.receipt_lines import StoredReceipt, agent_of, line_of, receipts_in
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.settings.folders import receipts_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_NAME_DIGITS: Final = 16
_MARK: Final = ".contradicting"
_FIRST_LINE_BYTES: Final = 64 * 1024
_REASON_CHARACTERS: Final = 200
_UNKNOWN: Final = "a receipt that contradicts the earlier ones is kept"
_FILES: Final = 1_000  # other logs, looked at when a new one appears


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of keeping a receipt: what it contradicts, and whether its agent had another log before."""

    contradiction: str | None
    replaces_log: bool


def path_of(origin: str) -> Path:
    """Gives the file of a log's receipts."""
    return receipts_folder() / f"{_name(origin)}.jsonl"


def contradicting_path_of(origin: str) -> Path:
    """Gives the file of the receipts that cannot be true together with those of the log."""
    return receipts_folder() / f"{_name(origin)}{_MARK}.jsonl"


def is_contradicting(path: Path) -> bool:
    """Whether this is the name of a file of contradicting receipts."""
    return path.stem.endswith(_MARK)


def keep(receipt: StoredReceipt, judge: Callable[[Sequence[StoredReceipt]], str | None]) -> Taken:
    """Appends a receipt where it belongs; raises OSError if it is not kept.

    `judge` gets the receipts that came last before it and says what of them it contradicts. After a contradiction
    all go where that is, until the user moves the file away: they may be of either history.
    """
    origin = receipt.origin
    with locked(path_of(origin)) as file:
        before = tail(file)
        found = judge(tuple(receipts_in(before))) or standing_contradiction(origin)
        if found is None:
            append(path_of(origin), file, line_of(receipt))
    if found is not None:
        try:
            _append_contradicting(origin, line_of(receipt, found))
        except OSError as error:  # what was found has to be said all the same
            found = f"{found} ({contradicting_path_of(origin)} cannot be written: {error.strerror})"
    return Taken(found, replaces_log=before == [b""] and found is None and _is_known(origin))


def keep_contradicting_state(origin: str, checkpoint: str, key: str, why: str) -> None:
    """Keeps a signed state that contradicts the receipts of its log; raises OSError if it is not kept."""
    document = {"checkpoint": checkpoint, "key": key, "contradicts": why}
    _append_contradicting(origin, json.dumps(document, separators=(",", ":")).encode() + b"\n")


def standing_contradiction(origin: str) -> str | None:
    """Says what was found of this log before, if the user did not move it away since."""
    try:
        with contradicting_path_of(origin).open("rb") as file:
            line = file.readline(_FIRST_LINE_BYTES)
    except FileNotFoundError:
        return None
    except OSError:
        return _UNKNOWN
    if not line:
        return None
    try:
        document: object = json.loads(line)
    except (ValueError, RecursionError):
        return _UNKNOWN
    match document:
        case {"contradicts": str(why)} if why:
            return why[:_REASON_CHARACTERS]
        case _:
            return _UNKNOWN


def broken_log(origin: str, why: str) -> Failure:
    """Makes the failure of every command that meets a log which contradicts what is kept of it."""
    kept, contradicting = path_of(origin), contradicting_path_of(origin)
    what = f"the agent's audit log is not the one that it proved to you before: {why}"
    next_step = (
        "get the log, and find what was changed: "
        f"leadglass audit verify LOG --receipts {kept} --receipts {contradicting}; "
        "every command says this until you know why and move both files away, as evidence: keep them"
    )
    return Failure(ExitCode.AUDIT_INVALID, what, next_step)


def _append_contradicting(origin: str, line: bytes) -> None:
    path = contradicting_path_of(origin)
    with locked(path) as file:
        append(path, file, line)


def _is_known(origin: str) -> bool:
    """Whether receipts of another log of the same agent are kept."""
    for path in islice(receipts_folder().glob("*.jsonl"), _FILES):
        try:
            with path.open("rb") as file:
                lines = file.read(_FIRST_LINE_BYTES).splitlines()
        except OSError:
            continue
        for receipt in islice(receipts_in(lines), 1):
            if receipt.origin != origin and agent_of(receipt.origin) == agent_of(origin):
                return True
    return False


def _name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()[:_NAME_DIGITS]
