"""Which foreign processes are told alone and which in a sum: probes make few records, and hide nobody's shell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.views.foreign_reports import MAX_ALONE, ForeignReports, Report
from leadglass_agent.views.lineage import Finding, Foreign
from leadglass_agent.views.proc_text import Origin

_SECOND = 1_000_000_000
_LOOK = 2 * _SECOND


def _foreign(pid: int, name: bytes = b"sh", container: str = "a" * 12) -> Foreign:
    origin = Origin(pid, name, "S", 0, pid, False, 0, pid, 0)  # noqa: FBT003 - one record
    return Foreign(origin, Finding.NOT_DESCENDED, 10, container)


def _looks(*looks: tuple[Foreign, ...]) -> list[tuple[int, Report]]:
    """Takes one look after the other, two seconds apart; gives what was told, with the look's number."""
    reports = ForeignReports()
    return [
        (number, report) for number, running in enumerate(looks) for report in reports.take(running, number * _LOOK)
    ]


def test_a_shell_that_stays_is_told_once_within_ten_seconds() -> None:
    shell = _foreign(50)

    told = _looks(*[(shell,)] * 60)

    assert told == [(2, Report(shell, 1, stays=True))]
    # It came right after a look, and is told at the third one after it.
    assert (2 + 1) * _LOOK < 10 * _SECOND


@pytest.mark.parametrize(
    ("finding", "first_pid"), [(Finding.OWN_CONTAINER, 40), (Finding.OWN_CONTAINER, 0), (Finding.NOT_DESCENDED, 0)]
)
def test_where_no_probe_comes_a_process_is_told_one_look_later(finding: Finding, first_pid: int) -> None:
    program = replace(_foreign(50), finding=finding, first_pid=first_pid)

    assert _looks(*[(program,)] * 60) == [(1, Report(program, 1, stays=True))]


def test_a_short_process_is_told_as_soon_as_it_has_ended() -> None:
    assert _looks((_foreign(50),), ()) == [(1, Report(_foreign(50), 1, stays=False))]


def test_probes_of_one_kind_are_one_report_a_minute_with_their_number() -> None:
    told = _looks(*[(_foreign(100 + number),) for number in range(61)])

    assert [(number, report.processes) for number, report in told] == [(1, 1), (31, 30)]


def test_a_shell_that_stays_is_told_alone_among_probes_of_the_same_name() -> None:
    shell = _foreign(50)

    told = _looks(*[(_foreign(100 + number), *((shell,) if number >= 5 else ())) for number in range(20)])

    assert (7, Report(shell, 1, stays=True)) in told


def test_other_names_and_other_containers_are_told_apart() -> None:
    told = _looks((_foreign(1), _foreign(2, b"curl"), _foreign(3, container="b" * 12)), ())

    assert {report.foreign.origin.pid for _, report in told} == {1, 2, 3}


def test_a_flood_of_processes_that_stay_becomes_one_sum() -> None:
    flood = tuple(_foreign(pid) for pid in range(1, 201))

    told = _looks(*[flood] * 40)

    assert sum(report.stays for _, report in told) == MAX_ALONE
    assert sum(report.processes for _, report in told) == len(flood)
    assert len(told) <= MAX_ALONE + 2


def test_a_flood_in_one_container_takes_no_report_from_another() -> None:
    flood = tuple(_foreign(pid, f"sh{pid}".encode()) for pid in range(1, 61))
    shell = _foreign(500, container="b" * 12)

    told = _looks(flood, flood, flood, *[(*flood, shell)] * 5)

    assert Report(shell, 1, stays=True) in [report for _, report in told]


def test_a_program_that_becomes_another_is_told_under_the_name_that_it_has_then() -> None:
    told = _looks((_foreign(50, b"runc:[2:INIT]"),), (_foreign(50),), (_foreign(50),))

    assert [report.foreign.origin.name for _, report in told] == [b"sh"]


@given(st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=8, unique_by=lambda one: one[0])))
@settings(max_examples=300, deadline=None)
def test_every_process_is_told_or_counted_exactly_once(days: list[list[tuple[int, int]]]) -> None:
    # A number that comes again after a look without it is another process.
    looks: list[tuple[Foreign, ...]] = []
    lives: dict[int, int] = {}
    for number, day in enumerate(days):
        before = {one.origin.pid for one in looks[-1]} if looks else set[int]()
        for pid, _ in day:
            if pid not in before:
                lives[pid] = number
        names = (b"sh", b"curl", b"cat", b"ls")
        looks.append(tuple(_of(pid, lives[pid], names[kind]) for pid, kind in day))
    looks += [()] * 64  # more than a minute, after which nothing is untold

    told = _looks(*looks)

    assert sum(report.processes for _, report in told) == len({one.key for look in looks for one in look})


def _of(pid: int, life: int, name: bytes) -> Foreign:
    origin = Origin(pid, name, "S", 0, pid, False, 0, life, 0)  # noqa: FBT003 - as above
    return Foreign(origin, Finding.NOT_DESCENDED, 10, "a" * 12)
