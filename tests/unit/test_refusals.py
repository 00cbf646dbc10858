"""A flood of refusals costs a record a minute, and no refusal is lost from the count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.refusals import MAX_CALLERS, MAX_RECORDED, OTHERS, Flood, RefusalLedger
from leadglass_agent.clock import Instant

_SECOND = 1_000_000_000


def _at(second: int) -> Instant:
    return Instant(boot_ns=second * _SECOND, unix_ns=0)


def test_the_first_of_a_minute_are_recorded_one_by_one_and_the_rest_are_counted() -> None:
    ledger = RefusalLedger()
    recorded = [ledger.is_recorded("mallory", _at(5)) for _ in range(MAX_RECORDED + 30)]
    assert recorded == [True] * MAX_RECORDED + [False] * 30
    assert ledger.is_recorded("alice", _at(5))
    assert ledger.summaries(_at(64)) == ()
    assert ledger.summaries(_at(65)) == (Flood("mallory", calls=30, since_boot_ns=5 * _SECOND),)
    assert ledger.summaries(_at(500)) == ()


def test_callers_beyond_the_bound_are_counted_together() -> None:
    ledger = RefusalLedger()
    callers = [f"caller-{number}" for number in range(MAX_CALLERS + 5)]
    for caller in callers:
        while ledger.is_recorded(caller, _at(1)):
            pass
    left = {flood.caller: flood.calls for flood in ledger.close()}
    assert len(left) == MAX_CALLERS + 1
    assert left[OTHERS] == 5


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(1, 400)), max_size=40))
def test_every_refusal_is_recorded_or_in_a_summary(steps: list[tuple[str, int, int]]) -> None:
    ledger = RefusalLedger()
    second = recorded = summed = made = 0
    for caller, pause, calls in steps:
        second += pause * 30
        made += calls
        recorded += sum(ledger.is_recorded(caller, _at(second)) for _ in range(calls))
        summed += sum(flood.calls for flood in ledger.summaries(_at(second)))
    assert recorded + summed + sum(flood.calls for flood in ledger.close()) == made
