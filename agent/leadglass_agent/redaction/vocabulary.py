"""Reads the words of key names and plain values from their data file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from leadglass_agent import strict_yaml


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name_parts: str
    key_parts: str
    passwords: str
    plain_pass_words: str
    secrets: str
    tokens: str
    credentials: str
    secret_key_owners: str
    plain_key_owners: str
    neutral_suffixes: str
    plain_suffixes: str
    secret_references: str
    switches: str
    plain_values: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words, each entry under its name in the file."""

    name_parts: tuple[str, ...]
    key_parts: tuple[str, ...]
    passwords: frozenset[str]
    plain_pass_words: frozenset[str]
    secrets: frozenset[str]
    tokens: frozenset[str]
    credentials: frozenset[str]
    secret_key_owners: frozenset[str]
    plain_key_owners: frozenset[str]
    neutral_suffixes: frozenset[str]
    plain_suffixes: frozenset[str]
    secret_references: frozenset[str]
    switches: frozenset[str]
    plain_values: frozenset[bytes]


def _read() -> Vocabulary:
    file = Path(__file__).parent / "vocabulary.yaml"
    document = strict_yaml.load(file.read_bytes(), file.name, _Document)
    return Vocabulary(
        name_parts=tuple(part.replace("~", " ") for part in document.name_parts.split()),
        key_parts=tuple(document.key_parts.split()),
        passwords=frozenset(document.passwords.split()),
        plain_pass_words=frozenset(document.plain_pass_words.split()),
        secrets=frozenset(document.secrets.split()),
        tokens=frozenset(document.tokens.split()),
        credentials=frozenset(document.credentials.split()),
        secret_key_owners=frozenset(document.secret_key_owners.split()),
        plain_key_owners=frozenset(document.plain_key_owners.split()),
        neutral_suffixes=frozenset(document.neutral_suffixes.split()),
        plain_suffixes=frozenset(document.plain_suffixes.split()),
        secret_references=frozenset(document.secret_references.split()),
        switches=frozenset(document.switches.split()),
        plain_values=frozenset(document.plain_values.encode().split()),
    )


VOCABULARY: Final = _read()
