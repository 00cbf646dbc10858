"""The catalogue's pattern language holds sequences of classes and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.catalogue.patterns import PatternError, parse


def _matches(pattern: str, text: bytes) -> bool:
    """Matches greedily, as the confirm step does."""
    position = 0
    for members, least, most in parse(pattern):
        count = 0
        while count < most and position < len(text) and members[text[position]]:
            position += 1
            count += 1
        if count < least:
            return False
    return position == len(text)


def test_a_class_with_its_repetitions_becomes_a_table_and_two_numbers() -> None:
    ((members, least, most),) = parse("[a-c]{2,5}")
    assert bytes(byte for byte in range(256) if members[byte]) == b"abc"
    assert (least, most) == (2, 5)


@pytest.mark.parametrize(
    ("pattern", "repetitions"),
    [("a", [(1, 1)]), ("[0-9]{8}", [(8, 8)]), (r"k\.[a-z]{0,3}", [(1, 1), (1, 1), (0, 3)]), ("", [])],
)
def test_an_item_stands_once_unless_it_says_otherwise(pattern: str, repetitions: list[tuple[int, int]]) -> None:
    assert [(least, most) for _, least, most in parse(pattern)] == repetitions


def test_a_dot_is_any_byte() -> None:
    ((members, least, most),) = parse(".")
    assert all(members)
    assert (least, most) == (1, 1)


@pytest.mark.parametrize(
    "pattern", ["a+", "a*", "a?", "(ab)", "a|b", "^a", "a$", "[a-z", "a{", "a{3,2}", "a{0}", "[z-a]", "é", "a{1,}"]
)
def test_whatever_is_no_sequence_of_classes_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern)


@given(
    st.lists(st.tuples(st.sampled_from(["[a-c]", "[0-9]", "x", r"\."]), st.integers(1, 4)), min_size=1, max_size=4),
    st.text("abc019x.", max_size=16),
)
def test_a_sequence_of_fixed_items_matches_what_its_regular_expression_matches(
    items: list[tuple[str, int]], text: str
) -> None:
    pattern = "".join(f"{item}{{{times}}}" for item, times in items)
    assert _matches(pattern, text.encode()) == (re.fullmatch(pattern, text) is not None)
