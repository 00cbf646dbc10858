"""A log's own signatures: keys that are certified, checkpoints that are right, files that go on from those before."""

from __future__ import annotations

import io
import time
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, SteppingClock, any_text, lines_of
from leadglass_agent.audit.chain import Fault, Head
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.verify import verify
from leadglass_agent.clock import Instant
from random_logs import AGENT, certified_agent, trusted
from signed_logs import LogWriter
from tampering import changed, rechained

ORIGIN = "shop.example/agent/checkout/log/00112233aabbccdd"


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(Random(seed).randbytes(32))  # noqa: S311 - a test's own key


def _started(origin: str = ORIGIN) -> LogWriter:
    made = LogWriter(trusted()[1], origin, SteppingClock(Instant(unix_ns=time.time_ns(), boot_ns=1)))
    made.start(_key(1))
    return made


def _written() -> tuple[bytes, ...]:
    """Records: 1 start, 2 and 3 a call, 4 checkpoint, 5 a new file, 6 and 7 a call, 8 checkpoint."""
    made = _started()
    made.call(INTENT, OUTCOME)
    made.checkpoint()
    made.rotate()
    made.call(INTENT, OUTCOME)
    made.checkpoint()
    return tuple(made.whole.splitlines(keepends=True))


def _lines(made: LogWriter) -> tuple[bytes, ...]:
    return tuple(made.whole.splitlines(keepends=True))


def _fault(lines: tuple[bytes, ...], authorities_pem: bytes | None = None) -> tuple[Fault, int] | None:
    fault = verify(io.BytesIO(b"".join(lines)), authorities_pem=authorities_pem).fault
    return None if fault is None else (fault.fault, fault.line)


def _with(lines: tuple[bytes, ...], number: int, **fields: str | int) -> tuple[bytes, ...]:
    """Changes a record, and makes all hashes of the chain right again."""
    return rechained((*lines[: number - 1], changed(lines[number - 1], **fields), *lines[number:]), number - 1)


_texts = st.none() | st.sampled_from([ORIGIN, "", "x", "0" * 64, "AAAA", f"{ORIGIN}+00000000+AQ=="]) | any_text
_special = st.builds(
    Event,
    kind=st.sampled_from(
        [EventKind.AGENT_STARTED, EventKind.CHECKPOINT, EventKind.SEGMENT_STARTED, EventKind.AUDIT_RECOVERED]
    ),
    origin=_texts,
    tree_size=st.none() | st.integers(0, 2**64),
    root_hash=_texts,
    signature=_texts,
    frontier=st.lists(st.sampled_from(["0" * 64, "z" * 64, "x"]), max_size=3).map(tuple),
    verifier_key=_texts,
    certificate=_texts,
    key_signature=_texts,
)


@given(st.lists(_special, max_size=4), st.integers(0, 9))
def test_whatever_a_record_says_of_signatures_has_a_verdict(said: list[Event], begins_after: int) -> None:
    issuer, _ = trusted()
    log = b"".join(lines_of(said, Head(begins_after, "0" * 64)))

    assert not verify(io.BytesIO(log), authorities_pem=issuer.pem).intact


def test_a_true_log_is_signed_by_the_agent_that_the_authority_knows() -> None:
    issuer, _ = trusted()

    verdict = verify(io.BytesIO(b"".join(_written())), authorities_pem=issuer.pem)

    assert verdict.intact
    signed = verdict.signed
    assert (signed.origin, signed.checkpoints, signed.unsigned, signed.signed_to) == (ORIGIN, 2, 0, 7)
    assert (signed.certified_by, signed.authority_checked) == ((AGENT,), True)


@pytest.mark.parametrize(
    ("number", "fields", "expected"),
    [
        (4, {"root_hash": "0" * 64}, Fault.CHECKPOINT_MISMATCH),
        (4, {"tree_size": 2}, Fault.CHECKPOINT_MISMATCH),
        (4, {"origin": "other.example/log/1"}, Fault.CHECKPOINT_MISMATCH),
        (4, {"signature": "AAAA"}, Fault.CHECKPOINT_SIGNATURE),
        (4, {"signature": "no base64"}, Fault.CHECKPOINT_SIGNATURE),
        (5, {"root_hash": "0" * 64}, Fault.SEGMENT_MISMATCH),
        (5, {"tree_size": 5}, Fault.SEGMENT_MISMATCH),
        (5, {"origin": "other.example/log/1"}, Fault.SEGMENT_MISMATCH),
        (1, {"key_signature": "AAAA"}, Fault.KEY_UNCERTIFIED),
        (1, {"certificate": "AAAA"}, Fault.KEY_UNCERTIFIED),
        (1, {"verifier_key": "x"}, Fault.KEY_UNCERTIFIED),
    ],
)
def test_what_is_signed_must_be_what_is_here(number: int, fields: dict[str, str | int], expected: Fault) -> None:
    assert _fault(_with(_written(), number, **fields)) == (expected, number)


def test_a_key_is_good_for_the_log_of_its_agent_alone() -> None:
    elsewhere = _started("other.example/agent/checkout/log/0011")

    assert _fault(tuple(elsewhere.whole.splitlines(keepends=True))) == (Fault.KEY_UNCERTIFIED, 1)


def test_a_certificate_of_another_authority_vouches_only_where_no_authority_is_asked() -> None:
    stranger = certified_agent("a stranger")[0]

    assert _fault(_written()) is None
    assert _fault(_written(), stranger.pem) == (Fault.KEY_UNCERTIFIED, 1)


def test_a_certificate_must_have_been_valid_when_its_record_was_written() -> None:
    issuer, agent = trusted()
    late = LogWriter(agent, ORIGIN, SteppingClock(Instant(unix_ns=time.time_ns() + 30 * 86_400 * 10**9, boot_ns=1)))
    late.start(_key(1))

    assert _fault((late.whole,), issuer.pem) == (Fault.KEY_UNCERTIFIED, 1)


