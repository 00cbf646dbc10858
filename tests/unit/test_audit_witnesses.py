"""What witnesses kept is read in every form, and compared with the log record by record."""

from __future__ import annotations

import base64
import io
import json
from random import Random
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME
from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.checkpoint import Checkpoint, LogSigner
from leadglass_agent.audit.tree import EMPTY, last_proofs, leaf_hash
from leadglass_agent.audit.verdict import Suspects
from leadglass_agent.audit.verify import verify, verify_segments
from leadglass_agent.audit.witnesses import Witnesses, read_witnesses
from random_logs import trusted
from signed_logs import LogWriter
from tampering import changed, rechained

if TYPE_CHECKING:
    from leadglass_agent.audit.verdict import Verdict

ORIGIN = "shop.example/agent/checkout/log/00112233aabbccdd"


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(Random(seed).randbytes(32))  # noqa: S311 - a test's own key


def _writer(calls: int = 5) -> LogWriter:
    """A start, so many calls, a checkpoint: the calls' last records are 3, 5, 7, ..."""
    made = LogWriter(trusted()[1], ORIGIN)
    made.start(_key(1))
    for _ in range(calls):
        made.call(INTENT, OUTCOME)
    made.checkpoint()
    return made


def _read(*texts: str) -> Witnesses:
    return read_witnesses([("kept", io.BytesIO("\n".join(texts).encode()))])


def _verdict(log: bytes, *texts: str) -> Verdict:
    return verify(io.BytesIO(log), witnesses=_read(*texts) if texts else None)


def _fault(verdict: Verdict) -> tuple[Fault, Suspects | None] | None:
    return None if verdict.fault is None else (verdict.fault.fault, verdict.suspects)


def test_receipts_printed_checkpoints_and_bare_notes_all_count() -> None:
    writer = _writer()
    collected = f"2025-06-15T15:06:46Z stdout F {writer.printed[0].text}"
    noise = ('{"event":"listening"}', "not json", '{"checkpoint": 3}', "{", "\u2014 no note", "")

    verdict = _verdict(writer.whole, writer.receipts[1].text, collected, *noise, writer.note())

    assert verdict.intact
    assert (verdict.witnessed.agreements, verdict.witnessed.agreed_to, verdict.witnessed.invalid) == (4, 12, 0)
    assert verdict.unwitnessed is None


def test_the_records_after_the_last_witness_are_named() -> None:
    writer = _writer()

    assert _verdict(writer.whole, writer.receipts[1].text).unwitnessed == (6, 12)
    assert _verdict(writer.whole).unwitnessed == (1, 12)


def test_a_cut_end_that_a_witness_saw_is_a_tail_cut_even_within_a_record() -> None:
    writer = _writer()
    lines = writer.whole.splitlines(keepends=True)
    kept = (writer.receipts[0].text, writer.receipts[4].text)

    whole_lines = _verdict(b"".join(lines[:6]), *kept)
    torn = _verdict(b"".join(lines[:6]) + lines[6][:50], *kept)

    assert _fault(whole_lines) == (Fault.TAIL_CUT, Suspects(4, 7))
    assert _fault(torn) == (Fault.TAIL_CUT, Suspects(4, 7))
    assert _fault(_verdict(b"".join(lines[:6]) + lines[6][:50], kept[0])) == (Fault.TORN_TAIL, Suspects(7, 7))


def test_a_record_that_was_rewritten_between_two_receipts_is_bounded_by_them() -> None:
    writer = _writer()
    lines = tuple(writer.whole.splitlines(keepends=True))
    signer = LogSigner(ORIGIN, _key(1))
    edited = (*lines[:4], changed(lines[4], rows=99), *lines[5:])
    forged = rechained(edited, 4, signers={signer.verifier_key: signer})

    assert _fault(_verdict(b"".join(forged))) is None  # whoever has the key can do that
    assert _fault(_verdict(b"".join(forged), writer.receipts[0].text, writer.receipts[3].text)) == (
        Fault.WITNESS_MISMATCH,
        Suspects(4, 9),
    )
    assert _fault(_verdict(b"".join(forged), writer.receipts[0].text, writer.receipts[1].text)) == (
        Fault.WITNESS_MISMATCH,
        Suspects(4, 5),
    )


