"""What an option makes of its value: by the program that it belongs to, else by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.argv import named
from leadglass_agent.redaction.argv.found import PERHAPS, SURELY, Found
from leadglass_agent.redaction.argv.marking import mark, mark_address
from leadglass_agent.redaction.argv.program import PLAIN, SCRIPT, SWITCH, UNKNOWN, Program
from leadglass_agent.redaction.argv.words import DASH, HAS_AT, HAS_COLON, HAS_EQUALS, HAS_SPACE, marks_of

if TYPE_CHECKING:
    from leadglass_agent.redaction.argv.state import State

_MAX_BUNDLE: Final = 8
# Options of unknown programs that may hold a password, and those that say there is a user to it.
_PERHAPS_PASSWORD: Final = frozenset((b"-p", b"-P", b"-w", b"/p", b"/rp"))
_USERS: Final = frozenset(
    (b"-u", b"-U", b"--user", b"--username", b"--login", b"-user", b"-username", b"-login", b"/u", b"/ru")
)


def option(words: list[bytes], index: int, seen: int, state: State, found: Found) -> None:
    """Reads the option at `index`, and its value in the same or the next word."""
    word = words[index]
    following = index + 1 < len(words)
    equals = named.equals_in(word) if seen & HAS_EQUALS else -1
    name = word if equals < 0 else word[:equals]
    for position in range(len(state.active) - 1, -1, -1):
        if _known_option(words, index, name, equals, state.active[position], state, found):
            return
    if name in _USERS or (len(word) > 2 and word[1] in b"uU" and equals < 0):  # noqa: PLR2004
        state.has_user = True
    if equals > 0:
        _unknown_pair(word, equals, index, seen, found)
        return
    if seen & HAS_COLON and named.colon_pair(word, index, found):
        return
    if following and not (seen & HAS_SPACE):
        if name in _PERHAPS_PASSWORD:
            state.maybe.append(index + 1)
        if named.option_value(word, words[index + 1], index + 1, found):
            state.taken = index + 1


def _unknown_pair(word: bytes, equals: int, index: int, seen: int, found: Found) -> None:
    if named.option_pair(word, equals, index, found) or named.pair(word, index, found):
        return
    if seen & HAS_AT:
        mark_address(word, equals + 1, index, found)
    if seen & HAS_SPACE:
        found.add_script(index, PERHAPS, equals + 1)


def windows_option(  # noqa: PLR0911 - each ends a question
    words: list[bytes], index: int, seen: int, state: State, found: Found
) -> bool:
    """Reads /p:x, /password:x, /rp x and +password x; says whether the word is an option."""
    word = words[index]
    following = index + 1 < len(words)
    for position in range(len(state.active) - 1, -1, -1):
        program = state.active[position]
        lower = word.lower()
        shape = program.options.get(lower, UNKNOWN)
        if shape != UNKNOWN:
            take(words, index + 1, shape, state, found)
            return True
        for prefix in program.prefixes:
            if lower.startswith(prefix) and len(word) > len(prefix):
                mark(word, index, len(prefix), program.attached[prefix], found)
                return True
    if seen & HAS_COLON and named.colon_pair(word, index, found):
        return True
    if seen or word.find(b"/", 1) > 0:
        return False
    if word in _USERS:
        state.has_user = True
        return True
    if following and word in _PERHAPS_PASSWORD:
        state.maybe.append(index + 1)
        return True
    if following and named.option_value(word, words[index + 1], index + 1, found):
        state.taken = index + 1
        return True
    return False


def _known_option(
    words: list[bytes], index: int, name: bytes, equals: int, program: Program, state: State, found: Found
) -> bool:
    word = words[index]
    due = program.words.get(name, 0) if program.words else 0
    if due:
        state.expect(due)
        return True
    shape = program.options.get(name, UNKNOWN)
    if shape != UNKNOWN:
        if shape == SWITCH:
            return True
        if equals >= 0 and word[1] == DASH and shape != PLAIN:
            if shape == SCRIPT:
                found.add_script(index, SURELY, equals + 1)
            else:
                mark(word, index, equals + 1, shape, found)
            return True
        if equals < 0:
            take(words, index + 1, shape, state, found)
            return True
    return word[1] != DASH and _attached(words, index, program, state, found)


def _attached(words: list[bytes], index: int, program: Program, state: State, found: Found) -> bool:
    """Reads -pSECRET."""
    word = words[index]
    length = len(word)
    if length <= 2:  # noqa: PLR2004
        return False
    for prefix in program.prefixes:
        if word.startswith(prefix) and length > len(prefix):
            mark(word, index, len(prefix), program.attached[prefix], found)
            return True
    shape = program.attached.get(word[:2], UNKNOWN)
    if shape != UNKNOWN:
        # `-pS3cretPw` holds its own value: what follows is not one, however the secret ends.
        mark(word, index, 2, shape, found)
        return True
    return program.bundles and _bundle(words, index, program, state, found)


def _bundle(words: list[bytes], index: int, program: Program, state: State, found: Found) -> bool:
    """Reads -sSu as -s -S -u: the last one may have a value."""
    word = words[index]
    length = len(word)
    if length > _MAX_BUNDLE or not word[1:].isalpha():
        return False
    if program.words:
        for position in range(1, length):
            due = program.words.get(b"-" + word[position : position + 1], 0)
            if due:
                state.expect(due)
                return True
    shape = program.options.get(b"-" + word[length - 1 :], UNKNOWN)
    if shape in (UNKNOWN, SWITCH):
        return False
    take(words, index + 1, shape, state, found)
    return True


def take(words: list[bytes], index: int, shape: int, state: State, found: Found) -> None:
    """Reads the next word as the value of a known option."""
    if index >= len(words):
        return
    if shape == SCRIPT:
        if marks_of(words[index]) & HAS_SPACE:
            found.add_script(index, SURELY)
        return  # `cmd /c net use …`: the words of the command are words of this list
    state.taken = index
    if shape == PLAIN:
        return
    mark(words[index], index, 0, shape, found)
