"""Each line carries the hash of the one before, and a line that was touched is told from one that was not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, START, events, instants, lines_of
from leadglass_agent.audit.canonical import Json, canonical
from leadglass_agent.audit.chain import GENESIS, Fault, Head, Record, append, follows, read_line
from leadglass_agent.audit.record import RECORD_BYTES, Event

if TYPE_CHECKING:
    from leadglass_agent.clock import Instant


def test_the_hash_is_sha256_over_the_tag_and_the_canonical_text_without_the_hash() -> None:
    line, head = append(GENESIS, INTENT, START)

    fields = json.loads(line)
    digest = fields.pop("hash")
    covered = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert digest == hashlib.sha256(b"leadglass.dev/audit/record/v1\n" + covered).hexdigest()
    assert head == Head(1, digest)


def test_the_envelope_says_when_and_after_what() -> None:
    line, head = append(GENESIS, INTENT, START)
    second, _ = append(head, OUTCOME, START)

    fields = json.loads(second)
    assert fields["v"] == 1
    assert fields["seq"] == 2
    assert fields["time"] == "2025-06-15T15:06:40.123456Z"
    assert fields["boot_ns"] == 5_000_000_000
    assert fields["prev"] == json.loads(line)["hash"]
    assert json.loads(line)["prev"] == "0" * 64


def test_the_envelope_names_the_start_of_the_machine_that_its_clock_counts_from() -> None:
    line, _ = append(GENESIS, INTENT, replace(START, boot_id="8c7a0a5f-0000-4000-8000-00000000abcd"))

    record = read_line(line[:-1])
    assert isinstance(record, Record)
    assert (record.boot_ns, record.boot_id) == (5_000_000_000, "8c7a0a5f-0000-4000-8000-00000000abcd")


@given(events, instants, st.integers(0, 2**40), st.binary(min_size=32, max_size=32))
def test_every_line_is_read_back_and_follows_its_head(event: Event, now: Instant, seq: int, digest: bytes) -> None:
    before = Head(seq, digest.hex())

    line, head = append(before, event, now)
    record = read_line(line[:-1])

    assert isinstance(record, Record)
    assert record.head == head
    assert record.kind == event.kind
    assert follows(before, record) is None


@given(events, st.data())
def test_a_line_with_one_changed_byte_is_never_read_as_a_record(event: Event, data: st.DataObject) -> None:
    line = append(GENESIS, event, START)[0][:-1]
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))

    assert isinstance(read_line(line[:at] + bytes([other]) + line[at + 1 :]), Fault)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_fault_and_no_exception(data: bytes) -> None:
    assert isinstance(read_line(data), Fault)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"v": 2}, Fault.BAD_FIELDS),
        ({"v": True}, Fault.BAD_FIELDS),
        ({"seq": 0}, Fault.BAD_FIELDS),
        ({"seq": "1"}, Fault.BAD_FIELDS),
        ({"seq": True}, Fault.BAD_FIELDS),
        ({"boot_ns": -1}, Fault.BAD_FIELDS),
        ({"boot_ns": False}, Fault.BAD_FIELDS),
        ({"boot_id": 7}, Fault.BAD_FIELDS),
        ({"time": "2025-06-15 15:06:40"}, Fault.BAD_FIELDS),
        ({"kind": "intent"}, Fault.BAD_FIELDS),
        ({"kind": ""}, Fault.BAD_FIELDS),
        ({"prev": "0" * 63}, Fault.BAD_FIELDS),
        ({"prev": "A" * 64}, Fault.BAD_FIELDS),
        ({"call_id": 7}, Fault.BAD_FIELDS),
        ({"kind": "OUTCOME"}, Fault.HASH_MISMATCH),
        ({"more": "x"}, Fault.HASH_MISMATCH),
    ],
)
def test_a_field_of_the_wrong_kind_is_named_even_if_the_line_is_canonical(
    change: dict[str, Json], fault: Fault
) -> None:
    fields: dict[str, Json] = json.loads(lines_of([INTENT])[0])

    assert read_line(canonical(fields | change)) is fault


@pytest.mark.parametrize("name", ["v", "seq", "time", "boot_ns", "kind", "prev", "hash"])
def test_a_line_without_a_field_of_the_envelope_is_no_record(name: str) -> None:
    fields: dict[str, Json] = json.loads(lines_of([INTENT])[0])
    del fields[name]

    assert read_line(canonical(fields)) is Fault.BAD_FIELDS


def test_a_nested_copy_of_the_hash_does_not_confuse_what_the_hash_covers() -> None:
    fields: dict[str, Json] = json.loads(lines_of([INTENT])[0])
    digest = fields["hash"]
    fields["facts"] = {"a": 1, "hash": digest}

    assert read_line(canonical(fields)) is Fault.HASH_MISMATCH


def test_a_hash_that_leaves_its_nested_copy_out_is_not_right() -> None:
    fields: dict[str, Json] = json.loads(lines_of([INTENT])[0])
    del fields["hash"]
    fields["facts"] = {"a": 1}
    digest = hashlib.sha256(b"leadglass.dev/audit/record/v1\n" + canonical(fields)).hexdigest()

    assert isinstance(read_line(canonical(fields | {"hash": digest})), Record)
    assert read_line(canonical(fields | {"facts": {"a": 1, "hash": digest}, "hash": digest})) is Fault.HASH_MISMATCH


def test_a_line_as_long_as_a_record_with_its_newline_is_too_long() -> None:
    assert read_line(b"x" * (RECORD_BYTES - 1)) is Fault.BAD_JSON
    assert read_line(b"x" * RECORD_BYTES) is Fault.TOO_LONG


def test_a_record_follows_only_its_own_predecessor() -> None:
    first, second, third = (read_line(line[:-1]) for line in lines_of([INTENT, OUTCOME, INTENT]))
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(third, Record)

    assert follows(first.head, second) is None
    assert follows(first.head, third) is Fault.SEQ_GAP
    assert follows(second.head, second) is Fault.SEQ_GAP
    assert follows(Head(1, "f" * 64), second) is Fault.PREV_MISMATCH
