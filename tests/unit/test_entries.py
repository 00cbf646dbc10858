"""The beginning of a line tells whether it is an entry of a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.entries import is_entry
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
