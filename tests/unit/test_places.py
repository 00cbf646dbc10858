"""One caller holds no more than its part of the places, and gives back each that it took."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from leadglass_agent.api.places import MAX_CALLS, Places, call_places
from leadglass_agent.errors import RateLimited
from leadglass_agent.policy.model import SpiffeId

_ALICE, _BOB = SpiffeId("spiffe://test/alice"), SpiffeId("spiffe://test/bob")


def _take_all(places: Places, caller: SpiffeId, stack: ExitStack) -> int:
    taken = 0
    while taken <= MAX_CALLS:
        try:
            stack.enter_context(places.taken(caller))
        except RateLimited:
            break
        taken += 1
    return taken


def test_a_caller_who_takes_all_that_it_gets_leaves_places_for_others() -> None:
    places = call_places()
    with ExitStack() as stack:
        first = _take_all(places, _ALICE, stack)
        assert 0 < first <= MAX_CALLS // 3
        assert _take_all(places, _BOB, stack) == first
    with ExitStack() as stack:
        assert _take_all(places, _ALICE, stack) == first


def test_there_are_no_more_places_than_in_all() -> None:
    places = call_places()
    with ExitStack() as stack:
        taken = sum(_take_all(places, SpiffeId(f"spiffe://test/{number}"), stack) for number in range(20))
        assert taken == MAX_CALLS


def test_a_place_comes_back_when_the_call_fails() -> None:
    places = Places("calls", 1, 1)
    for _ in range(3):
        with pytest.raises(KeyError), places.taken(_ALICE):
            raise KeyError
