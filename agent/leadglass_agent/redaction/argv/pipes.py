"""Spans what a script hands to a command that reads a secret from its standard input."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.argv.found import ARGUMENT, PRINTS_SECRET, RANK
from leadglass_agent.redaction.argv.program import UNKNOWN, WHOLE, Program
from leadglass_agent.redaction.argv.shapes import NOWHERE, secret_end, secret_start
from leadglass_agent.redaction.argv.shell import HERE_STRING, Command, Word
from leadglass_agent.redaction.argv.state import MAX_ACTIVE
from leadglass_agent.redaction.argv.words import DASH, marks_of, program_of
from leadglass_agent.redaction.spans import Span

_MAX_FILTERS: Final = 3
_PRINTERS: Final = frozenset((b"echo", b"printf", b"print", b"/bin/echo"))
_FILTERS: Final = frozenset((b"base64", b"tr", b"tee", b"head", b"cat", b"xargs", b"sed"))


def standard_input(commands: list[Command], number: int, kind: int, out: list[Span]) -> None:
    """Adds what `echo VALUE | command` and `command <<< VALUE` hand to a command that reads a secret."""
    words = commands[number].words
    _here_strings(words, out)
    printer = _printer(words)
    if printer < 0:
        return
    shape = UNKNOWN
    if commands[number].is_piped:
        shape = _reader_shape(commands, number)
    elif kind == PRINTS_SECRET:
        shape = WHOLE
    if shape == UNKNOWN:
        return
    first = printer + 1
    while first < len(words) and len(words[first].text) > 0 and words[first].text[0] == DASH:
        first += 1
    if words[printer].text == b"printf" and first + 1 < len(words) and b"%" in words[first].text:
        first += 1
    for index in range(first, len(words)):
        _printed(words[index], shape, out)


def _here_strings(words: list[Word], out: list[Span]) -> None:
    asked = False
    shape = UNKNOWN
    for index in range(1, len(words) - 1):
        if words[index].text == HERE_STRING:
            if not asked:
                shape = _reads_secret([word.text for word in words])
                asked = True
            if shape != UNKNOWN:
                _printed(words[index + 1], shape, out)


def _printer(words: list[Word]) -> int:
    """Gives the place of echo or printf, perhaps behind a wrapper, or -1."""
    for index in range(min(len(words), _MAX_FILTERS)):
        if words[index].text in _PRINTERS:
            return index
    return -1


def _reader_shape(commands: list[Command], number: int) -> int:
    """Says with which shape the command behind the pipe reads, a few filters on the way allowed, or UNKNOWN."""
    reader = number + 1
    while reader < len(commands) - 1 and reader - number <= _MAX_FILTERS and commands[reader].is_piped:
        if commands[reader].words[0].text not in _FILTERS:
            break
        reader += 1
    if reader >= len(commands):
        return UNKNOWN
    return _reads_secret([word.text for word in commands[reader].words])


def _reads_secret(words: list[bytes]) -> int:
    """Says with which shape the command reads a secret from its standard input, or UNKNOWN."""
    active: list[Program] = []
    for word in words:
        if len(word) == 0:
            continue
        if (word.endswith(b"stdin") and word[0] == DASH and word != b"--stdin") or word == b"--with-token":
            return WHOLE
        for program in active:
            shape = _with_word(program, word)
            if shape != UNKNOWN:
                return shape
        known = program_of(word, marks_of(word)) if word[0] != DASH else None
        if known is not None:
            if b"" in known.stdin:
                return known.stdin[b""]
            if len(active) < MAX_ACTIVE:
                active.append(known)
    return UNKNOWN


def _with_word(program: Program, word: bytes) -> int:
    shape = program.stdin.get(word, UNKNOWN)
    if shape == UNKNOWN and program.bundles and len(word) > 2 and word[0] == DASH and word[1] != DASH:  # noqa: PLR2004
        return _bundled_stdin(word, program)
    return shape


def _bundled_stdin(word: bytes, program: Program) -> int:
    for position in range(1, min(len(word), 8)):
        shape = program.stdin.get(b"-" + word[position : position + 1], UNKNOWN)
        if shape != UNKNOWN:
            return shape
    return UNKNOWN


def _printed(word: Word, shape: int, out: list[Span]) -> None:
    start = secret_start(word.text, 0, shape, literal=False)
    if start != NOWHERE:
        place(word, Span(start, secret_end(word.text, start, shape), RANK, ARGUMENT), out)


def place(word: Word, span: Span, out: list[Span]) -> None:
    """Adds a span of a word, at its place in the script; quotes and escapes within are part of it."""
    out.append(Span(word.place(span.start), word.place(span.end - 1) + 1, span.rank, span.rule_id))
