"""Spans the secrets of a script: those of its commands, one by one, and of scripts within."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.argv.found import RANK, SURELY, UNREAD, Found
from leadglass_agent.redaction.argv.pipes import place, standard_input
from leadglass_agent.redaction.argv.shell import Word, split
from leadglass_agent.redaction.argv.walk import walk
from leadglass_agent.redaction.spans import Span

_MAX_DEPTH: Final = 3
# The kernel lets no argument be longer; behind this point a longer script is masked.
_MAX_SCRIPT: Final = 131_072
# What all scripts of a list may cost together; a script within a script counts again.
_MAX_TOTAL: Final = 1_048_576


@final
class Budget:
    """How many bytes of script may still be read for one list of arguments."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAX_TOTAL


def read_from(word: bytes, start: int, kind: int, depth: int, budget: Budget) -> list[Span]:
    """Spans the secrets of the script that begins at `start` of a word."""
    inner: list[Span] = []
    _read(word[start:] if start else word, kind, depth, budget, inner)
    if start == 0:
        return inner
    return [Span(span.start + start, span.end + start, span.rank, span.rule_id) for span in inner]


def _read(script: bytes, kind: int, depth: int, budget: Budget, out: list[Span]) -> None:
    """Adds the spans of a script; what is too long to be read is masked; a text that names no program has none."""
    length = len(script)
    if depth > _MAX_DEPTH:
        return
    readable = min(length, _MAX_SCRIPT, budget.left)
    budget.left -= readable
    if readable < length:
        out.append(Span(readable, length, RANK, UNREAD))
        if readable == 0:
            return
        script = script[:readable]
    commands = split(script)
    found: list[Found] = []
    knows_program = kind >= SURELY
    for command in commands:
        here = Found(literal=False)
        walk([word.text for word in command.words], here)
        found.append(here)
        if here.knows_program:
            knows_program = True
    if knows_program:
        for number in range(len(commands)):
            _command(commands[number].words, found[number], depth, budget, out)
            standard_input(commands, number, kind, out)


def _command(words: list[Word], found: Found, depth: int, budget: Budget, out: list[Span]) -> None:
    """Adds what the walk has found in one command, and what its own scripts hold."""
    for index in range(len(found.spans)):
        place(words[found.indexes[index]], found.spans[index], out)
    for index in range(len(found.script_indexes)):
        word = words[found.script_indexes[index]]
        for span in read_from(word.text, found.script_starts[index], found.script_kinds[index], depth + 1, budget):
            place(word, span, out)
