"""Reads one strict YAML document into a typed value and points at the line and column of whatever is wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

import msgspec
import yaml
from yaml.resolver import Resolver

from leadglass_agent.allowed_values import allowed_values

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = "tuple[str | int, ...]"

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 50_000
MAX_QUOTED: Final = 40

_KEY: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_STEP: Final = re.compile(r"\.([A-Za-z0-9_/-]+)|\[([0-9]+)\]")
_STRING_TAG: Final = "tag:yaml.org,2002:str"
# YAML 1.2 reads these as numbers, YAML 1.1 not all of them.
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")
# PyYAML's resolver leaves these four out, although YAML 1.1 reads them as booleans.
_LETTER_BOOLEANS: Final = frozenset("yYnN")


class DocumentError(Exception):
    """A document that cannot be taken, with the place of the fault; lines and columns count from 1."""

    def __init__(self, source: str, mark: Mark, message: str) -> None:
        super().__init__(f"{source}:{mark.line}:{mark.column}: {message}")
        self.source = source
        self.line = mark.line
        self.column = mark.column
        self.message = message


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a document, counted from 1."""

    line: int
    column: int


_START: Final = Mark(1, 1)


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """A document's typed value, with the place of every key and value in it."""

    value: T
    source: str
    marks: dict[Path, tuple[Mark, Mark]]

    def error(self, path: Path, message: str) -> DocumentError:
        """Makes the error for the value at `path`; a path that is not there stands for its nearest parent."""
        return DocumentError(self.source, _mark_of(self.marks, path), message)


def load(text: bytes, source: str, type: type[T]) -> T:  # noqa: A002 - the word that msgspec's users know
    """Reads `text` as one `type`; raises DocumentError, and nothing else, for whatever is not exactly that."""
    return load_document(text, source, type).value


def load_document(text: bytes, source: str, type: type[T]) -> Document[T]:  # noqa: A002 - as load
    """Reads like `load`, and keeps the places for checks that come after."""
    composer = _Composer(source, _decode(text, source))
    plain = composer.document()
    try:
        value = msgspec.convert(plain, type, strict=True)
    except msgspec.ValidationError as fault:
        raise _explain(str(fault), plain, composer.marks, source, type) from None
    return Document(value, source, composer.marks)


def quoted(text: str) -> str:
    """Quotes text of a document for an error: escaped, on one line, and at most 40 characters of it."""
    escaped = text[:MAX_QUOTED].encode("unicode_escape").decode("ascii")
    return f"'{escaped}'" if len(escaped) <= MAX_QUOTED and len(text) <= MAX_QUOTED else f"'{escaped[:MAX_QUOTED]}'…"


def _decode(text: bytes, source: str) -> str:
    if len(text) > MAX_BYTES:
        raise DocumentError(source, _START, f"the file is larger than {MAX_BYTES} bytes")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = text[: fault.start].decode("utf-8")
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise DocumentError(source, mark, "the file is not UTF-8 here") from None
    for number, line in enumerate(decoded.split("\n"), start=1):
        seen = line.removesuffix("\r").replace("\t", " ")
        if not seen.isprintable():
            column = next(index for index, character in enumerate(seen) if not character.isprintable())
            # A reviewer must see what the program sees: no bidirectional, zero-width or control characters.
            message = f"an invisible character (U+{ord(seen[column]):04X}) is not allowed"
            raise DocumentError(source, Mark(number, column + 1), message)
    return decoded


