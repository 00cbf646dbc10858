"""Reads the table of programs from its files, one line for programs that are alike.

`name name | subcommand: item item`. Behind a subcommand the items count only once it was given. An item is

    -p          an option whose next argument is the secret; --long also takes it behind =
    -p+         also attached (-pSECRET); -p* only attached; -p. has a value that is no secret
    word>2      the second argument behind this word that is no option; word>last the last one
    @1          the first argument of the program that is no option; @last the last one
    name=       the value of name=value
    <-S         with this option it reads the secret from its standard input; < alone: always
    ~           single letters are bundled (-sSu is -s -S -u)

and `:shape` behind an item says which part is secret (program.SHAPES); without it the whole is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from leadglass_agent.redaction.argv.program import LAST, PLAIN, SHAPES, WHOLE, Program

_FOLDER: Final = "families"
_SHORT: Final = 2


class ProgramTableError(Exception):
    """A line of the table says nothing; the message names the item, which is our own text."""


def read_table(text: str, programs: dict[bytes, Program]) -> None:
    """Adds the programs of one file; raises ProgramTableError for what it cannot read."""
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if not content:
            continue
        names, colon, items = content.partition(": ")
        if not colon:
            names = names.removesuffix(":")
        names, _, subcommand = names.partition("|")
        for name in names.split():
            program = programs.setdefault(name.encode(), Program())
            for word in subcommand.split() or [""]:
                part = program.subcommands.setdefault(word.encode(), Program()) if word else program
                for item in items.split():
                    _add(part, item)


def _add(program: Program, item: str) -> None:
    if item == "~":
        program.bundles = True
        return
    text, colon, shape_name = item.rpartition(":")
    if colon and shape_name in SHAPES:
        shape = SHAPES[shape_name]
    else:
        text, shape = item, WHOLE
    if text.startswith("<"):
        program.stdin[text[1:].encode()] = shape
    elif text.startswith("@"):
        program.places[_place(text[1:])] = shape
    elif ">" in text:
        word, _, distance = text.partition(">")
        program.words[word.lower().encode() if word[0] != "-" else word.encode()] = _place(distance) << 8 | shape
    elif text.endswith("="):
        program.pairs[text[:-1].encode()] = shape
    elif text[0] in "-/+":
        _add_option(program, text, shape)
    else:
        message = f"not an item of the table of programs: {item}"
        raise ProgramTableError(message)


def _add_option(program: Program, text: str, shape: int) -> None:
    option = text.rstrip("+*.").encode()
    if text.endswith("."):
        shape = PLAIN
    if not text.endswith("*"):
        program.options[option] = shape
    if text.endswith(("+", "*")):
        program.attached[option] = shape
        if len(option) != _SHORT:
            program.prefixes.append(option)


def _place(text: str) -> int:
    return LAST if text == "last" else int(text)


def _load() -> dict[bytes, Program]:
    programs: dict[bytes, Program] = {}
    for file in (Path(__file__).parent / _FOLDER).iterdir():
        if file.name.endswith(".txt"):
            read_table(file.read_text(encoding="utf-8"), programs)
    return programs


PROGRAMS: Final = _load()
