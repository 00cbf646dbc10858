"""Matches names and paths against globs in time that hostile input cannot blow up.

`*` stands for any run of characters and `?` for one, both within a segment; `**` as a whole segment stands for any
number of segments, none included. There are no classes, braces or escapes, so every other character means itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

MAX_PATTERN: Final = 256
MAX_SEGMENTS: Final = 32
MAX_TEXT: Final = 4096

_FOREIGN: Final = frozenset("[]{}\\")
_ANY_SEGMENTS: Final = "**"

# The pieces of a segment between its stars; None is `**`.
_Segment: TypeAlias = "tuple[str, ...] | None"


class PatternError(Exception):
    """A pattern that the language does not have; its text says why and echoes nothing of it."""


def check_name(pattern: str) -> None:
    """Raises PatternError unless `pattern` is a glob for one name."""
    _check(pattern)
    if _ANY_SEGMENTS in pattern:
        message = "'**' is for whole path segments; a name needs '*'"
        raise PatternError(message)


def check_path(pattern: str) -> None:
    """Raises PatternError unless `pattern` is a glob for absolute, canonical paths."""
    check_segments(pattern)
    if not is_canonical(pattern):
        message = "a path must be absolute, without empty, '.' or '..' segments and without a '/' at its end"
        raise PatternError(message)


def check_segments(pattern: str) -> None:
    """Raises PatternError unless `pattern` is a glob whose every `**` is a whole segment."""
    _check(pattern)
    segments = pattern.split("/")
    if len(segments) > MAX_SEGMENTS:
        message = f"a pattern has at most {MAX_SEGMENTS} segments"
        raise PatternError(message)
    if any(_ANY_SEGMENTS in segment and segment != _ANY_SEGMENTS for segment in segments):
        message = "'**' must be a whole segment"
        raise PatternError(message)


def is_canonical(path: str) -> bool:
    """Says whether a path is absolute, at most 4,096 characters, and names each of its segments plainly."""
    if not path.startswith("/") or len(path) > MAX_TEXT or "\0" in path:
        return False
    return path == "/" or not any(segment in {"", ".", ".."} for segment in path[1:].split("/"))


def plain(path: str) -> str:
    """Spells an absolute path as patterns do: without empty and '.' segments; '..' stays."""
    return "/" + "/".join(segment for segment in path.split("/") if segment not in {"", "."})


@lru_cache(maxsize=8192)
def matches_name(pattern: str, name: str) -> bool:
    """Says whether the whole of `name` fits; a slash in it is a character like any other."""
    return len(name) <= MAX_TEXT and _fits(_pieces(pattern), name)


def matches_path(pattern: str, path: str) -> bool:
    """Says whether `path` fits segment by segment; no wildcard stands for an empty segment."""
    if len(path) > MAX_TEXT:
        return False
    wanted, given = _segments(pattern), _split(path)
    at_pattern = at_path = 0
    resume_pattern = resume_path = -1
    while at_path < len(given):
        if at_pattern < len(wanted) and wanted[at_pattern] is None:
            at_pattern += 1
            resume_pattern, resume_path = at_pattern, at_path
            continue
        if at_pattern < len(wanted) and _fits(wanted[at_pattern] or (), given[at_path]):
            at_pattern += 1
            at_path += 1
            continue
        # Only the latest `**` has to grow: whatever an earlier one could still swallow, this one can too.
        if resume_pattern < 0 or not given[resume_path]:
            return False
        resume_path += 1
        at_pattern, at_path = resume_pattern, resume_path
    return all(segment is None for segment in wanted[at_pattern:])


def _check(pattern: str) -> None:
    if not pattern or len(pattern) > MAX_PATTERN:
        message = f"a pattern has 1 to {MAX_PATTERN} characters"
        raise PatternError(message)
    if not _FOREIGN.isdisjoint(pattern):
        message = "classes, braces and escapes are not part of a pattern: only '*', '?' and '**' are special"
        raise PatternError(message)


def _split(path: str) -> list[str]:
    return [""] if path == "/" else path.split("/")


@lru_cache(maxsize=4096)
def _segments(pattern: str) -> tuple[_Segment, ...]:
    return tuple(None if segment == _ANY_SEGMENTS else _pieces(segment) for segment in _split(pattern))


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("*"))


def _fits(pieces: tuple[str, ...], text: str) -> bool:
    if len(pieces) == 1:
        return len(pieces[0]) == len(text) and _stands_at(pieces[0], text, 0)
    first, *middle, last = pieces
    if not text or len(text) < len(first) + len(last):
        return False
    end = len(text) - len(last)
    if not _stands_at(first, text, 0) or not _stands_at(last, text, end):
        return False
    # Taking each piece at its leftmost place is enough: a later place only leaves less room for the rest.
    at = len(first)
    for piece in middle:
        at = _find(piece, text, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _stands_at(piece: str, text: str, at: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    return all(wanted in ("?", given) for wanted, given in zip(piece, text[at : at + len(piece)], strict=True))


def _find(piece: str, text: str, at: int, end: int) -> int:
    if "?" not in piece:
        return text.find(piece, at, end)
    places = range(at, end - len(piece) + 1)
    return next((place for place in places if _stands_at(piece, text, place)), -1)
