"""Reads the catalogue's files into compiled rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import msgspec

from leadglass_agent import strict_yaml
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.findings import RuleId

# A run that goes on after the documented length belongs to the credential: vendors lengthen their tokens.
_DEFAULT_TAIL = "[A-Za-z0-9_]{0,256}"
# Before a credential that stands alone there may yet be a letter or digit: the end of an escape in JSON or a URL, or of
# a terminal's colour.
_WORD_START = (
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})"
    rb"|(?<=\[m)|(?<=[\[;][0-9]m)|(?<=[\[;][0-9]{2}m)|(?<=[\[;][0-9]{3}m))"
)
_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LEAD_ALPHABETS = {
    "base64url": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "digits": b"0123456789",
}


class CatalogueError(Exception):
    """A rule of the catalogue is not what it says; the message names the rule."""


class _RuleDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    vendor: str
    heads: tuple[str, ...]
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]
    tail: str = _DEFAULT_TAIL
    start: Literal["word", "anywhere"] = "anywhere"
    lead: Literal["base64url", "digits", "none"] = "none"
    keep: int = 0
    caseless: bool = False
    generic: bool = False


class _FamilyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: str
    rules: tuple[_RuleDocument, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed-width beginning of a credential: what Hyperscan looks for, how wide it is, what confirms it."""

    expression: bytes
    width: int
    confirm: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class Rule:
    """One credential kind with its expanded examples and near-misses.

    `lead` are the bytes that belong to the credential when they stand right before its head; `keep` leading bytes stay
    visible.
    """

    id: RuleId
    vendor: str
    heads: tuple[Head, ...]
    lead: bytes
    keep: int
    caseless: bool
    generic: bool
    examples: tuple[bytes, ...]
    near_misses: tuple[bytes, ...]


def load_rules() -> tuple[Rule, ...]:
    """Reads every family file of the package, ordered by file name.

    Raises CatalogueError or the loader's error when a file breaks its own rules.
    """
    files = sorted(resources.files(__package__).iterdir(), key=lambda entry: entry.name)
    rules = [
        rule for file in files if file.name.endswith(".yaml") for rule in read_family(file.read_bytes(), file.name)
    ]
    if len({rule.id for rule in rules}) != len(rules):
        message = "two rules of the catalogue share an id"
        raise CatalogueError(message)
    return tuple(rules)


def read_family(text: bytes, source: str) -> tuple[Rule, ...]:
    """Reads one family file; raises CatalogueError or the loader's error."""
    family = strict_yaml.load(text, source, _FamilyDocument)
    return tuple(_compile(document) for document in family.rules)


def _compile(document: _RuleDocument) -> Rule:
    if _ID.fullmatch(document.id) is None or not document.examples or not document.near_misses:
        message = f"{document.id}: needs a kebab-case id, examples and near-misses"
        raise CatalogueError(message)
    tail = document.tail.encode("ascii")
    if re.fullmatch(tail, b"") is None:
        message = f"{document.id}: a tail must be optional, so that confirming a head cannot be slow and fail"
        raise CatalogueError(message)
    examples = tuple(expand(example, document.id) for example in document.examples)
    start = _WORD_START if document.start == "word" else b""
    flags = re.IGNORECASE if document.caseless else re.NOFLAG
    heads = tuple(_head(document.id, head.encode("ascii"), start, tail, flags, examples) for head in document.heads)
    return Rule(
        id=RuleId(document.id),
        vendor=document.vendor,
        heads=heads,
        lead=LEAD_ALPHABETS.get(document.lead, b""),
        keep=document.keep,
        caseless=document.caseless,
        generic=document.generic,
        examples=examples,
        near_misses=tuple(expand(near_miss, document.id) for near_miss in document.near_misses),
    )


def _head(rule: str, head: bytes, start: bytes, tail: bytes, flags: re.RegexFlag, examples: tuple[bytes, ...]) -> Head:
    try:
        re.compile(b"(?<=" + head + b")")  # a look-behind compiles only if its width is fixed
    except re.error as error:
        message = f"{rule}: a head must have one fixed width"
        raise CatalogueError(message) from error
    pattern = re.compile(head, flags)
    found = next((match for example in examples if (match := pattern.search(example))), None)
    if found is None:
        message = f"{rule}: no example begins with the head"
        raise CatalogueError(message)
    return Head(head, found.end() - found.start(), re.compile(start + b"(?:" + head + b")(?:" + tail + b")", flags))
