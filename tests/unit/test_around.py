"""What stands around a secret is read with more suspicion, as far as its paragraph goes and no further."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction.around import read_around
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.spans import Span, merge
from planted_text import VALUE, shown

_RULE = RuleId("password")
_MOST = 256
# Around so many secrets of a window.
_PLACES = 4
# A word of small letters with a number: no rule names it, and beside a word for a secret it may be one.
_SECOND = b"Enable: wren" + b"88"


def _placed(places: list[tuple[int, int]]) -> list[Span]:
    return [Span(start, start + length, 1, _RULE) for start, length in places]


def _added(text: bytes) -> list[bytes]:
    """Gives what is masked around the value in the text."""
    data = text.replace(b"@@", VALUE.encode())
    start = data.find(VALUE.encode())
    added: list[Span] = []
    read_around(data, [Span(start, start + len(VALUE), 1, _RULE)], added)
    return [data[span.start : span.end] for span in added]


@pytest.mark.parametrize(
    "text",
    [
        b"password = @@\n##\n",
        b"##\npassword = @@\n",
        b"password = @@\nhost db\n##\n",
        b"password = @@ ##",
        b"## password = @@",
        b"host\n\n##\nuser bob\npassword = @@",
    ],
)
def test_a_second_secret_of_a_paragraph_is_found(text: bytes) -> None:
    assert _added(text.replace(b"##", _SECOND)) == [_SECOND[-6:]]


@pytest.mark.parametrize(
    "text",
    [
        b"password = @@\n\n##\n",
        b"password = @@\n \t\n##\n",
        b"password = @@\n2026-03-14 09:30:01 INFO ##\n",
        b'password = @@\n{"level":"info"} ##\n',
        b"password = @@\n[core] ##\n",
        b"password = @@\n" + b"host db\n" * 9 + b"##\n",
        b"password = @@\n" + b"host db " * 60 + b"##\n",
        b"##\n\npassword = @@\n",
        b"##\n[core] password = @@\n",
        b"2026-03-14 ##\npassword = @@\n",
        b"##\n" + b"host db\n" * 40 + b"password = @@\n",
        b"##\n" + b"host db " * 60 + b"password = @@\n",
    ],
)
def test_nothing_is_read_beyond_the_paragraph_or_in_another_entry_of_a_log(text: bytes) -> None:
    assert _added(text.replace(b"##", _SECOND)) == []


def test_a_second_secret_of_an_entry_of_a_log_is_masked_and_stays_where_there_is_no_first() -> None:
    time, second = "2026-03-14 09:30:00 INFO ", _SECOND.decode()

    assert (
        shown(f"{time}password={VALUE} {second}") == f"{time}password=[redacted:password] Enable: [redacted:token-like]"
    )
    assert shown(f"{time}host=db {second}") == f"{time}host=db {second}"


def test_what_was_found_around_a_secret_stays_found_when_the_lines_before_are_read() -> None:
    text = f"city paris4you\n2026-03-14 09:30:00 INFO password={VALUE} {_SECOND.decode()}\n"

    assert _SECOND[-6:].decode() not in shown(text)


_PARTS = [b"password: ", b"kQ7vT9" + b"xLm2pR", b"wren" + b"88", b"\n", b" ", b"=", b"2026-01-02 03:04:05 "]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(_PARTS)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=20),
)
def test_what_is_added_lies_within_the_text_in_order_and_apart_from_what_was_known(
    parts: list[bytes], places: list[tuple[int, int]]
) -> None:
    data = b"".join(parts) + b"."
    spans = merge(
        _placed([(start % len(data), 1 + length % (len(data) - start % len(data))) for start, length in places])
    )
    added: list[Span] = []
    read_around(data, spans, added)

    assert spans or not added
    assert all(0 <= span.start < span.end <= len(data) for span in added)
    assert all(before.end <= behind.start for before, behind in pairwise(added))
    assert not any(known.start < span.end and span.start < known.end for span in added for known in spans)


def test_a_window_gets_a_bounded_number_of_spans_more() -> None:
    part = b"password=kQ7v " + b"Enable: wren88 " * 30 + b"\n\n"
    data = part * 100
    added: list[Span] = []
    read_around(data, [Span(start + 9, start + 13, 1, _RULE) for start in range(0, len(data), len(part))], added)

    assert 0 < len(added) <= _MOST
    assert {span.start // len(part) for span in added} == set(range(_PLACES))


def test_a_table_that_reaches_beyond_what_a_window_reads_is_masked() -> None:
    rows = [f"bob,kQ7vT9x{number}m,{'token=' * 300}\n" for number in range(100, 160)]
    out = shown("user,password,note\n" + "".join(rows))

    assert "kQ7vT9x" not in out
    assert out.count("bob,[redacted:") == len(rows)