class _Composer:
    """Builds plain data from YAML events, refusing what YAML 1.1 would read in a surprising way."""

    def __init__(self, source: str, text: str) -> None:
        self.marks: dict[Path, tuple[Mark, Mark]] = {}
        self._source = source
        self._events = self._parse(text)
        self._resolver = Resolver()

    def document(self) -> Plain:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self._error(start, "the file holds no document")
        if start.version or start.tags:
            raise self._error(start, "directives are not allowed")
        value = self._value(next(self._events), (), None)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._error(after, "a second document is not allowed")
        return value

    def _parse(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as fault:
            place = fault.problem_mark or fault.context_mark
            mark = Mark(place.line + 1, place.column + 1) if place else _START
            raise DocumentError(self._source, mark, f"not YAML: {fault.problem or 'malformed'}") from None
        except yaml.YAMLError:
            raise DocumentError(self._source, _START, "not YAML") from None

    def _value(self, event: yaml.Event, path: Path, key_mark: Mark | None) -> Plain:
        mark = _mark(event)
        if len(self.marks) >= MAX_VALUES:
            raise self._error(event, f"the file holds more than {MAX_VALUES} values")
        self.marks[path] = (key_mark or mark, mark)
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, "an alias is not allowed")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise self._error(event, "an anchor is not allowed")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise self._error(event, "a tag is not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if len(path) >= MAX_DEPTH:
            raise self._error(event, f"values are nested more than {MAX_DEPTH} deep")
        return self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _sequence(self, path: Path) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), None))
        return items

    def _mapping(self, path: Path) -> dict[str, Plain]:
        items: dict[str, Plain] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in items:
                raise self._error(event, f"the key {quoted(key)} is there twice")
            items[key] = self._value(next(self._events), (*path, key), _mark(event))
        return items

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise self._error(event, "a key must be a plain word")
        key = self._scalar(event)
        # msgspec names faults by path; keys of plain characters keep that path unambiguous.
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise self._error(event, "a key must be a word of letters, digits, '_', '.', '/' and '-'")
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> bool | int | str | None:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in {"true", "false"}:
            return text == "true"
        if text in {"", "~", "null"}:
            return None
        if _INTEGER.fullmatch(text):
            return int(text)
        tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call] # PyYAML
        if tag != _STRING_TAG or text in _LETTER_BOOLEANS or _NUMBER.fullmatch(text):
            message = f"{quoted(text)} means different things to different readers: write true, false, null, a decimal "
            raise self._error(event, message + "number, or put it in quotes")
        return text

    def _error(self, event: yaml.Event, message: str) -> DocumentError:
        return DocumentError(self._source, _mark(event), message)


def _mark(event: yaml.Event) -> Mark:
    place = event.start_mark
    return Mark(place.line + 1, place.column + 1) if place else _START


def _mark_of(marks: dict[Path, tuple[Mark, Mark]], path: Path, *, key: bool = False) -> Mark:
    while path and path not in marks:
        path = path[:-1]
    return marks[path][0 if key else 1]


def _explain(
    fault: str, plain: Plain, marks: dict[Path, tuple[Mark, Mark]], source: str, kind: object
) -> DocumentError:
    """Turns msgspec's text, which may echo content, into ours, which names the place and caps the echo."""
    message, found, where = fault.rpartition(" - at `$")
    if not found:
        message, where = fault, ""
    path, value = _resolve(where.removesuffix("`"), plain)
    unknown = "Object contains unknown field `"
    if message.startswith(unknown):
        key = message.removeprefix(unknown).removesuffix("`")
        return DocumentError(source, _mark_of(marks, (*path, key), key=True), f"unknown key {quoted(key)}")
    if message.startswith("Object missing required field `"):
        message = message.replace("Object missing required field `", "the key '").removesuffix("`") + "' is missing"
    elif message.startswith(("Invalid enum value", "Invalid value")):
        message = f"{quoted(str(value))} is not one of the values allowed here"
    # A choice says its words, whether another word stands there or no word at all.
    if choice := ", ".join(allowed_values(kind, path)):
        message += f": {choice}"
    return DocumentError(source, _mark_of(marks, path), message[:1].lower() + message[1:])


def _resolve(where: str, plain: Plain) -> tuple[Path, Plain]:
    path: Path = ()
    for step in _STEP.finditer(where):
        field, index = step.group(1), step.group(2)
        if isinstance(plain, dict) and field in plain:
            path, plain = (*path, field), plain[field]
        elif isinstance(plain, list) and index is not None and int(index) < len(plain):
            path, plain = (*path, int(index)), plain[int(index)]
        else:
            break
    return path, plain