def test_a_log_that_had_a_key_has_one_at_every_start() -> None:
    made = _started()
    made.add(Event(kind=EventKind.AGENT_STARTED))

    assert _fault(tuple(made.whole.splitlines(keepends=True))) == (Fault.KEY_UNCERTIFIED, 2)


def test_a_log_of_an_agent_without_keys_is_held_by_its_chain_alone_unless_an_authority_is_asked() -> None:
    issuer, agent = trusted()
    made = LogWriter(agent, ORIGIN, SteppingClock())
    made.add(Event(kind=EventKind.AGENT_STARTED))
    made.add(INTENT)
    lines = tuple(made.whole.splitlines(keepends=True))

    assert _fault(lines) is None
    assert _fault(lines, issuer.pem) == (Fault.KEY_UNCERTIFIED, 1)


def test_the_checkpoints_of_a_log_with_a_key_cannot_be_left_out() -> None:
    made = _started()
    made.checkpoint()
    for _ in range(256):
        made.add(INTENT)
    assert _fault(tuple(made.whole.splitlines(keepends=True))) is None

    made.add(INTENT)
    made.checkpoint()

    assert _fault(tuple(made.whole.splitlines(keepends=True))) == (Fault.CHECKPOINT_MISSING, 259)


def test_a_start_signs_the_state_with_itself() -> None:
    made = _started()
    for _ in range(16):
        made.add(INTENT)
    assert _fault(_lines(made)) is None

    made.add(INTENT)

    assert _fault(_lines(made)) == (Fault.CHECKPOINT_MISSING, 18)


def test_the_record_of_a_true_start_carries_no_invented_history() -> None:
    made = _started()
    made.checkpoint()
    for _ in range(2):
        for _ in range(200):
            made.add(INTENT)
        assert made.started is not None
        made.add(made.started)

    assert _fault(_lines(made)) == (Fault.KEY_REPEATED, 203)


def test_starts_of_other_keys_do_not_stand_in_for_checkpoints() -> None:
    made = _started()
    made.checkpoint()
    for seed in range(2, 40):
        for _ in range(10):
            made.add(INTENT)
        made.start(_key(seed))

    assert _fault(_lines(made)) == (Fault.CHECKPOINT_MISSING, 259)


def test_what_an_agent_writes_before_its_first_start_needs_no_key() -> None:
    issuer, agent = trusted()
    clock = SteppingClock(Instant(unix_ns=time.time_ns(), boot_ns=1))
    made = LogWriter(agent, ORIGIN, clock)
    made.add(Event(kind=EventKind.TAIL_REPAIRED))
    made.add(Event(kind=EventKind.AUDIT_HALT))
    alone = _lines(made)
    made.begin(_key(1))
    other = LogWriter(agent, ORIGIN, clock)
    other.add(INTENT)
    other.begin(_key(1))

    assert _fault(_lines(made), issuer.pem) is None
    assert _fault(alone, issuer.pem) == (Fault.KEY_UNCERTIFIED, 3)
    assert _fault(_lines(other), issuer.pem) == (Fault.KEY_UNCERTIFIED, 1)


def test_a_file_that_begins_at_a_start_stands_when_retention_took_the_ones_before() -> None:
    issuer, _ = trusted()
    made = _started()
    made.checkpoint()
    made.rotate(at_start=True)
    made.begin(_key(2))
    unexplained = bytes(made.segments[1])
    made.delete(1)

    assert _fault(_lines(made), issuer.pem) is None
    assert _fault((unexplained,), issuer.pem) == (Fault.SEGMENT_MISSING, 1)


def test_a_deletion_that_nobody_signed_explains_no_missing_beginning() -> None:
    made = _started()
    made.checkpoint()
    made.rotate()
    made.checkpoint()
    deleted = Event(kind=EventKind.SEGMENT_DELETED, facts=(("first_seq", 1), ("last_seq", 2)))
    made.add(deleted)
    unsigned = bytes(made.segments[1])
    made.checkpoint()

    assert _fault((unsigned,)) == (Fault.SEGMENT_MISSING, 1)
    assert _fault((bytes(made.segments[1]),)) is None


def test_records_that_a_recovery_misses_are_lost() -> None:
    made = _started()
    made.checkpoint()
    held, lost = (
        Event(kind=EventKind.AUDIT_RECOVERED, facts=(("expected_seq", 2), ("expected_hash", digest)))
        for digest in (made.head.digest, "0" * 64)
    )
    made.add(held)
    assert _fault(_lines(made)) is None

    made.add(lost)

    assert _fault(_lines(made)) == (Fault.RECORDS_LOST, 4)


def test_a_later_file_alone_is_checked_from_its_own_words_on() -> None:
    lines = _written()[4:]

    assert _fault(lines[:3]) == (Fault.FRONTIER_UNVOUCHED, 1)
    assert _fault(lines) == (Fault.SEGMENT_MISSING, 1)
    assert _fault((changed(lines[0], root_hash="0" * 64), *lines[1:])) == (Fault.SEGMENT_MISMATCH, 1)
    assert _fault((changed(lines[0], tree_size=3), *lines[1:])) == (Fault.SEGMENT_MISMATCH, 1)


def test_a_later_file_stands_by_the_key_that_it_repeats() -> None:
    issuer, _ = trusted()
    made = _started()
    made.checkpoint()
    made.rotate()
    made.delete(1)
    lines = _lines(made)

    assert _fault(lines, issuer.pem) is None
    assert _fault((changed(lines[0], key_signature="AAAA"), *lines[1:])) == (Fault.KEY_UNCERTIFIED, 1)
