"""Scripts are split into commands and words as a shell splits them, and each byte keeps its place."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.argv.shell import split


def _words(script: bytes) -> list[list[bytes]]:
    return [[word.text for word in command.words] for command in split(script)]


@given(st.lists(st.text("ab '\"\\$x;|<&\n", max_size=12), min_size=1, max_size=5))
def test_quoted_words_are_split_as_a_shell_splits_them(words: list[str]) -> None:
    script = " ".join(shlex.quote(word) for word in words).encode()
    assert [word.decode() for command in _words(script) for word in command] == words


@given(st.text("ab '\"\\$;|<>&(){}`\n#", max_size=80))
def test_each_byte_of_a_word_has_its_place_in_the_script(text: str) -> None:
    script = text.encode()
    for command in split(script):
        for word in command.words:
            places = [word.place(index) for index in range(len(word.text))]
            assert bytes(script[place] for place in places) == word.text
            assert places == sorted(set(places))


@given(st.binary(max_size=120))
def test_any_bytes_are_split(script: bytes) -> None:
    assert all(command.words for command in split(script))


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        (b"a b; c\nd && e || f & g", [[b"a", b"b"], [b"c"], [b"d"], [b"e"], [b"f"], [b"g"]]),
        (b"a 'b c'\"d e\"f\\ g", [[b"a", b"b cd ef g"]]),
        (b"a $'it\\'s' \"x\\\"y\\z\"", [[b"a", b"it's", b'x"y\\z']]),
        (b"a \\\n  b\\\nc", [[b"a", b"bc"]]),
        (b"(a; b) | { c; }", [[b"a"], [b"b"], [b"c"]]),
        (b"a <in >out 2>&1 &>all b", [[b"a", b"in", b"out", b"2", b"1", b"all", b"b"]]),
        (b"a <<< 'b c'", [[b"a", b"<<<", b"b c"]]),
        (b"a ${B} '$c' {d,e}", [[b"a", b"${B}", b"$c"], [b"d,e}"]]),
        (b"a 'open to the end", [[b"a", b"open to the end"]]),
        (b"a '' b", [[b"a", b"", b"b"]]),
    ],
)
def test_a_script_is_split_into_commands_and_words(script: bytes, commands: list[list[bytes]]) -> None:
    assert _words(script) == commands


def test_a_pipe_is_told_from_an_or() -> None:
    assert [command.is_piped for command in split(b"a | b |& c || d; (e; f) | g")] == [
        True, True, False, False, False, True, False
    ]  # fmt: skip
