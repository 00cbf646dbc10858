"""A connection has to go when it floods, or on a nearly full port if it is silent or above its caller's share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.abuse import AbuseCause
from leadglass_agent.access.crowd import Bounds, Closing, Crowd, Seen

_SECOND = 1_000_000_000
_MEBI = 1024 * 1024
_BOUNDS = Bounds(crowded=20, share=5)


def _seen(name: str, count: int, received: int = 0) -> list[Seen]:
    return [Seen(f"{name}:{number}", received, number) for number in range(count)]


def _calls(crowd: Crowd, seen: list[Seen], caller: str) -> None:
    for one in seen:
        crowd.called(one.peer, caller)


def _causes(closing: tuple[Closing, ...]) -> Counter[tuple[str, AbuseCause]]:
    return Counter((one.caller, one.cause) for one in closing)


def test_nothing_has_to_go_while_there_is_room() -> None:
    crowd = Crowd(_BOUNDS)
    seen = _seen("a", 19)
    _calls(crowd, seen[:12], "alice")
    assert crowd.look(seen, 0) == ()
    assert crowd.look(seen, 3_600 * _SECOND) == ()


def test_on_a_crowded_port_a_caller_keeps_its_newest_connections_up_to_its_share() -> None:
    crowd = Crowd(_BOUNDS)
    old, new, bobs = _seen("old", 10), _seen("new", 10), _seen("bob", 3)
    _calls(crowd, old, "alice")
    crowd.look(old, 0)
    _calls(crowd, new, "alice")
    _calls(crowd, bobs, "bob")
    closing = crowd.look([*new, *bobs, *old], _SECOND // 10)
    assert _causes(closing) == {("alice", AbuseCause.CROWDING): 15}
    assert {one.seen.peer for one in closing} >= {one.peer for one in old}
    assert sum(one.seen in new for one in closing) == 5


def test_on_a_crowded_port_what_is_silent_goes_once_it_had_time_to_shake_hands() -> None:
    crowd = Crowd(_BOUNDS)
    silent, bobs = _seen("silent", 25), _seen("bob", 5)
    _calls(crowd, bobs, "bob")
    assert crowd.look([*silent, *bobs], 0) == ()
    assert _causes(crowd.look([*silent, *bobs], _SECOND)) == {("", AbuseCause.SILENCE): 25}
    # Who called once stays known, however long ago that was.
    assert crowd.look([*_seen("other", 20), *bobs], 2 * _SECOND) == ()
    assert _causes(crowd.look([*_seen("other", 20), *bobs], 99 * _SECOND)) == {("", AbuseCause.SILENCE): 20}


def test_a_port_without_callers_says_so_by_its_own_cause() -> None:
    crowd = Crowd(Bounds(crowded=20, share=20, silence=AbuseCause.PROBES))
    probes = _seen("probe", 20)
    crowd.look(probes, 0)
    assert _causes(crowd.look(probes, _SECOND)) == {("", AbuseCause.PROBES): 20}


def test_a_flood_goes_at_once_and_as_much_over_hours_does_not() -> None:
    crowd = Crowd(_BOUNDS)
    crowd.called("a:0", "alice")
    assert crowd.look(_seen("a", 1), 0) == ()
    for second in range(1, 100):
        assert crowd.look(_seen("a", 1, second * _MEBI), second * _SECOND) == ()
    assert _causes(crowd.look(_seen("a", 1, (99 + 10) * _MEBI), 100 * _SECOND)) == {("alice", AbuseCause.FLOODING): 1}


def test_a_connection_that_comes_again_begins_anew() -> None:
    crowd = Crowd(_BOUNDS)
    crowd.look(_seen("a", 1, 3 * _MEBI), 0)
    crowd.look([], 1)
    assert crowd.look(_seen("a", 1, 3 * _MEBI), 2) == ()


_LOOKS = st.lists(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20 * _MEBI), st.sampled_from(["", "a", "b"])), max_size=60),
    max_size=6,
)


@given(_LOOKS)
def test_a_look_closes_what_it_saw_and_leaves_no_caller_above_its_share_of_a_crowd(
    looks: list[list[tuple[int, int, str]]],
) -> None:
    crowd = Crowd(_BOUNDS)
    names: dict[str, str] = {}
    for second, look in enumerate(looks):
        seen = [Seen(f"p:{peer}", received, peer) for peer, received, _ in {one[0]: one for one in look}.values()]
        names = {one.peer: names.get(one.peer, "") for one in seen}
        for peer, _, caller in look:
            if caller:
                crowd.called(f"p:{peer}", caller)
                names[f"p:{peer}"] = caller
        closing = crowd.look(seen, second * 2 * _SECOND)
        gone = [one.seen for one in closing]
        assert len(set(gone)) == len(gone)
        assert set(gone) <= set(seen)
        left = [one for one in seen if one not in gone]
        if len(seen) - sum(one.cause is AbuseCause.FLOODING for one in closing) >= _BOUNDS.crowded:
            held = Counter(names[one.peer] for one in left)
            assert all(count <= _BOUNDS.share for caller, count in held.items() if caller)
