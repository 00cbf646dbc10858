"""Checks a whole log as a stream: every record, its place in the chain, and the first thing that does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.chain import GENESIS, Fault, Head, Record, follows, read_line
from leadglass_agent.audit.record import RECORD_BYTES, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator

# Calls under way at one moment. An agent has far fewer; beyond it the oldest counts as never answered.
_OPEN_CALLS: Final = 10_000


@dataclass(frozen=True, slots=True)
class FirstFault:
    """The first thing that does not fit: what, and where; `line` counts from 1, `offset` is its first byte."""

    fault: Fault
    line: int
    offset: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found up to the first fault, or to the end.

    A chain by itself cannot show that records were cut off its end: keep `head` elsewhere and ask for it next time.
    """

    records: int
    first_seq: int | None
    first_time: str | None
    last_seq: int | None
    last_time: str | None
    head: Head
    fault: FirstFault | None
    intents_unanswered: int
    outcomes_without_intent: int
    expected_head_seq: int | None

    @property
    def intact(self) -> bool:
        """Whether everything fits."""
        return self.fault is None


def verify(stream: BinaryIO, *, after: Head = GENESIS, expect_head: str | None = None) -> Verdict:
    """Verifies the log in the stream, of any size and content, in bounded memory; raises only what reading raises.

    `after` is the head of the log before, if this one continues it. `expect_head` is the hash of a record that must be
    in the log: a head that was noted earlier, which shows that nothing up to it is missing.
    """
    calls = _Calls()
    head = after
    first: Record | None = None
    last: Record | None = None
    expected_seq: int | None = None
    fault: FirstFault | None = None
    count = line = offset = 0
    for text in _lines(stream):
        line += 1
        read = _read(text)
        problem = read if isinstance(read, Fault) else follows(head, read)
        if isinstance(read, Fault) or problem is not None:
            fault = None if problem is None else FirstFault(problem, line, offset)
            break
        first, last, head = first or read, read, read.head
        calls.note(read)
        if read.digest == expect_head:
            expected_seq = read.seq
        count += 1
        offset += len(text)
    if fault is None and count == 0:
        fault = FirstFault(Fault.EMPTY, 1, 0)
    if fault is None and expect_head is not None and expected_seq is None:
        fault = FirstFault(Fault.HEAD_MISSING, line + 1, offset)
    return Verdict(
        records=count,
        first_seq=first.seq if first else None,
        first_time=first.time if first else None,
        last_seq=last.seq if last else None,
        last_time=last.time if last else None,
        head=head,
        fault=fault,
        intents_unanswered=calls.unanswered,
        outcomes_without_intent=calls.without_intent,
        expected_head_seq=expected_seq,
    )


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yields lines with their newline; of one that is too long only the first RECORD_BYTES + 1 bytes."""
    while text := stream.readline(RECORD_BYTES + 1):
        yield text


def _read(text: bytes) -> Record | Fault:
    if text.endswith(b"\n"):
        return read_line(text[:-1])
    return Fault.TOO_LONG if len(text) > RECORD_BYTES else Fault.TORN_TAIL


class _Calls:
    """Pairs each intent with the outcome or refusal of its call."""

    def __init__(self) -> None:
        self._open: dict[str, None] = {}  # in the order of the intents
        self._given_up = 0
        self.without_intent = 0

    def note(self, record: Record) -> None:
        """Takes the next record of the log."""
        if record.kind == EventKind.INTENT:
            self._given_up += record.call_id is None or record.call_id in self._open
            if record.call_id is not None:
                self._open[record.call_id] = None
            if len(self._open) > _OPEN_CALLS:
                self._open.pop(next(iter(self._open)))
                self._given_up += 1
        elif record.kind in {EventKind.OUTCOME, EventKind.REFUSED}:
            if record.call_id in self._open:
                del self._open[record.call_id]
            elif record.kind == EventKind.OUTCOME:
                self.without_intent += 1

    @property
    def unanswered(self) -> int:
        """Number of intents without an outcome or refusal so far."""
        return self._given_up + len(self._open)
