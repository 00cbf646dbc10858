"""Closed connections cost a record a minute for each source, and none is lost from the sums."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.abuse import MAX_SOURCES, OTHER_SOURCES, Abuse, AbuseCause, AbuseLedger
from leadglass_agent.clock import Instant

_SECOND = 1_000_000_000


def _at(second: int) -> Instant:
    return Instant(boot_ns=second * _SECOND, unix_ns=0)


def test_the_first_is_recorded_at_once_and_the_rest_a_minute_later() -> None:
    ledger = AbuseLedger()
    ledger.count("mallory", AbuseCause.FLOODING, _at(5))
    assert ledger.due(_at(6)) == (Abuse("mallory", ((AbuseCause.FLOODING, 1),), 5 * _SECOND),)
    for second in range(7, 60):
        ledger.count("mallory", AbuseCause.FLOODING, _at(second))
        ledger.count("mallory", AbuseCause.CROWDING, _at(second))
        assert ledger.due(_at(second)) == ()
    sums = ((AbuseCause.CROWDING, 53), (AbuseCause.FLOODING, 53))
    assert ledger.due(_at(66)) == (Abuse("mallory", sums, 7 * _SECOND),)
    assert ledger.due(_at(500)) == ()
    assert ledger.close() == ()


def test_sources_beyond_the_bound_are_counted_together() -> None:
    ledger = AbuseLedger()
    for number in range(MAX_SOURCES + 5):
        ledger.count(f"10.0.0.{number}", AbuseCause.SILENCE, _at(1))
    left = {abuse.source: dict(abuse.connections) for abuse in ledger.close()}
    assert len(left) == MAX_SOURCES + 1
    assert left[OTHER_SOURCES] == {AbuseCause.SILENCE: 5}


_STEPS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(AbuseCause), st.integers(0, 40)), max_size=300)


@given(_STEPS)
def test_every_connection_is_in_one_record_and_a_source_has_one_a_minute(
    steps: list[tuple[int, AbuseCause, int]],
) -> None:
    ledger, second = AbuseLedger(), 0
    taken: list[tuple[int, Abuse]] = []
    for source, cause, pause in steps:
        second += pause
        ledger.count(str(source), cause, _at(second))
        taken += ((second, abuse) for abuse in ledger.due(_at(second)))
    minutes = {source: [at for at, abuse in taken if abuse.source == source] for source in {a.source for _, a in taken}}
    assert all(later - before >= 60 for at in minutes.values() for before, later in pairwise(at))
    sums = [*(abuse for _, abuse in taken), *ledger.close()]
    assert sum(count for abuse in sums for _, count in abuse.connections) == len(steps)
