"""Text that others chose is escaped and capped before it is written."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import any_text
from leadglass_agent.audit.text import json_bytes, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, 'quoted' \"twice\" ~!", "plain text, 'quoted' \"twice\" ~!"),
        ("grüße 東京 🙂", "grüße 東京 🙂"),
        ("\x1b[2Jgone\r\n\t\x00\x7f", "\\x1b[2Jgone\\x0d\\x0a\\x09\\x00\\x7f"),
        ("\x85\x9b", "\\u0085\\u009b"),
        ("\u202egpj.exe\u2066\u200b\ufeff", "\\u202egpj.exe\\u2066\\u200b\\ufeff"),
        ("a\u2028b\u2029c\u00a0d", "a\\u2028b\\u2029c\\u00a0d"),
        ("\udc85\udcff", "\\x85\\xff"),
        ("\ud800\udfff", "\\ud800\\udfff"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164\u115f\ufe0f\u034f", "\\u3164\\u115f\\ufe0f\\u034f"),
        ("\\x1b", "\\\\x1b"),
    ],
)
def test_a_character_that_could_fool_a_reader_is_escaped_and_others_are_kept(text: str, expected: str) -> None:
    assert shown(text, 1_000) == (expected, False)


@given(any_text, st.integers(0, 300))
def test_shown_text_is_visible_and_never_takes_more_json_than_its_cap(text: str, cap: int) -> None:
    result, was_cut = shown(text, cap)

    encoded = json.dumps(result)[1:-1]
    assert len(encoded) == json_bytes(result) <= cap
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in result)
    assert was_cut == (result != shown(text, 10_000)[0])


@given(any_text, any_text)
def test_two_different_texts_never_look_the_same(one: str, other: str) -> None:
    assert (shown(one, 10_000) == shown(other, 10_000)) == (one == other)


@given(st.integers(0, 60))
def test_an_escape_is_never_cut_in_two(cap: int) -> None:
    result, _ = shown("\x1b\u202e\U000e0041\\\udc80" * 3, cap)

    whole = "\\x1b\\u202e\\U000e0041\\\\\\x80" * 3
    assert whole.startswith(result)
    assert whole[: len(result)] in {whole[:end] for end in _ends_of_escapes()}


def _ends_of_escapes() -> list[int]:
    ends = [0]
    for _ in range(3):
        for length in (4, 6, 10, 2, 4):
            ends.append(ends[-1] + length)
    return ends
