"""Generates the texts of the benchmarks: the same bytes on every machine, with the secrets in them known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeAlias

import text_shapes as shapes
from text_filler import Filled, Filler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A service that logs a credential by accident, in one line of a thousand.
_SPARSE_EVERY: Final = 1000
_SECRETS_PER_ENVIRONMENT: Final = 4
# Lists of arguments of 200 bytes, the unit that the limit of their cost is given for.
_ARGUMENTS_BYTES: Final = 200

# One call of a redactor, a text or a list of arguments, and the secrets in it.
Call: TypeAlias = "tuple[tuple[bytes, ...], tuple[bytes, ...]]"


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret: the number of the call whose text holds it, and its bytes."""

    call: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of one kind: each call is one text, or one argument list."""

    kind: str
    suffix: str  # of files with such texts; empty for argument lists, which stand in no file
    calls: tuple[tuple[bytes, ...], ...]
    secrets: tuple[Secret, ...]

    @property
    def are_arguments(self) -> bool:
        """Says whether each call is an argument list."""
        return not self.suffix

    @property
    def size_bytes(self) -> int:
        """Counts the bytes of all calls."""
        return sum(len(part) for call in self.calls for part in call)


@dataclass(frozen=True, slots=True)
class _Kind:
    suffix: str
    calls: Callable[[Filler], Iterator[Call]]
    one_text: bool  # all pieces are lines of a single text


def generate(kind: str, size_bytes: int) -> Texts:
    """Generates texts of at least this size; a smaller size gives a beginning of the larger one.

    Raises KeyError for a kind that does not exist.
    """
    found = _KINDS[kind]
    calls: list[tuple[bytes, ...]] = []
    secrets: list[Secret] = []
    written = 0
    for call, values in found.calls(Filler(kind)):
        secrets.extend(Secret(0 if found.one_text else len(calls), value) for value in values)
        calls.append(call)
        written += sum(map(len, call))
        if written >= size_bytes:
            break
    if found.one_text:
        calls = [(b"".join(part for call in calls for part in call),)]
    return Texts(kind, found.suffix, tuple(calls), tuple(secrets))


def _sparse_log(filler: Filler) -> Iterator[Call]:
    number = 0
    while True:
        number += 1
        if number % _SPARSE_EVERY:
            event = filler.fill(filler.random.choice(shapes.LOG_EVENTS))
        else:
            line = filler.fill(filler.random.choice(shapes.SECRET_LINES))
            message = json.dumps(line.text.decode())
            event = Filled(b'"level":"error","logger":"shop.upstream","msg":' + message.encode(), line.secrets)
        second, millisecond = divmod(number * 7, 1000)
        stamp = (
            f'{{"ts":"2026-03-14T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{millisecond:03}Z",'
        )
        yield (stamp.encode() + event.text + b"}\n",), event.secrets


def _dense_log(filler: Filler) -> Iterator[Call]:
    for some in cycle((shapes.SECRET_LINES, shapes.PLAIN_LINES)):
        line = filler.fill(filler.random.choice(some))
        yield (line.text + b"\n",), line.secrets


def _environment(filler: Filler) -> Iterator[Call]:
    while True:
        names = [*shapes.ENVIRONMENT, *filler.random.sample(shapes.ENVIRONMENT_SECRETS, k=_SECRETS_PER_ENVIRONMENT)]
        filler.random.shuffle(names)
        block = filler.join(names, b"\0")
        yield (block.text,), block.secrets


def _command_lines(filler: Filler) -> Iterator[Call]:
    while True:
        filled = [filler.fill(argument) for argument in filler.random.choice(shapes.COMMANDS)]
        yield tuple(one.text for one in filled), tuple(value for one in filled for value in one.secrets)


def _long_command_lines(filler: Filler) -> Iterator[Call]:
    for arguments, secrets in _command_lines(filler):
        rest = _ARGUMENTS_BYTES - sum(map(len, arguments))
        more = tuple(b"--item=%05d" % filler.random.randrange(100_000) for _ in range(rest // 12))
        yield (*arguments, *more, b"x" * (rest - 12 * len(more))), secrets


def _files(lines: tuple[str, ...]) -> Callable[[Filler], Iterator[Call]]:
    def write(filler: Filler) -> Iterator[Call]:
        while True:
            file = filler.join(filler.random.sample(lines, k=len(lines)), b"\n")
            yield (file.text,), file.secrets

    return write


_KINDS: Final = {
    "sparse-json-logs": _Kind(".log", _sparse_log, one_text=True),
    "sparse-json-lines": _Kind(".log", _sparse_log, one_text=False),
    "dense-logs": _Kind(".log", _dense_log, one_text=True),
    "environment-blocks": _Kind(".env", _environment, one_text=False),
    "command-lines": _Kind("", _command_lines, one_text=False),
    "argument-lists-200-bytes": _Kind("", _long_command_lines, one_text=False),
    "yaml-files": _Kind(".yaml", _files(shapes.YAML_FILES), one_text=False),
    "properties-files": _Kind(".properties", _files(shapes.PROPERTIES), one_text=False),
}
KINDS: Final = tuple(_KINDS)
