"""Promise: whoever edits, drops, adds or reorders records of the audit log is found out."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, lines_of, verify_bytes
from leadglass_agent.audit.chain import Fault

_LINES = lines_of([INTENT, OUTCOME] * 6)
_WHOLE = b"".join(_LINES)
_HEAD = verify_bytes(_WHOLE).head.digest
_positions = st.integers(0, len(_LINES) - 1)


def _rehashed(line: bytes, **changes: str | int) -> bytes:
    """Returns the line as a careful forger would write it: changed, with a hash that is right for it."""
    fields = json.loads(line) | changes
    del fields["hash"]
    covered = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    fields["hash"] = hashlib.sha256(b"leadglass.dev/audit/record/v1\n" + covered).hexdigest()
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@given(st.data())
def test_an_edit_of_any_byte_is_found_in_its_line(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(_WHOLE) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != _WHOLE[at]))

    verdict = verify_bytes(_WHOLE[:at] + bytes([byte]) + _WHOLE[at + 1 :])

    assert verdict.fault is not None
    assert verdict.fault.line == _WHOLE[:at].count(b"\n") + 1


@given(st.data())
def test_an_insertion_or_removal_of_bytes_anywhere_is_found(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(_WHOLE)))
    end = data.draw(st.integers(start, min(len(_WHOLE), start + 700)))
    added = data.draw(st.binary(max_size=20))
    changed = _WHOLE[:start] + added + _WHOLE[end:]

    if changed != _WHOLE:
        assert not verify_bytes(changed, expect_head=_HEAD).intact


@given(_positions)
def test_a_dropped_record_is_found(index: int) -> None:
    assert not verify_bytes(b"".join(_LINES[:index] + _LINES[index + 1 :]), expect_head=_HEAD).intact


@given(_positions)
def test_a_repeated_record_is_found(index: int) -> None:
    verdict = verify_bytes(b"".join(_LINES[: index + 1] + _LINES[index:]))

    assert verdict.fault is not None
    assert (verdict.fault.fault, verdict.fault.line) == (Fault.SEQ_GAP, index + 2)


@given(st.permutations(_LINES))
def test_any_other_order_is_found(lines: list[bytes]) -> None:
    assert verify_bytes(b"".join(lines)).intact == (lines == _LINES)


@given(st.integers(0, len(_LINES) - 2))
def test_a_forged_record_with_a_right_hash_is_found_at_the_next_one(index: int) -> None:
    forged = _rehashed(_LINES[index], caller="spiffe://demo.leadglass/sre/mallory")

    verdict = verify_bytes(b"".join([*_LINES[:index], forged, *_LINES[index + 1 :]]))

    assert verdict.fault is not None
    assert (verdict.fault.fault, verdict.fault.line) == (Fault.PREV_MISMATCH, index + 2)


@given(st.integers(0, len(_WHOLE) - 1))
def test_a_log_that_was_cut_anywhere_is_found_by_the_head_that_was_noted(length: int) -> None:
    assert not verify_bytes(_WHOLE[:length], expect_head=_HEAD).intact


@pytest.mark.parametrize("index", range(len(_LINES)))
def test_a_log_that_was_written_anew_from_any_record_on_is_found_by_the_head_that_was_noted(index: int) -> None:
    lines = list(_LINES)
    prev: str = json.loads(lines[index])["prev"]
    for position in range(index, len(lines)):
        lines[position] = _rehashed(lines[position], session_id="s-2", prev=prev)
        prev = json.loads(lines[position])["hash"]
    forged = b"".join(lines)

    assert verify_bytes(forged).intact  # the limit of a plain chain, as docs/audit.md says
    verdict = verify_bytes(forged, expect_head=_HEAD)
    assert verdict.fault is not None
    assert verdict.fault.fault is Fault.HEAD_MISSING
