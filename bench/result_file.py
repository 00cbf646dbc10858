"""What a benchmark found, row by row, and the JSON file that it is kept in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_DIGITS = 4


class Unit(StrEnum):
    """Units of the rows; they also say on which side of its limit a value is good."""

    MEGABYTES_PER_SECOND = "MB/s"
    RATIO = "ratio"
    SHARE = "share"
    MEGABYTES = "MB"
    MILLISECONDS = "ms"
    MICROSECONDS = "µs"
    SECONDS = "s"
    MEBIBYTES = "MiB"
    PERCENT = "%"
    CALLS_PER_SECOND = "calls/s"
    STREAMS = "streams"

    @property
    def more_is_better(self) -> bool:
        """Says whether a limit of this unit is a least value."""
        return self in _MORE_IS_BETTER


_MORE_IS_BETTER = frozenset({Unit.MEGABYTES_PER_SECOND, Unit.RATIO, Unit.SHARE, Unit.CALLS_PER_SECOND, Unit.STREAMS})


@dataclass(frozen=True, slots=True)
class Result:
    """One row: a value with its unit, the limit that it is held to, and what others reach in the same run."""

    name: str
    value: float
    unit: Unit
    limit: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """Says whether the value is on the good side of its limit; None without a limit."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.unit.more_is_better else self.value <= self.limit


def write_results(results: Sequence[Result], file: Path) -> None:
    """Writes all rows as one JSON list, numbers with four digits that count."""
    rows = [
        {
            "name": result.name,
            "value": rounded(result.value),
            "unit": result.unit.value,
            "limit": None if result.limit is None else rounded(result.limit),
            "peers": {name: rounded(value) for name, value in result.peers.items()},
        }
        for result in results
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(value: float) -> float:
    """Rounds to four digits that count."""
    return float(f"{value:.{_DIGITS}g}")
