"""What counts as interference with the agent's processes, and what a container's surroundings may change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leadglass_agent.processes.interference import Vitals, compared, is_suspect
from leadglass_agent.processes.notices import Interfered, InterferenceCause
from leadglass_agent.sandbox.posture import Role

_FIRST = {
    role: Vitals(pid, "S", frozenset({0}), frozenset({0}), b"Max open files 1024 1024 files\n", b"0-3")
    for role, pid in ((Role.SUPERVISOR, 40), (Role.READER, 42), (Role.FRONT, 41))
}


def _with(role: Role, **changes: object) -> dict[Role, Vitals]:
    return {**_FIRST, role: replace(_FIRST[role], **changes)}  # type: ignore[arg-type] # names of its fields


@pytest.mark.parametrize("role", tuple(_FIRST))
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"nice": frozenset({0, 19})}, InterferenceCause.PRIORITY),
        ({"nice": frozenset({-5})}, InterferenceCause.PRIORITY),
        ({"policies": frozenset({0, 5})}, InterferenceCause.SCHEDULING),
        ({"limits": b"Max open files 8 1024 files\n"}, InterferenceCause.LIMITS),
    ],
)
def test_a_change_that_nobody_makes_by_accident_is_told_at_once(
    role: Role, changes: dict[str, object], cause: InterferenceCause
) -> None:
    now = _with(role, **changes)

    assert compared(_FIRST, _FIRST, now) == (Interfered(cause, role),)


@pytest.mark.parametrize("state", ["T", "t"])
def test_a_stop_counts_when_two_looks_see_it(state: str) -> None:
    stopped = _with(Role.SUPERVISOR, state=state)

    assert compared(_FIRST, _FIRST, stopped) == ()
    assert is_suspect(_FIRST, stopped)
    assert compared(_FIRST, stopped, stopped) == (Interfered(InterferenceCause.STOPPED, Role.SUPERVISOR),)
    assert compared(_FIRST, stopped, _FIRST) == ()


@pytest.mark.parametrize("state", "RSDI")
def test_a_process_that_runs_sleeps_or_is_frozen_with_all_others_is_not_stopped(state: str) -> None:
    now = {role: replace(vitals, state=state) for role, vitals in _FIRST.items()}

    assert compared(_FIRST, now, now) == ()
    assert not is_suspect(_FIRST, now)


def test_processors_that_change_for_all_are_the_clusters_and_no_interference() -> None:
    now = {role: replace(vitals, processors=b"2") for role, vitals in _FIRST.items()}

    assert compared(_FIRST, now, now) == ()


@pytest.mark.parametrize("role", tuple(_FIRST))
def test_one_process_that_is_kept_from_processors_that_the_others_have_is_told_when_it_stays_so(role: Role) -> None:
    pinned = _with(role, processors=b"1")

    assert compared(_FIRST, _FIRST, pinned) == ()
    assert is_suspect(_FIRST, pinned)
    assert compared(_FIRST, pinned, pinned) == (Interfered(InterferenceCause.SCHEDULING, role),)


def test_processes_that_never_shared_their_processors_are_not_compared() -> None:
    first = _with(Role.FRONT, processors=b"1")

    assert compared(first, first, first) == ()


def test_a_process_that_cannot_be_read_is_not_judged() -> None:
    now: dict[Role, Vitals] = {role: vitals for role, vitals in _FIRST.items() if role is not Role.SUPERVISOR}

    assert compared(_FIRST, _FIRST, now) == compared(now, now, _FIRST) == ()


def test_threads_that_end_change_nothing() -> None:
    first = _with(Role.FRONT, nice=frozenset({0, 5}))

    assert compared(first, first, _FIRST) == ()
