"""Times a contender on texts, and counts the secrets that it lets through."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contenders import build
from generated_texts import Texts, generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from contenders import Contender

# A secret counts as leaked when this share of it is left in one piece.
_LEAKED_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class TextsName:
    """Names texts: a kind and a size for generated ones; with a folder, as much of the files in it."""

    kind: str
    size_bytes: int
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """Time of one pass over some texts."""

    size_bytes: int
    calls: int
    cpu_seconds: float  # of all threads, so that whoever uses two cores is not twice as good
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the secrets stay behind the mask."""

    masked: int
    secrets: int


def get_ready(name: str) -> str:
    """Builds a contender and gives its name back; raises ImportError if its package is missing."""
    _contender(name)
    return name


def time_passes(name: str, texts: TextsName, at_least_seconds: float) -> Timing:
    """Times passes over the texts until they took so long; one more before them warms up."""
    run = _prepared(name, texts)
    loaded = _load(texts)
    gc.collect()
    passes, cpu, wall = 0, time.process_time(), time.perf_counter()
    while passes == 0 or time.process_time() - cpu < at_least_seconds:
        run()
        passes += 1
    cpu_seconds, wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
    return Timing(loaded.size_bytes, len(loaded.calls), cpu_seconds / passes, wall_seconds / passes)


def count_masked(name: str, texts: TextsName) -> Recall:
    """Counts the secrets of the texts that the contender masks."""
    loaded = _load(texts)
    left = list(_contender(name).masked(loaded))
    leaked = sum(remains(left[secret.call], secret.value) for secret in loaded.secrets)
    return Recall(len(loaded.secrets) - leaked, len(loaded.secrets))


def remains(text: bytes, value: bytes) -> bool:
    """Says whether 60 % or more of a value is left in one piece."""
    length = max(1, -(-len(value) * int(_LEAKED_SHARE * 100) // 100))
    return any(value[start : start + length] in text for start in range(len(value) - length + 1))


@lru_cache
def _contender(name: str) -> Contender:
    return build(name)


@lru_cache(maxsize=16)
def _prepared(name: str, texts: TextsName) -> Callable[[], object]:
    run = _contender(name).prepare(_load(texts))
    run()
    return run


@lru_cache(maxsize=8)
def _load(name: TextsName) -> Texts:
    return _files(name) if name.folder else generate(name.kind, name.size_bytes)


def _files(name: TextsName) -> Texts:
    calls: list[tuple[bytes, ...]] = []
    left = name.size_bytes
    for file in sorted(path for path in Path(name.folder).rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            # Some detectors take UTF-8 alone.
            text = stream.read(left).decode("utf-8", "replace").encode()
        left -= len(text)
        if text:
            calls.append((text,))
        if left <= 0:
            break
    return Texts(name.kind, ".log", tuple(calls), ())
