"""Finds one text for each way in which sets of globs can be told apart by a text.

Whether a text fits a glob depends on nothing but the text, so that texts which fit exactly the same sets of globs are
alike to every rule that is made of these sets. The globs of all sets are walked at once, character by character and
segment by segment, as one automaton: its states are what is left of each glob, its steps are the characters that some
glob is waiting for and one that none is. Every text leads to one of the states, and each state that is reached gives
the first text that led there. Nothing is sampled: where there are too many states, TooManyMembersError says so.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MAX_STATES: Final = 20_000
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
_FURTHER: Final = range(0xA1, 0xD800)
_SCHEME: Final = "spiffe://"
_DOTS: Final = frozenset({".", ".."})
_DELETED: Final = " (deleted)"

# What is left of a glob: (number of its set, its last characters), or (number of its set, its last segments).
_Left: TypeAlias = "tuple[int, str]"
_LeftSegments: TypeAlias = "tuple[int, tuple[str, ...]]"
_Groups: TypeAlias = "tuple[frozenset[str], ...]"


class TooManyMembersError(Exception):
    """The globs tell more texts apart than can be looked at one by one."""


def name_members(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Gives a name for each way in which names fit the sets, one that fits none of them and the empty one included."""
    return (*_words(_unique(groups)).values(), "")


def path_members(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Gives a canonical path for each way in which paths fit the sets."""
    sets = _unique(groups)
    patterns = [{tuple(glob.split("/")[1:]) if glob != "/" else () for glob in group} for group in sets]
    return tuple("/" + "/".join(segments) for segments in _segment_lists(patterns, least=0))


def executable_members(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Gives a path like `path_members`, also where it matters what is before the kernel's mark of a deleted file."""
    sets = [tuple(sorted(group)) for group in _unique(groups)]
    marked = [tuple(chain.from_iterable(_marked(glob) for glob in group)) for group in sets]
    dots = [("/**/." + _DELETED, "/**/.." + _DELETED, "/" + _DELETED)] if sets else []
    return path_members([*sets, *marked, *dots])


def caller_members(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Gives a SPIFFE id for each way in which callers fit the sets."""
    patterns = [{tuple(glob.removeprefix(_SCHEME).split("/")) for glob in group} for group in _unique(groups)]
    return tuple(_SCHEME + "/".join(segments) for segments in _segment_lists(patterns, least=2))


def _unique(groups: Iterable[Sequence[str]]) -> _Groups:
    return tuple(dict.fromkeys(frozenset(group) for group in groups if group))


def _marked(glob: str) -> Iterator[str]:
    """Writes the globs of the paths that a glob fits, with the mark behind them."""
    base = glob
    while base.endswith("/**"):
        base = base.removesuffix("/**")
    yield (base or "/") + _DELETED
    if base != glob:
        yield base + "/**/?*" + _DELETED


@lru_cache(maxsize=4096)
def _words(groups: _Groups) -> dict[frozenset[int], str]:
    """Gives a text of one character or more for each set of groups that a text can fit at once."""
    start = _settled({(number, glob) for number, group in enumerate(groups) for glob in group})
    seen = {start}
    found: dict[frozenset[int], str] = {}
    waiting = deque([(start, "")])
    while waiting:
        state, text = waiting.popleft()
        awaited = {left[0] for _, left in state if left and left[0] not in "*?"}
        other = _other_than(awaited)
        for character in (other, *sorted(awaited)):
            after = _settled(_step(state, character))
            longer = text + character
            found.setdefault(frozenset(number for number, left in after if not left), longer)
            if after not in seen:
                seen.add(after)
                _check(len(seen))
                waiting.append((after, longer))
    return found


def _step(state: frozenset[_Left], character: str) -> set[_Left]:
    after = {(number, left) for number, left in state if left.startswith("*")}
    return after | {(number, left[1:]) for number, left in state if left and left[0] in ("?", character)}


def _settled(state: set[_Left]) -> frozenset[_Left]:
    """Adds what is left when a star stands for nothing, and forgets what cannot change the answer any more."""
    reached = set(state)
    for number, left in state:
        rest = left
        while rest.startswith("*"):
            rest = rest[1:]
            reached.add((number, rest))
    certain = {number for number, left in reached if left == "*"}
    return frozenset((number, left) for number, left in reached if number not in certain or left in ("*", ""))


def _segment_lists(patterns: list[set[tuple[str, ...]]], least: int) -> Iterator[tuple[str, ...]]:
    """Yields segments, at least so many, for each set of groups that a path can fit at once."""
    start = _settled_segments({(number, left) for number, group in enumerate(patterns) for left in group})
    seen = {start}
    found: set[frozenset[int]] = set()
    waiting: deque[tuple[frozenset[_LeftSegments], tuple[str, ...]]] = deque([(start, ())])
    # Ids shorter than `least` do not exist; what they fit is met again by longer ones, or does not exist either.
    while waiting:
        state, segments = waiting.popleft()
        fitted = frozenset(number for number, left in state if not left)
        if len(segments) >= least and fitted not in found:
            found.add(fitted)
            yield segments
        for after, segment in _next_segments(state):
            key = after if len(segments) + 1 >= least else after | {(-1, (str(len(segments)),))}
            if key not in seen:
                seen.add(key)
                _check(len(seen))
                waiting.append((after, (*segments, segment)))


def _next_segments(state: frozenset[_LeftSegments]) -> Iterator[tuple[frozenset[_LeftSegments], str]]:
    """Yields each state that one more segment leads to, with such a segment."""
    always = {(number, left) for number, left in state if left and left[0] == "**"}
    asked: dict[_LeftSegments, set[str]] = {}
    for number, left in state:
        if left and left[0] != "**":
            asked.setdefault((number, left[1:]), set()).add(left[0])
    targets = sorted(asked)
    for fitted, segment in _words((*(frozenset(asked[target]) for target in targets), _DOTS)).items():
        if len(targets) not in fitted:
            yield _settled_segments(always | {targets[at] for at in fitted}), segment


def _settled_segments(state: set[_LeftSegments]) -> frozenset[_LeftSegments]:
    reached = set(state)
    for number, left in state:
        rest = left
        while rest and rest[0] == "**":
            rest = rest[1:]
            reached.add((number, rest))
    certain = {number for number, left in reached if left == ("**",)}
    return frozenset((number, left) for number, left in reached if number not in certain or left in (("**",), ()))


def _other_than(awaited: set[str]) -> str:
    """Gives a character that nothing waits for, a plain one if there is any."""
    return next(letter for letter in chain(_LETTERS, map(chr, _FURTHER)) if letter not in awaited)


def _check(states: int) -> None:
    if states > _MAX_STATES:
        message = f"the globs tell more than {_MAX_STATES} kinds of texts apart"
        raise TooManyMembersError(message)
