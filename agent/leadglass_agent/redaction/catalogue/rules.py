"""Reads the catalogue's files into rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from leadglass_agent import strict_yaml
from leadglass_agent.redaction.catalogue import patterns
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.findings import RuleId

# A run that goes on after the documented length belongs to the credential: vendors lengthen their tokens.
_DEFAULT_TAIL: Final = "[A-Za-z0-9_]{0,256}"
_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_. -]{2,31}")
_LEADS: Final = {
    "base64url": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "digits": b"0123456789",
    "none": b"",
}


class CatalogueError(Exception):
    """A rule of the catalogue is not what it says; the message names the rule."""


class _RuleDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    vendor: str
    source: str
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]
    heads: tuple[str, ...] = ()
    tail: str = _DEFAULT_TAIL
    start: Literal["word", "anywhere"] = "anywhere"
    lead: Literal["base64url", "digits", "none"] = "none"
    keep: int = 0
    caseless: bool = False
    generic: bool = False
    beside: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class _FamilyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: str
    rules: tuple[_RuleDocument, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One class of bytes, least to most times."""

    members: bytes
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed-width beginning of a credential: what Hyperscan looks for, and how wide it is."""

    expression: bytes
    width: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One credential kind with its expanded examples and near-misses.

    It has heads, a shape of its own; or words, beside which a value of one of the shapes is a credential. `tail` is
    what else belongs to the credential behind its head, `lead` are the bytes that belong to it right before the head,
    `keep` leading bytes stay visible, and `at_word_start` says that no letter or digit may stand before it.
    """

    id: RuleId
    vendor: str
    source: str
    heads: tuple[Head, ...]
    tail: Item | None
    lead: bytes
    at_word_start: bool
    keep: int
    caseless: bool
    generic: bool
    words: tuple[bytes, ...]
    shapes: tuple[tuple[Item, ...], ...]
    examples: tuple[bytes, ...]
    near_misses: tuple[bytes, ...]


def family_files() -> tuple[Path, ...]:
    """Lists the package's family files, ordered by name."""
    entries = sorted(Path(__file__).parent.iterdir(), key=lambda entry: entry.name)
    return tuple(entry for entry in entries if entry.name.endswith(".yaml"))


def load_rules() -> tuple[Rule, ...]:
    """Reads every family file; raises CatalogueError or the loader's error when one breaks its own rules."""
    rules = [rule for file in family_files() for rule in read_family(file.read_bytes(), file.name)]
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            message = f"{rule.id}: two rules of the catalogue share this id"
            raise CatalogueError(message)
        seen.add(rule.id)
    return tuple(rules)


def read_family(text: bytes, source: str) -> tuple[Rule, ...]:
    """Reads one family file; raises CatalogueError or the loader's error."""
    family = strict_yaml.load(text, source, _FamilyDocument)
    return tuple(_rule(document) for document in family.rules)


def _rule(document: _RuleDocument) -> Rule:
    complete = document.source.strip() and document.examples and document.near_misses
    if _ID.fullmatch(document.id) is None or not complete:
        message = f"{document.id}: needs a kebab-case id, a source, examples and near-misses"
        raise CatalogueError(message)
    if bool(document.heads) == bool(document.beside) or bool(document.beside) != bool(document.values):
        message = f"{document.id}: needs heads, or words with the values beside them"
        raise CatalogueError(message)
    if any(_WORD.fullmatch(word) is None for word in document.beside):
        message = f"{document.id}: a word is three lower-case characters or more"
        raise CatalogueError(message)
    examples = tuple(expand(example, document.id) for example in document.examples)
    try:
        shapes = tuple(tuple(Item(*item) for item in patterns.parse(value)) for value in document.values)
        tail = tuple(Item(*item) for item in patterns.parse(document.tail))
    except patterns.PatternError as error:
        message = f"{document.id}: {error}"
        raise CatalogueError(message) from error
    if len(tail) > 1 or any(item.least for item in tail):
        message = f"{document.id}: a tail is one class, from no times on, so that confirming a head cannot fail slowly"
        raise CatalogueError(message)
    return Rule(
        id=RuleId(document.id),
        vendor=document.vendor,
        source=document.source,
        heads=tuple(_head(document, head, examples) for head in document.heads),
        tail=tail[0] if tail else None,
        lead=_LEADS[document.lead],
        at_word_start=document.start == "word",
        keep=document.keep,
        caseless=document.caseless,
        generic=document.generic,
        words=tuple(word.encode("ascii") for word in document.beside),
        shapes=shapes,
        examples=examples,
        near_misses=tuple(expand(near_miss, document.id) for near_miss in document.near_misses),
    )


def _head(document: _RuleDocument, head: str, examples: tuple[bytes, ...]) -> Head:
    expression = head.encode("ascii")
    try:
        re.compile(b"(?<=" + expression + b")")  # a look-behind compiles only if its width is fixed
    except re.error as error:
        message = f"{document.id}: a head must have one fixed width"
        raise CatalogueError(message) from error
    pattern = re.compile(expression, re.IGNORECASE if document.caseless else re.NOFLAG)
    found = next((match for example in examples if (match := pattern.search(example))), None)
    if found is None:
        message = f"{document.id}: no example begins with the head {head}"
        raise CatalogueError(message)
    return Head(expression, found.end() - found.start())
