"""A sink that lacks records is waited for, tried again, reported once, and in the end held against the calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.audit.chain import GENESIS, Head
from leadglass_agent.audit.record import EventKind
from leadglass_agent.audit.shipping import DOWN_NS, Shipment, SinkTerms, WhenDown
from leadglass_agent.clock import Instant
from leadglass_agent.errors import Severity

_SECOND = 1_000_000_000
_REFUSE = SinkTerms(WhenDown.REFUSE, 1)
_SPOOL = SinkTerms(WhenDown.SPOOL, 1_000)


def _at(seconds: float) -> Instant:
    return Instant(boot_ns=int((100 + seconds) * _SECOND), unix_ns=0)


def _head(seq: int) -> Head:
    return Head(seq, f"{seq:064x}")


def test_calls_are_refused_once_records_have_waited_ten_seconds_for_an_acknowledgement() -> None:
    shipment = Shipment(GENESIS, 0, _REFUSE, _at(0))
    shipment.note(1, _at(1))
    assert shipment.fault(_at(10.9)) == ""
    assert shipment.fault(_at(11)) != ""
    shipment.acknowledged(_head(1), 400, _at(12))
    assert shipment.fault(_at(1_000)) == ""


def test_an_acknowledgement_of_some_records_gives_the_others_ten_seconds_more() -> None:
    shipment = Shipment(GENESIS, 0, _REFUSE, _at(0))
    shipment.note(5, _at(0))
    shipment.acknowledged(_head(2), 800, _at(9))
    assert shipment.fault(_at(18.9)) == ""
    assert shipment.fault(_at(19)) != ""


def test_a_sink_that_was_behind_before_a_restart_gets_no_new_ten_seconds() -> None:
    shipment = Shipment(_head(7), 9, _REFUSE, _at(0))
    assert shipment.fault(_at(0)) != ""
    shipment.acknowledged(_head(9), 800, _at(0.1))
    assert shipment.fault(_at(0.1)) == ""


def test_a_sink_that_has_everything_is_never_down_however_long_nothing_happens() -> None:
    shipment = Shipment(_head(3), 3, _REFUSE, _at(0))
    shipment.note(3, _at(10_000))
    assert shipment.fault(_at(10_000)) == ""
    assert shipment.take_events() == ()


def test_with_a_spool_calls_go_on_until_what_waits_is_longer_than_allowed() -> None:
    shipment = Shipment(GENESIS, 0, _SPOOL, _at(0))
    shipment.note(3, _at(0))
    shipment.wrote(3, 1_000)
    assert shipment.fault(_at(10_000)) == ""
    shipment.wrote(3, 1_001)
    assert shipment.fault(_at(10_000)) != ""
    shipment.acknowledged(_head(1), 400, _at(10_001))
    assert shipment.fault(_at(10_001)) == ""


def test_each_outage_is_recorded_once_and_its_end_once() -> None:
    shipment = Shipment(GENESIS, 0, _SPOOL, _at(0))
    shipment.note(1, _at(0))
    for seconds in range(60):
        shipment.failed("UNREACHABLE", _at(seconds))
    (down,) = shipment.take_events()
    assert (down.kind, down.severity) == (EventKind.SINK_DOWN, Severity.CRITICAL)
    assert dict(down.facts) == {
        "cause": "UNREACHABLE",
        "when_down": "spool",
        "first_unshipped_seq": 1,
        "unshipped_records": 1,
    }
    shipment.note(8, _at(60))
    shipment.acknowledged(_head(6), 10, _at(61))
    shipment.acknowledged(_head(8), 10, _at(62))
    (recovered,) = shipment.take_events()
    assert recovered.kind is EventKind.SINK_RECOVERED
    assert dict(recovered.facts) == {"cause": "UNREACHABLE", "seconds": 61, "unshipped_records": 2}


def test_a_failure_that_passes_within_ten_seconds_is_no_outage() -> None:
    shipment = Shipment(GENESIS, 0, _REFUSE, _at(0))
    shipment.note(1, _at(0))
    shipment.failed("BUSY", _at(1))
    shipment.acknowledged(_head(1), 10, _at(9))
    assert shipment.take_events() == ()


def test_an_attempt_that_hangs_is_an_outage_too() -> None:
    shipment = Shipment(_head(1), 1, _REFUSE, _at(0))
    shipment.acknowledged(_head(1), 0, _at(0))
    shipment.note(2, _at(1))
    shipment.note(2, _at(11))
    (down,) = shipment.take_events()
    assert dict(down.facts)["cause"] == "TIMED_OUT"


def test_a_first_attempt_that_hangs_is_an_outage_too() -> None:
    shipment = Shipment(GENESIS, 0, _REFUSE, _at(0))
    shipment.note(1, _at(60))
    shipment.note(1, _at(69.9))
    assert shipment.take_events() == ()
    shipment.note(1, _at(70))
    assert [event.kind for event in shipment.take_events()] == [EventKind.SINK_DOWN]


def test_what_an_earlier_agent_left_is_an_outage_of_this_one_after_ten_seconds_without_a_yes() -> None:
    shipment = Shipment(_head(7), 9, _REFUSE, _at(0))
    shipment.note(9, _at(9.9))
    assert shipment.take_events() == ()
    shipment.note(9, _at(10))
    assert [event.kind for event in shipment.take_events()] == [EventKind.SINK_DOWN]


def test_attempts_become_rarer_up_to_one_in_eight_seconds_and_frequent_again_after_success() -> None:
    shipment = Shipment(GENESIS, 0, _SPOOL, _at(0))
    shipment.note(1, _at(0))
    pauses = []
    for _ in range(7):
        shipment.failed("BROKEN", _at(0))
        pauses.append(shipment.wait_ns(_at(0)) / _SECOND)
    assert pauses == [0.5, 1, 2, 4, 8, 8, 8]
    assert shipment.wait_ns(_at(9)) == 0
    shipment.acknowledged(_head(1), 0, _at(9))
    assert shipment.wait_ns(_at(9)) == 0
    shipment.failed("BROKEN", _at(10))
    assert shipment.wait_ns(_at(10)) == _SECOND // 2


_STEPS = st.lists(
    st.tuples(st.sampled_from(("write", "take", "fail", "look")), st.integers(0, 9), st.floats(0, 15)), max_size=60
)


@given(_STEPS)
def test_refusal_is_exactly_ten_seconds_without_acknowledgement_while_records_wait(
    steps: list[tuple[str, int, float]],
) -> None:
    now, written, taken, waiting_since = 0.0, 0, 0, None
    shipment = Shipment(GENESIS, 0, _REFUSE, _at(0))
    for step, count, seconds in steps:
        now += seconds
        match step:
            case "write":
                written += count
                shipment.note(written, _at(now))
                waiting_since = now if waiting_since is None and written > taken else waiting_since
            case "take":
                taken = min(written, taken + count)
                shipment.acknowledged(_head(taken), 0, _at(now))
                waiting_since = now if written > taken else None
            case "fail":
                shipment.failed("BUSY", _at(now))
            case _:
                shipment.note(written, _at(now))
        is_down = waiting_since is not None and _at(now).boot_ns - _at(waiting_since).boot_ns >= DOWN_NS
        assert bool(shipment.fault(_at(now))) == is_down
        assert shipment.unshipped == written - taken


_BATCHES = st.lists(st.one_of(st.integers(1, 900), st.just("take"), st.just("fail")), max_size=60)


@given(_BATCHES)
def test_a_spool_is_full_whenever_more_waits_than_it_may_whatever_the_sink_answers(steps: list[int | str]) -> None:
    waiting: list[int] = []
    written, taken = [0], 0
    shipment = Shipment(GENESIS, 0, _SPOOL, _at(0))
    for step in steps:
        match step:
            case int(size):
                waiting.append(size)
                written.append(written[-1] + size)
                shipment.wrote(len(written) - 1, written[-1])
            case "take" if waiting:
                taken += 1
                shipment.acknowledged(_head(taken), waiting.pop(0), _at(0))
            case _:
                shipment.failed("BROKEN", _at(0))
        assert bool(shipment.fault(_at(0))) is (sum(waiting) > 1_000)