def test_the_record_of_a_receipt_is_compared_by_itself_whatever_its_checkpoint_covers() -> None:
    writer = _writer()
    lines = tuple(writer.whole.splitlines(keepends=True))
    leaves = [leaf_hash(line[:-1]) for line in lines]
    signer = LogSigner(ORIGIN, _key(1))
    kept = json.loads(writer.receipts[1].text) | {
        "hashes": [one.hex() for one in last_proofs(EMPTY, leaves)[4]],
        "checkpoint": writer.note(),
    }
    edited = (*lines[:4], changed(lines[4], rows=99), *lines[5:])
    forged = rechained(edited, 4, signers={signer.verifier_key: signer})

    assert _verdict(writer.whole, json.dumps(kept)).intact
    assert _fault(_verdict(b"".join(forged), json.dumps(kept))) == (Fault.WITNESS_MISMATCH, Suspects(1, 5))
    assert _fault(_verdict(b"".join(lines[:6]), json.dumps(kept))) == (Fault.TAIL_CUT, Suspects(6, 7))


@pytest.mark.parametrize("form", ["with its key", "printed", "a note"])
def test_a_checkpoint_alone_shows_that_the_log_was_written_anew_before_it(form: str) -> None:
    writer = _writer()
    lines = tuple(writer.whole.splitlines(keepends=True))
    signer = LogSigner(ORIGIN, _key(1))
    edited = (*lines[:4], changed(lines[4], rows=99), *lines[5:])
    forged = rechained(edited, 4, signers={signer.verifier_key: signer})
    note: str = json.loads(writer.receipts[4].text)["checkpoint"]
    kept = {
        "with its key": json.dumps({"checkpoint": note, "key": signer.verifier_key}),
        "printed": json.dumps({"event": "checkpoint", "note": note}),
        "a note": note,
    }[form]

    assert _verdict(writer.whole, kept).witnessed.agreed_to == 11
    assert _fault(_verdict(b"".join(forged), kept)) == (Fault.WITNESS_MISMATCH, Suspects(1, 11))


def test_two_witnesses_of_one_size_that_differ_are_a_fork_wherever_the_log_ends() -> None:
    writer = _writer()
    signer = LogSigner(ORIGIN, _key(1))
    note = signer.sign(Checkpoint(ORIGIN, 9, bytes(32)))
    second = json.dumps({"checkpoint": note, "key": signer.verifier_key})
    kept = (writer.receipts[0].text, writer.receipts[3].text, second)

    assert _fault(_verdict(writer.whole, *kept)) == (Fault.FORK, Suspects(4, 9))
    short = b"".join(writer.whole.splitlines(keepends=True)[:5])
    assert _fault(_verdict(short, *kept)) == (Fault.FORK, Suspects(4, 6))


def test_witnesses_of_other_logs_alone_say_that_this_is_not_the_log_that_they_saw() -> None:
    writer, other = _writer(), LogWriter(trusted()[1], "shop.example/agent/checkout/log/ffffffffffffffff")
    other.start(_key(5))
    other.call(INTENT, OUTCOME)

    alone = _verdict(writer.whole, other.receipts[0].text)
    both = _verdict(writer.whole, other.receipts[0].text, writer.receipts[0].text)

    assert alone.fault is not None
    assert alone.fault.fault is Fault.WITNESS_MISMATCH
    assert (both.intact, both.witnessed.of_other_logs, both.witnessed.agreements) == (True, 2, 2)


