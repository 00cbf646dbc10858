"""Globs: their language, and their answers beside a matcher that is slow and obviously right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.glob import (
    MAX_PATTERN,
    MAX_SEGMENTS,
    MAX_TEXT,
    PatternError,
    check_name,
    check_path,
    check_segments,
    is_canonical,
    matches_name,
    matches_path,
)


def slow_name(pattern: str, text: str) -> bool:
    """Tries every length for every star."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slow_name(pattern[1:], text[taken:]) for taken in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and slow_name(pattern[1:], text[1:])


def slow_segments(pattern: list[str], path: list[str]) -> bool:
    """Tries every number of segments for every `**`."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(slow_segments(pattern[1:], path[taken:]) for taken in range(len(path) + 1))
    return bool(path) and slow_name(pattern[0], path[0]) and slow_segments(pattern[1:], path[1:])


_PIECES = st.text(alphabet="ab*?.", min_size=1, max_size=5).filter(lambda piece: "**" not in piece)
_PATTERNS = st.lists(st.one_of(st.just("**"), _PIECES), min_size=1, max_size=5)
_PATHS = st.lists(st.text(alphabet="ab.", min_size=1, max_size=5), min_size=1, max_size=6)


@settings(max_examples=800)
@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=6))
def test_a_name_is_matched_as_the_slow_matcher_does(pattern: str, name: str) -> None:
    # The one difference: no name is empty, so that an empty text fits no wildcard.
    expected = slow_name(pattern, name) and (bool(name) or not pattern)
    assert matches_name(pattern, name) is expected


@settings(max_examples=800)
@given(_PATTERNS, _PATHS)
def test_a_path_is_matched_as_the_slow_matcher_does(pattern: list[str], path: list[str]) -> None:
    assert matches_path("/" + "/".join(pattern), "/" + "/".join(path)) is slow_segments(pattern, path)


@settings(max_examples=500)
@given(_PATTERNS, st.data())
def test_a_path_grown_from_a_pattern_fits_it(pattern: list[str], data: st.DataObject) -> None:
    grown: list[str] = []
    for segment in pattern:
        if segment == "**":
            grown += data.draw(st.lists(st.text(alphabet="xyz", min_size=1, max_size=3), max_size=3))
        else:
            grown.append(segment.replace("*", data.draw(st.sampled_from(["x", "ab"]))).replace("?", "z"))
    if grown:
        assert matches_path("/" + "/".join(pattern), "/" + "/".join(grown))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/etc/**", "/etc", True),
        ("/etc/**", "/etc/a/b", True),
        ("/etc/**", "/etcetera", False),
        ("/etc/*", "/etc", False),
        ("/etc/*", "/etc/a", True),
        ("/etc/*", "/etc/a/b", False),
        ("/etc/*", "/etc/.hidden", True),
        ("/**", "/", True),
        ("/", "/", True),
        ("/", "/a", False),
        ("/**/key", "/key", True),
        ("/**/key", "/a/b/key", True),
        ("/a/**/b/**/c", "/a/b/b/x/c", True),
        ("/a?c", "/abc", True),
        ("/a?c", "/a/c", False),
        ("/A", "/a", False),
        ("/a*", "/a\nb", True),
        ("/*a*a*", "/a", False),
        ("/*a*a*", "/xaya", True),
        ("/a*a", "/a", False),
        ("/a/*", "/a/", False),
        ("/a/**", "/a//b", False),
        ("/a/*/b", "/a//b", False),
        ("/a.b", "/axb", False),
        ("/a?", "/a\u00e9", True),
        ("/a?", "/a\udcff", True),
    ],
)
def test_paths_match_segment_by_segment(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches_path(pattern, path) is expected


def test_a_slash_in_a_name_is_a_character_like_any_other() -> None:
    assert matches_name("kworker*", "kworker/0:1")


@pytest.mark.parametrize("pattern", ["", "a[b]", "a{b,c}", "a\\*", "a" * (MAX_PATTERN + 1)])
def test_a_pattern_outside_the_language_is_refused_everywhere(pattern: str) -> None:
    for check in (check_name, check_path, check_segments):
        with pytest.raises(PatternError):
            check(pattern)


def test_a_double_star_is_a_whole_segment_of_a_path_and_nothing_in_a_name() -> None:
    for pattern in ("/a**", "/**a", "/a/***"):
        with pytest.raises(PatternError, match="whole segment"):
            check_path(pattern)
    with pytest.raises(PatternError, match="whole path segments"):
        check_name("**")
    check_path("/a/**/b")


@pytest.mark.parametrize(
    "pattern", ["etc/*", "/etc/", "/etc//a", "/etc/../a", "/./a", "*", "**", "/" + "a/" * MAX_SEGMENTS]
)
def test_a_path_pattern_that_no_canonical_path_can_fit_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        check_path(pattern)


def test_only_plain_absolute_paths_are_canonical() -> None:
    assert all(map(is_canonical, ["/", "/a", "/a/.b/..c", "/" + "a" * (MAX_TEXT - 1)]))
    assert not any(
        map(is_canonical, ["", "a", "./a", "//", "//a", "/a/", "/a/.", "/a/../b", "/a\0", "/" + "a" * MAX_TEXT])
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/" + "*a" * 100 + "b", "/" + "a" * (MAX_TEXT - 1)),
        ("/" + "**/a/" * 15 + "b", "/a" * (MAX_TEXT // 2)),
        ("/**/" + "*a*/" * 28 + "b", "/a" * (MAX_TEXT // 2)),
        ("/*" + "?" * 250 + "b*", "/" + "a" * (MAX_TEXT - 1)),
        ("/*" + "a?" * 120 + "b*", "/" + "a" * (MAX_TEXT - 1)),
    ],
)
def test_a_hostile_path_of_4096_bytes_is_answered(pattern: str, path: str) -> None:
    # A matcher that backtracks would need longer than the age of the universe here.
    check_path(pattern)
    assert matches_path(pattern, path) is False


def test_longer_text_than_any_path_fits_nothing() -> None:
    assert not matches_name("*", "a" * (MAX_TEXT + 1))
    assert not matches_path("/**", "/" + "a" * MAX_TEXT)
