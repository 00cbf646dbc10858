"""Splits a shell script into commands and words, tolerantly, and keeps each byte's place in the script."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

_BREAKS: Final = frozenset(b";|&\n(){}`")
_SPACES: Final = frozenset(b" \t\r<>")
_SINGLE, _DOUBLE, _BACKSLASH = 0x27, 0x22, 0x5C
_ESCAPED_IN_DOUBLE: Final = frozenset(b'"\\$`')


@dataclass(frozen=True, slots=True)
class Word:
    """One word without its quotes; positions[i] is the place of its byte i in the script."""

    text: bytes
    positions: array[int]


def split(script: bytes) -> tuple[tuple[Word, ...], ...]:
    """Splits into simple commands of words; an unclosed quote goes to the end; the caller bounds the length."""
    return _Splitter(script).commands()


class _Splitter:
    """Reads one script from left to right."""

    def __init__(self, script: bytes) -> None:
        self._script = script
        self._commands: list[tuple[Word, ...]] = []
        self._words: list[Word] = []
        self._text = bytearray()
        self._positions = array("l")
        self._in_word = False

    def commands(self) -> tuple[tuple[Word, ...], ...]:
        position, length = 0, len(self._script)
        while position < length:
            position = self._step(position)
        self._end_command()
        return tuple(self._commands)

    def _step(self, position: int) -> int:
        byte = self._script[position]
        if byte == _SINGLE:
            return self._single(position + 1)
        if byte == _DOUBLE:
            return self._double(position + 1)
        if byte == _BACKSLASH and position + 1 < len(self._script):
            self._take(position + 1)
            return position + 2
        if byte in _SPACES:
            self._end_word()
        elif byte in _BREAKS and not (byte in b"{}" and self._in_word):
            self._end_command()
        else:
            self._take(position)
        return position + 1

    def _single(self, position: int) -> int:
        self._in_word = True
        end = self._script.find(b"'", position)
        end = len(self._script) if end < 0 else end
        for inner in range(position, end):
            self._take(inner)
        return end + 1

    def _double(self, position: int) -> int:
        self._in_word = True
        script, length = self._script, len(self._script)
        while position < length and script[position] != _DOUBLE:
            if script[position] == _BACKSLASH and position + 1 < length and script[position + 1] in _ESCAPED_IN_DOUBLE:
                position += 1
            self._take(position)
            position += 1
        return position + 1

    def _take(self, position: int) -> None:
        self._in_word = True
        self._text.append(self._script[position])
        self._positions.append(position)

    def _end_word(self) -> None:
        if self._in_word:
            self._words.append(Word(bytes(self._text), self._positions))
            self._text, self._positions, self._in_word = bytearray(), array("l"), False

    def _end_command(self) -> None:
        self._end_word()
        if self._words:
            self._commands.append(tuple(self._words))
            self._words = []
