"""Verification reads anything, names the first thing that does not fit, and says what it counted."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, lines_of, verify_bytes
from leadglass_agent.audit.chain import Fault, Head
from leadglass_agent.audit.record import RECORD_BYTES, Event, EventKind
from leadglass_agent.audit.verdict import FirstFault, Suspects
from leadglass_agent.audit.verify import verify, verify_segments

_LINES = lines_of([INTENT, OUTCOME] * 4)


def _call(kind: EventKind, call_id: str | None) -> Event:
    return Event(kind=kind, call_id=call_id)


def test_a_whole_log_is_described() -> None:
    verdict = verify_bytes(b"".join(_LINES))

    assert verdict.intact
    assert verdict.records == 8
    assert (verdict.first_seq, verdict.last_seq) == (1, 8)
    assert (verdict.first_time, verdict.last_time) == ("2025-06-15T15:06:41.123456Z", "2025-06-15T15:06:48.123456Z")
    assert verdict.head.seq == 8
    assert verdict.head.digest in _LINES[-1].decode()
    assert verdict.intents_unanswered == 0


@given(st.binary(max_size=2_000))
def test_any_bytes_have_a_verdict(data: bytes) -> None:
    assert not verify_bytes(data).intact


@given(st.lists(st.sampled_from(_LINES) | st.binary(max_size=50), max_size=12))
def test_any_mixture_of_lines_has_a_verdict_and_only_the_true_order_is_intact(parts: list[bytes]) -> None:
    verdict = verify_bytes(b"".join(parts))

    data = b"".join(parts)
    assert verdict.intact == any(data == b"".join(_LINES[:count]) for count in range(1, 9))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", FirstFault(Fault.EMPTY, 1, 0)),
        (_LINES[0] + b"\n", FirstFault(Fault.BAD_JSON, 2, len(_LINES[0]))),
        (_LINES[0] + b"x" * RECORD_BYTES + b"\n", FirstFault(Fault.TOO_LONG, 2, len(_LINES[0]))),
        (_LINES[0] + b"x" * (RECORD_BYTES + 9) + b"\n", FirstFault(Fault.TOO_LONG, 2, len(_LINES[0]))),
        (_LINES[0] + _LINES[1][:-1], FirstFault(Fault.TORN_TAIL, 2, len(_LINES[0]))),
        (_LINES[0] + _LINES[1][:40], FirstFault(Fault.TORN_TAIL, 2, len(_LINES[0]))),
        (_LINES[0] + _LINES[2], FirstFault(Fault.SEQ_GAP, 2, len(_LINES[0]))),
        (_LINES[0].replace(b":", b": ", 1), FirstFault(Fault.NOT_CANONICAL, 1, 0)),
        (_LINES[0].replace(b"\n", b"\r\n"), FirstFault(Fault.NOT_CANONICAL, 1, 0)),
        (_LINES[0].replace(b"alice", b"mallo"), FirstFault(Fault.HASH_MISMATCH, 1, 0)),
        (_LINES[0] + lines_of([OUTCOME], Head(1, "f" * 64))[0], FirstFault(Fault.PREV_MISMATCH, 2, len(_LINES[0]))),
        (b"{}\n", FirstFault(Fault.BAD_FIELDS, 1, 0)),
    ],
)
def test_the_first_fault_has_a_line_an_offset_and_a_name(data: bytes, expected: FirstFault) -> None:
    assert verify_bytes(data).fault == expected


def test_what_was_read_before_the_fault_is_still_described() -> None:
    verdict = verify_bytes(b"".join(_LINES[:3]) + b"junk\n")

    assert (verdict.records, verdict.last_seq) == (3, 3)


def test_a_part_of_a_log_that_begins_in_the_middle_is_not_the_whole_log() -> None:
    alone = verify_bytes(b"".join(_LINES[5:]))

    assert (alone.fault, alone.suspects) == (FirstFault(Fault.SEQ_GAP, 1, 0), Suspects(1, 1))


def test_a_log_in_several_files_is_one_log_and_a_fault_is_placed_in_its_file() -> None:
    parts = [io.BytesIO(b"".join(_LINES[:5])), io.BytesIO(b""), io.BytesIO(b"".join(_LINES[5:7]) + b"{}\n")]

    verdict = verify_segments(parts)

    assert verdict.fault == FirstFault(Fault.BAD_FIELDS, 3, len(_LINES[5] + _LINES[6]), stream=2)
    assert (verdict.records, verdict.suspects) == (7, Suspects(8, 8))


def test_a_cut_end_is_found_only_by_a_head_that_was_noted_elsewhere() -> None:
    noted = verify_bytes(b"".join(_LINES)).head
    cut = b"".join(_LINES[:6])

    assert verify_bytes(cut).intact
    missing = verify_bytes(cut, expect_head=noted.digest)
    assert missing.fault == FirstFault(Fault.HEAD_MISSING, 7, len(cut))
    whole = verify_bytes(b"".join(_LINES), expect_head=noted.digest)
    assert (whole.intact, whole.expected_head_seq) == (True, 8)


def test_a_noted_head_may_have_records_after_it() -> None:
    noted = verify_bytes(b"".join(_LINES[:3])).head

    verdict = verify_bytes(b"".join(_LINES), expect_head=noted.digest)

    assert (verdict.intact, verdict.expected_head_seq, verdict.last_seq) == (True, 3, 8)


def test_intents_without_an_answer_and_outcomes_without_an_intent_are_counted() -> None:
    lines = lines_of(
        [
            _call(EventKind.REFUSED, "z"),  # refused before its intent: nothing is owed
            _call(EventKind.INTENT, "a"),
            _call(EventKind.INTENT, "b"),
            _call(EventKind.REFUSED, "b"),
            _call(EventKind.OUTCOME, "a"),
            _call(EventKind.OUTCOME, "a"),
            _call(EventKind.INTENT, "c"),
            _call(EventKind.INTENT, None),
            _call(EventKind.OUTCOME, None),
        ]
    )

    verdict = verify_bytes(b"".join(lines))

    assert verdict.intact
    assert verdict.intents_unanswered == 2
    assert verdict.outcomes_without_intent == 2


def test_only_the_last_ten_thousand_open_calls_are_remembered_and_older_ones_count_as_unanswered() -> None:
    intents = [_call(EventKind.INTENT, str(number)) for number in range(10_050)]
    answers = [_call(EventKind.OUTCOME, "49"), _call(EventKind.OUTCOME, "50")]

    verdict = verify_bytes(b"".join(lines_of(intents + answers)))

    assert verdict.intents_unanswered == 10_049
    assert verdict.outcomes_without_intent == 1


def test_a_line_without_an_end_is_not_read_into_memory() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed names a wider buffer
            buffer[:] = b"x" * len(buffer)
            self.taken += len(buffer)
            return len(buffer)

    endless = Endless()

    verdict = verify(io.BufferedReader(endless))

    assert verdict.fault == FirstFault(Fault.TOO_LONG, 1, 0)
    assert endless.taken < 10 * RECORD_BYTES
