"""Splits a shell script into commands and words, tolerantly, and keeps each byte's place in the script."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.tables import run_end, table

_PLAIN, _SPACE, _BREAK, _SINGLE, _DOUBLE, _BACKSLASH, _DOLLAR, _LESS = range(8)


def _kinds() -> bytes:
    kinds = bytearray(256)
    for members, kind in (
        (b" \t\r>", _SPACE),
        (b";|&\n(){}`", _BREAK),
        (b"'", _SINGLE),
        (b'"', _DOUBLE),
        (b"\\", _BACKSLASH),
        (b"$", _DOLLAR),
        (b"<", _LESS),
    ):
        for byte in members:
            kinds[byte] = kind
    return bytes(kinds)


_KIND: Final = _kinds()
_QUOTE: Final = 0x27
_DOUBLE_QUOTE: Final = 0x22
_ESCAPE: Final = 0x5C
_PIPE: Final = 0x7C
_AMPERSAND: Final = 0x26
_GREATER: Final = 0x3E
_NEWLINE: Final = 0x0A
_ESCAPED_IN_DOUBLE: Final = table(b'"\\$`')
_BRACES: Final = table(b"{}")
_WORD_STOP: Final = table(b" \t\r>;|&\n(){}`'\"\\$<")
_ORDINARY: Final = table(bytes(byte for byte in range(256) if not _WORD_STOP[byte]))
HERE_STRING: Final = b"<<<"


@final
class Word:
    """One word without its quotes; the place of its byte i in the script is `place(i)`."""

    __slots__ = ("places", "start", "text")

    def __init__(self, text: bytes, start: int, places: list[int] | None) -> None:
        self.text = text
        self.start = start
        self.places = places

    def place(self, index: int) -> int:
        """Gives the place of the byte `index` in the script."""
        if self.places is None:
            return self.start + index
        return self.places[index]


@final
class Command:
    """One simple command, and whether its output goes to the next one."""

    __slots__ = ("is_piped", "words")

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.is_piped = False


def split(script: bytes) -> list[Command]:
    """Splits into simple commands of words; an unclosed quote goes to the end; the caller bounds the length."""
    splitter = _Splitter(script)
    splitter.run()
    return splitter.commands


@final
class _Splitter:
    """Reads one script from left to right: a word is a slice of it until a quote makes its bytes a list of places."""

    __slots__ = ("commands", "in_word", "places", "script", "start", "words")

    def __init__(self, script: bytes) -> None:
        self.script = script
        self.commands: list[Command] = []
        self.words: list[Word] = []
        self.in_word = False
        self.start = 0
        self.places: list[int] | None = None

    def run(self) -> None:
        position = 0
        length = len(self.script)
        while position < length:
            position = self.step(position)
        self.end_command(length)

    def step(self, position: int) -> int:  # noqa: C901, PLR0911, PLR0912 - one branch for each kind of byte
        script = self.script
        length = len(script)
        byte = script[position]
        kind = _KIND[byte]
        following = script[position + 1] if position + 1 < length else 0
        if kind == _PLAIN:
            end = run_end(script, position, length, _ORDINARY)
            self.take(position, end)
            return end
        if kind == _SPACE:
            self.end_word(position)
        elif kind == _SINGLE:
            return self.single(position, position + 1)
        elif kind == _DOUBLE:
            return self.double(position)
        elif kind == _BACKSLASH:
            if position + 1 >= length:
                self.take(position, position + 1)
            elif following != _NEWLINE:  # a line that goes on is one line
                self.leap(position)
                self.take(position + 1, position + 2)
            elif self.in_word:
                self.leap(position)
            return position + 2
        elif kind == _DOLLAR:
            if following == _QUOTE:
                return self.escaped(position)
            self.take(position, position + 1)
        elif kind == _LESS:
            self.end_word(position)
            if script.startswith(HERE_STRING, position):
                self.words.append(Word(HERE_STRING, position, None))
                return position + 3
        else:
            return self.break_at(position, byte, following)
        return position + 1

    def break_at(self, position: int, byte: int, following: int) -> int:
        if _BRACES[byte] and self.in_word:
            self.take(position, position + 1)
            return position + 1
        if byte == _AMPERSAND and (following == _GREATER or (position > 0 and self.script[position - 1] == _GREATER)):
            self.end_word(position)  # &> and 2>&1 are redirections
            return position + 1
        self.end_command(position)
        if byte == _PIPE:
            if following == _PIPE:
                return position + 2
            if self.commands:
                self.commands[-1].is_piped = True
            if following == _AMPERSAND:
                return position + 2
        return position + 1

    def single(self, position: int, start: int) -> int:
        self.leap(position)
        end = self.script.find(b"'", start)
        end = len(self.script) if end < 0 else end
        self.take(start, end)
        return end + 1

    def escaped(self, position: int) -> int:
        """Reads $'…', in which a backslash also keeps a quote."""
        self.leap(position)
        script = self.script
        length = len(script)
        position += 2
        while position < length and script[position] != _QUOTE:
            if script[position] == _ESCAPE and position + 1 < length:
                position += 1
            self.take(position, position + 1)
            position += 1
        return position + 1

    def double(self, position: int) -> int:
        self.leap(position)
        script = self.script
        length = len(script)
        position += 1
        while position < length and script[position] != _DOUBLE_QUOTE:
            if script[position] == _ESCAPE and position + 1 < length and _ESCAPED_IN_DOUBLE[script[position + 1]]:
                position += 1
            self.take(position, position + 1)
            position += 1
        return position + 1

    def take(self, start: int, end: int) -> None:
        """Adds the bytes start to end to the word, which begins here when there is none."""
        if not self.in_word:
            self.in_word = True
            self.start = start
            return
        places = self.places
        if places is not None:
            for position in range(start, end):
                places.append(position)

    def leap(self, position: int) -> None:
        """Makes the word, which may begin here, a list of places: what follows does not go on where it ended."""
        if self.places is not None:
            return
        places: list[int] = []
        if self.in_word:
            places.extend(range(self.start, position))
        self.places = places
        self.in_word = True

    def end_word(self, position: int) -> None:
        if not self.in_word:
            return
        places = self.places
        if places is None:
            self.words.append(Word(self.script[self.start : position], self.start, None))
        else:
            script = self.script
            self.words.append(Word(bytes([script[place] for place in places]), 0, places))
            self.places = None
        self.in_word = False

    def end_command(self, position: int) -> None:
        self.end_word(position)
        if self.words:
            self.commands.append(Command(self.words))
            self.words = []