@pytest.mark.parametrize("field", ["leaf", "seq", "hashes", "checkpoint", "key"])
def test_a_receipt_that_proves_nothing_is_a_fault_of_its_own_with_its_place(field: str) -> None:
    writer = _writer()
    kept = json.loads(writer.receipts[2].text)
    other = LogSigner(ORIGIN, _key(2)).verifier_key
    kept[field] = {"leaf": "0" * 64, "seq": 6, "hashes": ["x"], "checkpoint": "no note", "key": other}[field]

    verdict = _verdict(writer.whole, writer.receipts[0].text, json.dumps(kept))

    assert _fault(verdict) == (Fault.RECEIPT_INVALID, None)
    assert (verdict.witnessed.first_invalid or "").startswith("kept, line 2: ")


def test_a_receipt_of_the_right_state_whose_key_the_log_does_not_name_proves_nothing() -> None:
    writer = _writer()
    signer = LogSigner(ORIGIN, _key(7))
    kept = json.loads(writer.receipts[2].text)
    size, root = 7, kept["checkpoint"].split("\n")[2]
    note = signer.sign(Checkpoint(ORIGIN, size, base64.b64decode(root)))

    verdict = _verdict(writer.whole, json.dumps(kept | {"checkpoint": note, "key": signer.verifier_key}))

    assert _fault(verdict) == (Fault.RECEIPT_INVALID, None)


def test_a_printed_checkpoint_with_a_wrong_signature_proves_nothing_and_accuses_nobody() -> None:
    writer = _writer()
    printed = writer.printed[0].text.replace("\\n11\\n", "\\n10\\n")

    verdict = _verdict(writer.whole, printed)

    assert _fault(verdict) == (Fault.RECEIPT_INVALID, None)


def test_what_is_said_of_records_before_the_first_one_here_is_counted_and_not_checked() -> None:
    writer = _writer()
    writer.rotate()
    writer.call(INTENT, OUTCOME)
    writer.delete(1)

    verdict = _verdict(writer.whole, writer.receipts[0].text, writer.receipts[-1].text)

    assert verdict.intact
    assert (verdict.earlier_records_absent, verdict.witnessed.out_of_reach) == (12, 2)


def test_a_head_that_was_noted_stands_for_what_is_before_it() -> None:
    writer = _writer()
    writer.rotate()
    writer.call(INTENT, OUTCOME)
    lines = writer.segments[1].splitlines(keepends=True)
    moved_away = json.loads(lines[0])["prev"]
    unsigned = bytes(writer.segments[1])
    writer.checkpoint()
    later = bytes(writer.segments[1])

    whole = verify(io.BytesIO(writer.whole), expect_head=json.loads(lines[1])["hash"])
    nothing = verify(io.BytesIO(writer.whole), expect_head="0" * 64)
    before = verify(io.BytesIO(later), expect_head=moved_away)

    assert (whole.intact, whole.expected_head_seq, whole.unwitnessed) == (True, 14, (15, 16))
    assert _fault(nothing) == (Fault.HEAD_MISSING, None)
    assert (before.intact, before.expected_head_seq) == (True, 12)  # the older files were moved away on purpose
    assert _fault(verify(io.BytesIO(unsigned), expect_head=moved_away)) == (
        Fault.FRONTIER_UNVOUCHED,
        Suspects(13, 15),
    )


def test_a_later_file_alone_needs_somebody_who_stands_for_its_beginning_and_a_record_of_what_went() -> None:
    writer = _writer()
    writer.rotate()
    frontier = writer.printed[0].text  # of the state before the checkpoint that ends the first file
    at_the_seam = json.dumps({"checkpoint": LogSigner(ORIGIN, _key(1)).sign(_state_before(writer)), "key": _name(1)})
    writer.call(INTENT, OUTCOME)
    alone = bytes(writer.segments[1])

    assert _fault(_verdict(alone)) == (Fault.FRONTIER_UNVOUCHED, Suspects(13, 15))
    assert _fault(_verdict(alone, at_the_seam, frontier)) == (Fault.FRONTIER_UNVOUCHED, Suspects(13, 15))
    assert _fault(_verdict(alone, writer.receipts[-1].text)) == (Fault.SEGMENT_MISSING, Suspects(12, 12))
    assert verify_segments([io.BytesIO(segment) for segment in writer.segments]).intact
    writer.delete(1)
    assert _verdict(writer.whole).intact


