"""The beginning of a line tells whether it is an entry of a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.entries import is_entry, stretches
from redaction_corpus import HARMLESS

_LINES = st.one_of(st.binary(max_size=200), st.text('09: INFOWARN"level=[]\n\r-.', max_size=160).map(str.encode))


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-02 03:04:05 x",
        "Dec 10 06:55:46 host sshd[1]: x",
        "[Sun Dec 04 04:47:44 2005] x",
        "134681 node-246 unix.hw x",
        "- 1117838570 2005.06.03 x",
        "1131566461 x",
        "INFO server started",
        "[main] WARN  x",
        'level=info msg="x"',
        '{"level":"info","msg":"x"}',
        "ts=1741944422.1 x",
        "NOTICE x",
    ],
)
def test_a_time_a_level_or_a_long_number_heads_an_entry(line: str) -> None:
    assert is_entry(line.encode(), 0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "password: x",
        "bob / x",
        "key = 12",
        "port: 5432",
        "see page 1234",
        "the code is 123456",
        "the code 123456 is new",
        "8080 is the port",
        "ratio 3:4",
        "a1234567890b",
        "information about levels",
        "x" * 128 + " 03:04:05",
        "user\n03:04:05 x",
    ],
)
def test_any_other_line_is_none(line: str) -> None:
    assert not is_entry(line.encode(), 0)


def test_most_lines_of_logs_are_entries() -> None:
    lines = [line.encode() for line in HARMLESS if line.startswith(("2026-", "Mar ", "level=", '{"level"'))]
    assert len(lines) > 10
    assert [line for line in lines if not is_entry(line, 0)] == []


@given(_LINES, st.binary(max_size=40), st.binary(max_size=40))
def test_a_line_is_judged_by_its_own_bytes_alone(line: bytes, before: bytes, behind: bytes) -> None:
    line = line.replace(b"\0", b" ").replace(b"\r", b" ").partition(b"\n")[0] + b"\n"
    assert is_entry(before + line + behind, len(before)) == is_entry(line, 0)


def _kinds(data: bytes) -> list[bool]:
    """Says of each line whether it lies in a stretch of entries."""
    kinds = []
    ends = stretches(data)
    position = 0
    for line in data.split(b"\n"):
        if position < len(data):
            kinds.append(sum(end <= position for end in ends) % 2 == 0)
        position += len(line) + 1
    return kinds


_SAMPLES = [
    b"2026-01-02 03:04:05 x",
    b"2026-01-02 03:04:06 y",
    b"Dec 10 06:55:46 host",
    b"INFO started",
    b"1131566461 x",
    b"password: x",
    b"2026-01-02 is a day",
    b"bob / x",
    b"",
    b"x",
]


@given(st.lists(st.sampled_from(_SAMPLES), max_size=12), st.sampled_from([b"", b"\n"]))
def test_lines_of_one_kind_are_read_as_one_stretch(lines: list[bytes], end: bytes) -> None:
    data = b"\n".join(lines) + end
    wanted = [is_entry(line, 0) for line in data.split(b"\n")]

    kinds = _kinds(data)
    assert kinds == wanted[: len(kinds)]


def test_a_time_in_the_column_of_the_line_before_is_one_on_its_own_line_alone() -> None:
    assert _kinds(b"2026-01-02 03:04:05 x\nbob\n2026-01-02 03:04:05 x\n") == [True, False, True]
    assert _kinds(b"x 03:04:05\nbob\n03:04:05\n") == [True, False, True]
    assert _kinds(b"x 03:04:05\nab\n1:23 x\n") == [True, False, True]


@pytest.mark.parametrize("entries", [1, 31, 32, 33, 400])
def test_a_long_part_without_entries_is_found_however_long_the_log_before_it(entries: int) -> None:
    log, others = _SAMPLES[0] + b"\n", b"user bob\n" * 300
    data = log * entries + others + log * entries

    assert _kinds(data) == [True] * entries + [False] * 300 + [True] * entries


def test_a_line_among_thousands_of_entries_may_count_as_one_and_no_other_does() -> None:
    log = _SAMPLES[0] + b"\n"
    kinds = _kinds(log * 2000 + b"user bob\n" + log * 2000)

    assert kinds[:2000] + kinds[2001:] == [True] * 4000


@given(_LINES)
def test_stretches_take_turns_and_end_with_the_text(data: bytes) -> None:
    ends = stretches(data)

    assert ends == sorted(ends)
    assert ends[-1] == len(data)
    assert all(end == 0 or data[end - 1] == 0x0A for end in ends[:-1])
