"""Makes letter_pairs.py: `python -m leadglass_agent.redaction.letter_pairs_build docs > letter_pairs.py`."""

from __future__ import annotations

import importlib
import keyword
import math
import re
import sys
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
# Eighths of a bit; a table of bytes holds up to 99 of them in two digits.
_STEPS: Final = 8
_MOST: Final = 99
# A word that every page repeats counts no more than four different ones.
_MOST_WEIGHT: Final = 4
_HUMP: Final = re.compile(r"([a-z])([A-Z])")
_WORD: Final = re.compile(r"[a-z]{3,}")
# Importing these opens a browser or prints.
_NOISY: Final = frozenset({"antigravity", "this", "idlelib"})


def main() -> int:
    """Prints the table's module from the words of the pages in a folder and the names of Python's own library."""
    words = _words(page.read_text(encoding="utf-8") for page in sorted(Path(sys.argv[1]).rglob("*.md")))
    weights = {word: min(_MOST_WEIGHT, 1 + count) for word, count in words.items()}
    for name in _names():
        for word in _words([name]):
            weights.setdefault(word, 1)
    sys.stdout.write(_module(_costs(weights)))
    return 0


def _words(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(_HUMP.sub(r"\1 \2", text).lower()))


def _names() -> set[str]:
    names = {*sys.stdlib_module_names, *keyword.kwlist}
    for module in sorted(sys.stdlib_module_names - _NOISY):
        if not module.startswith("_"):
            try:
                with warnings.catch_warnings(action="ignore"):
                    names.update(dir(importlib.import_module(module)))
            except ImportError:  # a module of another operating system
                continue
    return names


def _costs(weights: dict[str, int]) -> list[list[int]]:
    counts = [[1] * len(_LETTERS) for _ in _LETTERS]
    for word, weight in weights.items():
        for first, second in pairwise(word):
            counts[ord(first) - ord("a")][ord(second) - ord("a")] += weight
    return [[min(_MOST, round(-_STEPS * math.log2(count / sum(row)))) for count in row] for row in counts]


def _module(costs: list[list[int]]) -> str:
    rows = "\n".join(
        f"    {' '.join(f'{cost:02}' for cost in row)}  # {letter}" for letter, row in zip(_LETTERS, costs, strict=True)
    )
    return f'''"""How rare each letter is behind each other one, in eighths of a bit; made by letter_pairs_build.py."""

from __future__ import annotations

from typing import Final

# A row for each first letter, a column for each second one, both from a to z.
_ROWS: Final = """
{rows}
"""

PAIR_COST: Final = bytes([int(cost) for row in _ROWS.strip().splitlines() for cost in row.partition("#")[0].split()])
'''


if __name__ == "__main__":
    sys.exit(main())
