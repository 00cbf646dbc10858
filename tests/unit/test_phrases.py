"""A passphrase of plain words is told from prose by what no sentence does without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.phrases import is_phrase, is_prose_word

_NOUNS = ["timber", "rocket", "summer", "winter", "lemon", "harbor", "candle", "walnut"]


@pytest.mark.parametrize(
    "text", ["timber rocket summer winter", "timber-rocket-summer", "lemon harbor candle walnut summer"]
)
def test_words_that_no_sentence_joins_are_a_passphrase(text: str) -> None:
    assert is_phrase(text.encode(), 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the rocket and winter",
        "timber rocket",
        "timber rocket rocket summer",
        "timber rocket required",
        "timber rocket password",
        "timber rocket token",
        "timber rocket secret",
        "timber rocket passwort",
        "timber rocket null summer",
        "timber  rocket summer winter",
        "timber rocket Summer",
        "timber rocket 4711",
        "timber-rocket summer winter",
        "ti ro su wi",
        "extraordinarily rocket summer",
        " ".join(["timber", "rocket", *(f"{chr(97 + n)}lemon" for n in range(11))]),
    ],
)
def test_prose_and_what_is_no_list_of_words_is_none(text: str) -> None:
    assert not is_phrase(text.encode(), 3)


@given(st.lists(st.sampled_from(_NOUNS), min_size=1, max_size=12), st.integers(1, 12))
def test_a_passphrase_has_enough_words_and_none_twice(words: list[str], least: int) -> None:
    assert is_phrase(" ".join(words).encode(), least) == (len(words) >= least and len(set(words)) == len(words))


@pytest.mark.parametrize("word", ["the", "Failed", "rotation", "null", "TRUE", "required"])
def test_a_word_of_prose_is_known_in_any_case(word: str) -> None:
    assert is_prose_word(word.encode())


@pytest.mark.parametrize("word", _NOUNS)
def test_a_noun_is_no_word_of_prose(word: str) -> None:
    assert not is_prose_word(word.encode())