def _name(seed: int) -> str:
    return LogSigner(ORIGIN, _key(seed)).verifier_key


def _state_before(writer: LogWriter) -> Checkpoint:
    """Gives the state that the last file begins with."""
    began = json.loads(writer.segments[-1].splitlines()[0])
    return Checkpoint(ORIGIN, began["tree_size"], bytes.fromhex(began["root_hash"]))


def test_a_key_that_somebody_made_accuses_no_log_of_two_histories_and_no_note_counts_unsigned() -> None:
    writer = _writer()
    stranger = LogSigner(ORIGIN, _key(7))
    invented = json.dumps({"checkpoint": stranger.sign(Checkpoint(ORIGIN, 5, bytes(32))), "key": stranger.verifier_key})
    true_note = json.loads(writer.receipts[4].text)["checkpoint"]
    unsigned = true_note.rpartition(" ")[0] + " " + base64.b64encode(bytes(68)).decode() + "\n"
    kept = tuple(one.text for one in writer.receipts)

    framed = _verdict(writer.whole, *kept, invented)
    said = _verdict(writer.whole, unsigned)

    assert _fault(framed) == (Fault.SIGNER_UNKNOWN, Suspects(4, 5))
    assert framed.witnessed.agreed_to == 11
    assert "its key is not one that the log names" in (framed.witnessed.first_invalid or "")
    assert _fault(said) == (Fault.RECEIPT_INVALID, None)
    assert (said.witnessed.agreements, said.unwitnessed) == (0, (1, 12))


def test_a_run_of_the_agent_that_was_cut_off_with_its_start_is_missed_by_its_receipts() -> None:
    writer = _writer()
    cut = writer.whole
    writer.begin(_key(2))
    writer.call(INTENT, OUTCOME)

    assert _fault(_verdict(cut, writer.receipts[-1].text)) == (Fault.SIGNER_UNKNOWN, Suspects(1, 13))


def test_another_log_of_the_same_agent_is_named_with_its_times() -> None:
    writer, other = _writer(), LogWriter(trusted()[1], "shop.example/agent/checkout/log/ffffffffffffffff")
    other.begin(_key(5))
    other.call(INTENT, OUTCOME)

    (found,) = _verdict(writer.whole, other.receipts[0].text, writer.receipts[0].text).witnessed.other_logs

    assert (found.origin, found.statements) == (other.origin, 2)
    assert (found.first_time, found.last_time) == ("2025-06-15T15:06:45Z", "2025-06-15T15:06:45Z")


@pytest.mark.parametrize(
    "text", ["o\n" + "9" * 5_000 + "\nx\n", "o\n5\n" + "A" * 43 + "=\n\n\u2014 o " + "A" * 5_000 + "\n"]
)
def test_a_note_that_is_too_long_is_refused_before_it_is_kept(text: str) -> None:
    found = _read(json.dumps({"event": "checkpoint", "note": text}), json.dumps({"checkpoint": text, "key": "x"}))

    assert (found.logs, found.invalid) == ({}, 2)


@given(
    st.lists(st.sampled_from(["{", "}", '"checkpoint"', ":", "\u2014 ", "\n", "a", "7", '"note"', ",", "\r", "\x00"]))
)
def test_any_text_is_read_without_an_error(parts: list[str]) -> None:
    assert read_witnesses([("kept", io.BytesIO("".join(parts).encode()))]).logs == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read_witnesses([("kept", io.BytesIO(data)), ("kept", io.BytesIO(b"{" * 70_000 + b"\n" + data))])
