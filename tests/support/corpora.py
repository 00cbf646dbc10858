"""Loads the corpora of texts with secrets, of look-alikes and of harmless log lines.

A file is one category. `lines` has one case a line, `texts` has cases of several lines between lines of `%%`, `argv`
has one command a line, split as a shell splits it. A secret stands between « and »; `repeat` gives each case that many
sets of values. A file with `unseen: all` gives those who write rules nothing but its totals.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from corpus_fillers import expand

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1] / "corpora"
KEPT_TENTHS: Final = 6  # a secret leaks when so many tenths of it stay in one piece
_KEYS: Final = frozenset({"about", "unseen", "repeat", "encoding", "lines", "texts", "argv"})
_MARKED: Final = re.compile("«(.*?)»", re.DOTALL)
_TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class Case:
    """One text, or one list of arguments, and the secrets in it; `parts` has one member for a text."""

    name: str
    template: str
    category: str
    parts: tuple[bytes, ...]
    secrets: tuple[bytes, ...]
    is_argv: bool
    is_seen: bool = True  # whether those who write rules may look at it; the others give totals only


def secrets() -> tuple[Case, ...]:
    """Reads the cases that hold secrets."""
    return _folder("secrets")


def lookalikes() -> tuple[Case, ...]:
    """Reads the harmless texts that only look as if they held one."""
    return _folder("lookalikes")


def logs(lines: int = 42_000) -> tuple[tuple[str, bytes], ...]:
    """Makes at least so many log lines, each with the name of the system that it imitates."""
    templates = [(case.category, _texts(case)) for case in _files("logs")]
    rounds = -(-lines // sum(len(texts) for _, texts in templates))
    return tuple(
        (category, expand(text, f"{category}/{index}/{turn}").encode())
        for turn in range(rounds)
        for category, texts in templates
        for index, (text, _) in enumerate(texts)
    )


def keeps(output: bytes, secret: bytes) -> bool:
    """Says whether the output holds a piece of the secret that is long enough to count as a leak."""
    size = max(1, -(-len(secret) * KEPT_TENTHS // 10))
    return any(secret[start : start + size] in output for start in range(len(secret) - size + 1))


@dataclass(frozen=True, slots=True)
class _File:
    category: str
    repeat: int
    encoding: str
    is_seen: bool
    lines: tuple[str, ...]
    texts: tuple[str, ...]
    argv: tuple[str, ...]


def _files(folder: str) -> Iterator[_File]:
    for path in sorted((ROOT / folder).glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        unknown = set(document) - _KEYS
        if unknown:
            message = f"{path.name}: unknown keys {sorted(unknown)}"
            raise ValueError(message)
        if document.get("unseen", "all") != "all":
            message = f"{path.name}: a file is seen, or all of it is unseen"
            raise ValueError(message)
        blocks = re.split(r"(?m)^%%\n?", document.get("texts", ""))
        yield _File(
            category=path.stem,
            repeat=document.get("repeat", 1),
            encoding=document.get("encoding", "utf-8"),
            is_seen="unseen" not in document,
            lines=tuple(line for line in document.get("lines", "").splitlines() if line.strip()),
            texts=tuple(block.removesuffix("\n") for block in blocks if block.strip()),
            argv=tuple(line for line in document.get("argv", "").splitlines() if line.strip()),
        )


def _texts(file: _File) -> list[tuple[str, bool]]:
    return [(text, False) for text in file.lines + file.texts] + [(text, True) for text in file.argv]


def _folder(folder: str) -> tuple[Case, ...]:
    return tuple(
        _case(file, text, is_argv=is_argv, turn=turn)
        for file in _files(folder)
        for text, is_argv in _texts(file)
        for turn in range(file.repeat)
    )


def _case(file: _File, template: str, *, is_argv: bool, turn: int) -> Case:
    """Fills one template, with other values as long as chance has put a piece of a secret beside it as well."""
    name = f"{file.category}-{hashlib.sha256(template.encode()).hexdigest()[:10]}-{turn}"
    templates = shlex.split(template) if is_argv else [template]
    for attempt in range(_TRIES):
        filled = [expand(part, f"{name}/{attempt}/{index}") for index, part in enumerate(templates)]
        marked = [secret for part in filled for secret in _MARKED.findall(part)]
        around = "\0".join(_MARKED.sub("\0", part) for part in filled).encode(file.encoding)
        hidden = tuple(secret.encode(file.encoding) for secret in marked)
        if not any(keeps(around, secret) for secret in hidden):
            parts = tuple(_MARKED.sub(lambda found: found[1], part).encode(file.encoding) for part in filled)
            return Case(name, template, file.category, parts, hidden, is_argv, file.is_seen)
    message = f"{file.category}: what stands around a secret holds it too: {template!r}"
    raise ValueError(message)
