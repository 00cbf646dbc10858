"""Takes the receipt of each call: checks it, compares it with the earlier ones of the same log, and keeps it.

Whoever keeps receipts can prove later what the log was: an agent, or who has its log, cannot change it unnoticed.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from leadglass_client.connection.notes import Checkpoint, NoteError, NoteFault, is_included, open_note
from leadglass_client.connection.receipt_lines import StoredReceipt
from leadglass_client.connection.receipt_store import broken_log, keep
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import note
from leadglass_client.settings.folders import receipts_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from leadglass.v1.audit_pb2 import Receipt

_KEY: Final = "leadglass-receipt-bin"
_MAX_BYTES: Final = 16 * 1024  # gRPC lets 8 KiB of metadata through unless it is told otherwise


class Receipts:
    """The receipts of one command; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_warned = False

    def take(self, metadata: Iterable[tuple[str, str | bytes]] | None, method: str, began: str) -> None:
        """Takes the receipt in a call's trailing metadata, if there is one; `began` is when the call was made.

        Fails if the receipt proves nothing, or contradicts one that was there before the call was made.
        """
        for key, value in metadata or ():
            if key == _KEY and isinstance(value, bytes):
                checkpoint, receipt = _checked(value, method)
                self._keep(checkpoint, receipt, began)
                return

    def _keep(self, checkpoint: Checkpoint, receipt: StoredReceipt, began: str) -> None:
        try:
            with self._lock:
                taken = keep(receipt, lambda before: _contradiction(checkpoint, receipt, before, began))
        except OSError as error:
            with self._lock:
                has_warned, self._has_warned = self._has_warned, True
            if not has_warned:
                note(f"the receipts of these calls are not kept: {receipts_folder()}: {error.strerror or error}")
            return
        if taken.contradiction:
            raise broken_log(checkpoint.origin, taken.contradiction)
        if taken.replaces_log:
            # Replicas have one name and a log each: only the user can tell those from a log that was removed.
            note(
                f"this agent began a new log ({checkpoint.origin}); if its pod was not replaced, and is not one of "
                "several, the old one was removed: leadglass audit receipts"
            )


def clock() -> str:
    """Gives the time as receipts have it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _checked(value: bytes, method: str) -> tuple[Checkpoint, StoredReceipt]:
    from leadglass.v1.audit_pb2 import Receipt

    receipt = Receipt()
    if len(value) > _MAX_BYTES:
        raise _useless(NoteFault.TOO_LONG)
    try:
        receipt.ParseFromString(value)
        checkpoint = open_note(receipt.checkpoint, receipt.verifier_key)
    except DecodeError as error:
        raise _useless(NoteFault.UNREADABLE) from error
    except NoteError as error:
        raise _useless(str(error)) from error
    if not is_included(receipt.leaf_hash, receipt.seq, receipt.hashes, checkpoint):
        raise _useless(NoteFault.NOT_INCLUDED)
    return checkpoint, _stored(receipt, method)


def _stored(receipt: Receipt, method: str) -> StoredReceipt:
    return StoredReceipt(
        seq=receipt.seq,
        leaf=receipt.leaf_hash.hex(),
        hashes=tuple(one.hex() for one in receipt.hashes),
        checkpoint=receipt.checkpoint,
        key=receipt.verifier_key,
        method=method,
        time=clock(),
    )


def _contradiction(new: Checkpoint, receipt: StoredReceipt, before: Sequence[StoredReceipt], began: str) -> str | None:
    """Says what of the receipts before cannot be true together with the new one."""
    for earlier in before:
        if earlier.origin != new.origin:
            continue
        if earlier.size == new.size and earlier.root != receipt.root:
            return f"it had other records when it had {new.size}"
        if earlier.seq == receipt.seq and earlier.leaf != receipt.leaf:
            return f"record {receipt.seq} is another one"
        # A receipt that came while this call was under way may be of a later record.
        if earlier.time >= began:
            continue
        if earlier.size > new.size:
            return f"it had {earlier.size} records, and has {new.size} now"
        if earlier.size == new.size and earlier.key != receipt.key:
            return "it has another key, and no record of that"
    return None


def _useless(why: str) -> Failure:
    what = f"the agent's receipt for this call proves nothing: {why}"
    next_step = "do not rely on the answer, and tell whoever is responsible for the agent"
    return Failure(ExitCode.AUDIT_INVALID, what, next_step)
