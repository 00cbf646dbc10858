"""Checks a whole log as a stream: records, chain, tree, signatures, witnesses; finds the first thing that is wrong.

What it needs are public keys, and what others kept: no agent, no network, no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from leadglass_agent.audit.absences import Absences
from leadglass_agent.audit.answers import Answers
from leadglass_agent.audit.chain import GENESIS, Fault, Record, follows, read_line
from leadglass_agent.audit.comparison import Comparison
from leadglass_agent.audit.record import RECORD_BYTES, EventKind
from leadglass_agent.audit.signatures import Signatures, begin_later
from leadglass_agent.audit.tree import EMPTY, Frontier, leaf_hash
from leadglass_agent.audit.verdict import FirstFault, Suspects, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from leadglass_agent.audit.witnesses import Witnesses


def verify(
    stream: BinaryIO,
    *,
    expect_head: str | None = None,
    witnesses: Witnesses | None = None,
    authorities_pem: bytes | None = None,
) -> Verdict:
    """Verifies a log that lies in one stream; see verify_segments."""
    return verify_segments([stream], expect_head=expect_head, witnesses=witnesses, authorities_pem=authorities_pem)


def verify_segments(
    streams: Iterable[BinaryIO],
    *,
    expect_head: str | None = None,
    witnesses: Witnesses | None = None,
    authorities_pem: bytes | None = None,
) -> Verdict:
    """Verifies the log whose segments are in the streams, in order, of any size and content, in bounded memory.

    `expect_head` is the hash of a record that must be in the log: a head that was noted earlier. With authorities, the
    log's keys must be certified by what they stand behind. Raises only what reading raises.
    """
    reading = _Reading(expect_head, witnesses, authorities_pem)
    for line in _lines(streams):
        if not reading.take(line):
            break
    else:
        reading.end()
    return reading.verdict()


class _Line:
    """A line with its newline, and where it stands; of one that is too long only the first RECORD_BYTES + 1 bytes."""

    __slots__ = ("number", "offset", "stream", "text")

    def __init__(self, text: bytes, number: int, offset: int, stream: int) -> None:
        self.text = text
        self.number = number
        self.offset = offset
        self.stream = stream


def _lines(streams: Iterable[BinaryIO]) -> Iterator[_Line]:
    for index, stream in enumerate(streams):
        number = offset = 0
        while text := stream.readline(RECORD_BYTES + 1):
            number += 1
            yield _Line(text, number, offset, index)
            offset += len(text)


def _read(text: bytes) -> Record | Fault:
    if text.endswith(b"\n"):
        return read_line(text[:-1])
    return Fault.TOO_LONG if len(text) > RECORD_BYTES else Fault.TORN_TAIL


class _Reading:
    """What is known after the lines so far."""

    def __init__(self, expect_head: str | None, witnesses: Witnesses | None, authorities_pem: bytes | None) -> None:
        self._expect_head = expect_head
        self._signatures = Signatures(authorities_pem)
        self._comparison = Comparison(witnesses)
        self._answers = Answers()
        self._absences = Absences()
        self._head = GENESIS
        self._tree: Frontier = EMPTY
        self._first: Record | None = None
        self._last: Record | None = None
        self._expected_seq: int | None = None
        self._count = 0
        self._next = FirstFault(Fault.EMPTY, 1, 0)  # where the next line would stand
        self._start = FirstFault(Fault.EMPTY, 1, 0)
        self._fault: FirstFault | None = None
        self._suspects: Suspects | None = None

    def take(self, line: _Line) -> bool:
        """Takes the next line; gives whether it fits."""
        self._next = FirstFault(Fault.EMPTY, line.number, line.offset, line.stream)
        read = _read(line.text)
        if isinstance(read, Fault):
            seq = self._head.seq + 1
            if read is Fault.TORN_TAIL and self._comparison.saw(
                seq, self._signatures.keys
            ):  # a crash tears nothing that was answered for
                return self._bad(Fault.TAIL_CUT, Suspects(self._comparison.agreed_to + 1, seq))
            return self._bad(read, Suspects(seq, seq))
        text = line.text[:-1]
        if self._first is None and read.seq > 1:
            begun = begin_later(read, text)
            if begun is None and read.kind == EventKind.SEGMENT_STARTED:
                return self._bad(Fault.SEGMENT_MISMATCH, Suspects(read.seq, read.seq))
            if begun is not None:
                self._head, self._tree = begun
                self._absences.begins(self._head)
        found = self._misfit(read, text)
        if found is not None:
            return self._bad(*found)
        self._first, self._last, self._head = self._first or read, read, read.head
        self._answers.note(read)
        self._count += 1
        self._next = FirstFault(Fault.EMPTY, line.number + 1, line.offset + len(line.text), line.stream)
        return True

    def end(self) -> None:
        """Takes it that no line follows."""
        last = self._head.seq
        if self._first is None:
            self._bad(Fault.EMPTY, Suspects(1, 1))
        elif (fault := self._signatures.end()) is not None:
            self._bad(fault, Suspects(self._first.seq, last))
        elif self._expect_head is not None and self._expected_seq is None:
            self._bad(Fault.HEAD_MISSING, None)
        elif (missed := self._comparison.end(last, self._signatures.keys)) is not None:
            self._bad(*missed)
        elif not self._is_vouched():
            self._next = self._start
            self._bad(Fault.FRONTIER_UNVOUCHED, Suspects(self._first.seq, last))
        elif not self._absences.is_explained(self._vouched_to()) and self._expected_seq != self._first.seq - 1:
            self._next = self._start
            self._bad(Fault.SEGMENT_MISSING, Suspects(self._first.seq - 1, self._first.seq - 1))

    def verdict(self) -> Verdict:
        """Sums up."""
        first, last = self._first, self._last
        return Verdict(
            records=self._count,
            first_seq=first.seq if first else None,
            first_time=first.time if first else None,
            last_seq=last.seq if last else None,
            last_time=last.time if last else None,
            head=self._head,
            root=self._tree.root().hex(),
            fault=self._fault,
            suspects=self._suspects,
            intents_unanswered=self._answers.unanswered,
            outcomes_without_intent=self._answers.without_intent,
            expected_head_seq=self._expected_seq,
            signed=self._signatures.found(),
            witnessed=self._comparison.found(),
        )

    def _vouched_to(self) -> int:
        return max(self._comparison.agreed_to, self._signatures.signed_to)

    def _is_vouched(self) -> bool:
        """Whether somebody stands for the beginning here: a signature or a witness of the first record, or a later."""
        return self._first is None or self._first.seq <= max(1, self._vouched_to())

    def _misfit(self, read: Record, text: bytes) -> tuple[Fault, Suspects | None] | None:
        """Says what does not fit of a record that is whole in itself; else the tree has it."""
        since = self._vouched_to() + 1
        fault = follows(self._head, read)
        if fault is Fault.SEQ_GAP:
            # A beginning for which nobody stands, or which nothing explains, may itself be what is wrong.
            is_sound = self._is_vouched() and self._absences.is_explained(self._vouched_to())
            return fault, Suspects(self._head.seq + 1 if is_sound else 1, self._head.seq + 1)
        fault = fault or self._signatures.note(read, text, self._tree)
        if fault is not None:
            return fault, Suspects(min(since, read.seq), read.seq)
        lost = self._absences.note(read, text)
        if lost is not None:
            agreed_to = self._comparison.agreed_to  # whoever wrote the log anew signed it anew as well
            return lost[0], Suspects(min(agreed_to + 1, lost[1]), lost[1])
        comparison, before = self._comparison, self._tree
        if self._signatures.origin is not None:
            comparison.is_of(self._signatures.origin)
        misfit = comparison.begins(before, self._signatures.keys) if self._first is None and before.size else None
        leaf = leaf_hash(text)
        after = before.plus(leaf)
        misfit = misfit or comparison.note(read.seq, leaf, after, self._signatures.keys)
        if misfit is not None:
            return misfit
        self._tree = after
        if read.digest == self._expect_head:
            self._expected_seq = read.seq
            comparison.agree(read.seq)
        elif self._first is None and before.size and read.prev == self._expect_head:  # the last one that is not here
            self._expected_seq = before.size
        return None

    def _bad(self, fault: Fault, suspects: Suspects | None) -> bool:
        at = self._next
        self._fault = FirstFault(fault, at.line, at.offset, at.stream)
        self._suspects = suspects
        return False
