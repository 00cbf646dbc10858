"""Follows what a log says of records that are not in it: files that retention deleted, and records that were lost."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.chain import Fault, Head
from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from leadglass_agent.audit.chain import Record

# A log that recovers goes on right behind the last record that it had acknowledged, after few of its own.
_REMEMBERED: Final = 1_024


class Absences:
    """Knows after which record the log here begins, and whether a record says why."""

    def __init__(self) -> None:
        self._began_after = 0
        self._recent: OrderedDict[int, str] = OrderedDict()
        self._deleted_at: int | None = None

    def begins(self, before: Head) -> None:
        """Takes it that the records up to this one are not here."""
        self._began_after = before.seq
        self._recent[before.seq] = before.digest

    def note(self, record: Record, line: bytes) -> tuple[Fault, int] | None:
        """Takes the next record; gives the number of a record that the log lost."""
        self._recent[record.seq] = record.digest
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        if record.kind not in {EventKind.SEGMENT_DELETED, EventKind.AUDIT_RECOVERED}:
            return None
        match parse(line).get("facts"):
            case {"last_seq": int(last)} if record.kind == EventKind.SEGMENT_DELETED and last == self._began_after:
                self._deleted_at = record.seq
            case {"expected_seq": int(seq), "expected_hash": str(digest)} if record.kind == EventKind.AUDIT_RECOVERED:
                if seq and self._recent.get(seq) != digest:
                    return Fault.RECORDS_LOST, seq
            case _:
                pass
        return None

    def is_explained(self, vouched_to: int) -> bool:
        """Whether the log begins with its first record, or one that somebody stands for says that the others went."""
        return self._began_after == 0 or (self._deleted_at is not None and self._deleted_at <= vouched_to)
