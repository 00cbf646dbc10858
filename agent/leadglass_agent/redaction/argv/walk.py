"""Walks over the words of one command: which programs they name, and what these make of the words behind."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.argv import named
from leadglass_agent.redaction.argv.found import PERHAPS, Found
from leadglass_agent.redaction.argv.marking import mark, mark_address, mark_stream_key
from leadglass_agent.redaction.argv.options import option, windows_option
from leadglass_agent.redaction.argv.program import UNKNOWN, WHOLE, WORD
from leadglass_agent.redaction.argv.shapes import is_no_password
from leadglass_agent.redaction.argv.state import State
from leadglass_agent.redaction.argv.words import (
    DASH,
    HAS_AT,
    HAS_COLON,
    HAS_DOT,
    HAS_EQUALS,
    HAS_SPACE,
    HAS_UPPER,
    marks_of,
    program_of,
)
from leadglass_agent.redaction.password_words import is_password

_SLASH: Final = 0x2F
_PLUS: Final = 0x2B
_SETTERS: Final = frozenset((b"set", b"config:set", b"setx", b"set-secret", b"SET"))


def walk(words: list[bytes], found: Found) -> None:
    """Finds the secrets and the scripts among the words of one command; work is linear in their length."""
    state = State()
    for index in range(len(words)):
        word = words[index]
        length = len(word)
        scripts = found.script_indexes
        if length == 0 or (len(scripts) > 0 and scripts[len(scripts) - 1] == index):
            continue
        first = word[0]
        seen = marks_of(word)
        if first == DASH and length > 1:
            option(words, index, seen, state, found)
            continue
        if first in (_SLASH, _PLUS) and length > 1 and windows_option(words, index, seen, state, found):
            continue
        if index != state.taken or seen & (HAS_EQUALS | HAS_SPACE | HAS_AT):
            _plain(words, index, seen, state, found)
    if state.last_shape != UNKNOWN and state.last_plain >= 0:
        mark(words[state.last_plain], state.last_plain, 0, state.last_shape, found)
    if state.has_user:
        for index in state.maybe:
            if is_password(words[index]):
                mark(words[index], index, 0, WHOLE, found)


def _plain(words: list[bytes], index: int, seen: int, state: State, found: Found) -> None:
    word = words[index]
    following = index + 1 < len(words)
    is_known = False  # a word of a program, which says itself where its secret is
    if index != state.taken:
        if _at_place(word, index, state, found):
            return
        if not seen & (HAS_EQUALS | HAS_SPACE):
            is_known = _name_program(words, index, seen, state, found)
    if seen & HAS_EQUALS and not _known_pair(word, index, state, found):
        named.pair(word, index, found)
    if seen & HAS_AT:
        mark_address(word, 0, index, found)
    if seen & HAS_COLON and word[0] | 0x20 in b"rs":
        mark_stream_key(word, index, found)
    if seen & HAS_SPACE:
        found.add_script(index, PERHAPS)
    elif (
        following
        and not is_known
        and named.word_value(
            word, words[index + 1], index + 1, found, is_set=index > 0 and words[index - 1] in _SETTERS
        )
    ):
        state.taken = index + 1


def _at_place(word: bytes, index: int, state: State, found: Found) -> bool:
    """Spans a word that stands where a program has its secret; says whether it did."""
    state.last_plain = index
    if state.due > 0:
        if state.due_shape != WORD or not is_no_password(word):
            state.due -= 1
        if state.due == 0 and mark(word, index, 0, state.due_shape, found):
            return True
    placed = state.placed
    if placed is None:
        return False
    state.place += 1
    shape = placed.places.get(state.place, UNKNOWN)
    return shape != UNKNOWN and mark(word, index, 0, shape, found)


def _name_program(words: list[bytes], index: int, seen: int, state: State, found: Found) -> bool:
    word = words[index]
    active = state.active
    for position in range(len(active) - 1, -1, -1):
        program = active[position]
        if program.words:
            due = program.words.get(word.lower() if seen & HAS_UPPER else word, 0)
            if due == 0 and seen & HAS_DOT:
                due = program.words.get(word[: word.find(b".") + 1].lower(), 0)
                if due == 0:
                    due = program.words.get(word[word.rfind(b".") + 1 :].lower(), 0)
            if due:
                state.expect(due)
                return True
        if program.subcommands:
            part = program.subcommands.get(word)
            if part is not None:
                state.activate(part)
                return False
    known = program_of(word, seen)
    # Behind a long option the word is its value (`--engine mysql`).
    if known is not None and (index == 0 or not words[index - 1].startswith(b"--") or len(words[index - 1]) == 2):  # noqa: PLR2004
        found.knows_program = True
        state.activate(known)
    return False


def _known_pair(word: bytes, index: int, state: State, found: Found) -> bool:
    for program in state.active:
        if program.pairs:
            equals = word.find(b"=")
            shape = program.pairs.get(word[:equals].lower(), UNKNOWN)
            if shape != UNKNOWN:
                return mark(word, index, equals + 1, shape, found)
    return False
