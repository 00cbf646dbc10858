"""Many values are found wherever they stand again in a window, whichever way they are looked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction.echo import Echoes, echoes
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.spans import Span, merge

_RULE = RuleId("password")
_APART = [b"kQ%03dxZ" % number for number in range(90)]
_ALIKE = [b"%03dvT9pLm2w" % number for number in range(90)]
_WORDS = [b"velvet" + bytes((97 + number // 9, 97 + number % 9)) for number in range(81)]
_FILLER = b"2026-03-14 09:27:01 request completed in 12 ms\n" * 300


def _looked_for(values: list[bytes], text: bytes, cut: int = 0, most: int = 100_000) -> tuple[list[Span], int]:
    """Gives what a window finds whose rules have found each value once, at its beginning."""
    head = b" ".join(values) + b"\n"
    spans = []
    for value in values:
        start = head.index(value)
        spans.append(Span(start, start + len(value), 40, _RULE))
    found: list[Span] = []
    end = Echoes().fresh(head + text, cut, spans, found, most)
    return found, end


def _places(spans: list[Span]) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in merge(spans)]


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([_APART, _ALIKE, _WORDS]),
    st.lists(st.tuples(st.integers(0, 80), st.sampled_from([b"", b" ", b"x", b"\0"])), max_size=60),
)
def test_many_values_are_found_as_one_by_one(values: list[bytes], places: list[tuple[int, bytes]]) -> None:
    text = _FILLER + b"".join(values[number] + between for number, between in places)
    found, end = _looked_for(values, text)
    whole = b" ".join(values) + b"\n" + text
    assert _places(found) == _places(echoes(whole, dict.fromkeys(values, _RULE)))
    assert end == len(whole)


@pytest.mark.parametrize("values", [_APART, _ALIKE, _WORDS], ids=["apart", "alike", "words"])
def test_a_value_that_ends_behind_the_cut_is_found_and_one_before_it_is_not(values: list[bytes]) -> None:
    head = len(b" ".join(values)) + 1
    text = b" " + values[3] + b" " + values[3] + b" " + _FILLER
    first = head + 1
    second = first + len(values[3]) + 1
    for cut, wanted in ((first, [first, second]), (first + len(values[3]), [second])):
        assert [span.start for span in _looked_for(values, text, cut)[0]] == wanted


@pytest.mark.parametrize("values", [_APART, _ALIKE], ids=["apart", "alike"])
def test_a_window_with_too_many_echoes_ends_at_the_last_that_was_wanted(values: list[bytes]) -> None:
    found, end = _looked_for(values, _FILLER + values[5] * 500, most=200)
    assert len(found) == 200
    assert end == max(span.end for span in found)
