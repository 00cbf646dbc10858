"""Reads a bounded part of the log for somebody who asked for records, all of them or those of one session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.segments import seq_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.audit.view import LogView

_PAGE_BYTES: Final = 256 * 1024
_SCANNED_BYTES: Final = 2 * 1024 * 1024  # some 10 ms; whoever waits is looked after in between


@dataclass(frozen=True, slots=True)
class Page:
    """Records as they lie on disk, and the number to go on from, which is 0 if the last one asked for was reached.

    `spoken` are the words that callers wrote themselves: reasons, tickets and arguments.
    """

    lines: tuple[str, ...]
    next_seq: int
    spoken: tuple[str, ...]


def read_page(log: LogView, first_seq: int, last_seq: int, most: int, session_id: str) -> Page:
    """Reads up to `most` records from `first_seq` to `last_seq`, 256 KiB of them or 2 MiB looked through.

    Raises OSError.
    """
    lines: list[str] = []
    spoken: list[str] = []
    taken = scanned = 0
    for line in log.read(first_seq):
        seq = seq_of(line) or last_seq
        if seq > last_seq:
            break
        if len(lines) == most or taken + len(line) > _PAGE_BYTES or scanned > _SCANNED_BYTES:
            return Page(tuple(lines), seq, tuple(spoken))
        scanned += len(line)
        if session_id.encode() not in line:  # an empty one is in every line
            continue
        record = _record(line)
        if session_id and record.get("session_id") != session_id:
            continue
        taken += len(line)
        # Records are ASCII; what somebody else wrote into the file is shown, and fits no hash anyway.
        lines.append(line.decode("utf-8", "backslashreplace"))
        spoken += _spoken(record)
    return Page(tuple(lines), 0, tuple(spoken))


def _record(line: bytes) -> dict[str, object]:
    try:
        record: object = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _spoken(record: dict[str, object]) -> Iterator[str]:
    for name in ("reason_text", "ticket"):
        text = record.get(name)
        if isinstance(text, str):
            yield text
    arguments = record.get("arguments")
    for values in arguments.values() if isinstance(arguments, dict) else ():
        yield from (value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
