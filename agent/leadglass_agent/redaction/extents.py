"""Says where a value begins and ends, or that there is none."""

from __future__ import annotations

from typing import Final, TypeAlias

from leadglass_agent.redaction.tables import SPACE

# Bytes start to end, and whether quotes of its own delimit the value; a start below zero is no value.
Value: TypeAlias = tuple[int, int, bool]
NONE: Final[Value] = (-1, -1, False)
# Certainly no value: nothing further is tried.
EMPTY: Final[Value] = (-2, -2, True)
NOT_FOUND: Final = -1

# A longer value is cut here and what follows goes on as text of its own; PEM bodies have their own rule.
MAX_VALUE: Final = 65_536


def trimmed(data: bytes, start: int, end: int) -> Value:
    """Gives the value without the space behind it, or NONE when nothing is left."""
    while end > start and SPACE[data[end - 1]]:
        end -= 1
    return (start, end, False) if end > start else NONE
