"""Counts what a run of bytes is made of: letters, digits, signs, and how often they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.tables import DIGITS, LOWER, UPPER

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

IS_LOWER: Final = 1
IS_UPPER: Final = 2
IS_DIGIT: Final = 4
IS_JOINER: Final = 8
IS_SIGN: Final = 16
IS_HIGH: Final = 32
IS_BREAK: Final = 0


def _classes() -> bytes:
    table = bytearray(256)
    for members, kind in (
        (LOWER, IS_LOWER),
        (UPPER, IS_UPPER),
        (DIGITS, IS_DIGIT),
        (b"._-~+%", IS_JOINER),
        (b"!#$^&*?@", IS_SIGN),
        (bytes(range(0x80, 0x100)), IS_HIGH),
    ):
        for byte in members:
            table[byte] = kind
    return bytes(table)


CLASS: Final = _classes()
LETTER: Final = IS_LOWER | IS_UPPER | IS_HIGH

_PLUS: Final = 0x2B
_LAST_HEX_UPPER: Final = 0x46
_LAST_HEX_LOWER: Final = 0x66
_MIN_GROUP: Final = 4
_MAX_GROUP: Final = 6


@final
class Counts:
    """What a run is made of; `best_*` describe its longest stretch of letters and digits."""

    __slots__ = (
        "best_changes",
        "best_digit_runs",
        "best_end",
        "best_is_hex",
        "best_start",
        "changes",
        "digit_runs",
        "digits",
        "groups",
        "joiners",
        "lower",
        "signs",
        "upper",
    )

    def __init__(self) -> None:
        self.lower: i64 = 0
        self.upper: i64 = 0
        self.digits: i64 = 0
        self.signs: i64 = 0
        self.joiners: i64 = 0
        self.changes: i64 = 0
        self.digit_runs: i64 = 0
        # How many equally long stretches the joiners part; 0 when they differ.
        self.groups: i64 = 0
        self.best_start: i64 = 0
        self.best_end: i64 = 0
        self.best_changes: i64 = 0
        self.best_digit_runs: i64 = 0
        self.best_is_hex = False


def count(data: bytes, start: int, end: int) -> Counts:  # noqa: C901, PLR0912, PLR0915 - one walk for all figures
    """Counts the bytes start to end in one walk."""
    counts = Counts()
    classes = CLASS
    before: i64 = 0
    run: i64 = start
    run_changes: i64 = 0
    run_digits: i64 = 0
    run_is_hex = True
    group: i64 = -1
    position: i64 = start
    stop: i64 = end
    lower: i64 = 0
    upper: i64 = 0
    digits: i64 = 0
    kind: i64 = 0
    byte: i64 = 0
    length: i64 = 0
    while position <= stop:
        kind = 0
        if position < stop:
            byte = data[position]
            kind = classes[byte]
        if kind == IS_LOWER:
            lower += 1
            if before == IS_DIGIT:
                run_changes += 1
            if byte > _LAST_HEX_LOWER:
                run_is_hex = False
        elif kind == IS_DIGIT:
            digits += 1
            if before != IS_DIGIT:
                run_digits += 1
                if before == IS_LOWER or before == IS_UPPER:  # noqa: PLR1714, SIM109 - compiled, a tuple costs more
                    run_changes += 1
        elif kind == IS_UPPER:
            upper += 1
            if before == IS_LOWER or before == IS_DIGIT:  # noqa: PLR1714, SIM109 - as above
                run_changes += 1
            if byte > _LAST_HEX_UPPER:
                run_is_hex = False
        elif kind != IS_JOINER or byte != _PLUS:
            if position < stop:
                if kind == IS_JOINER:
                    counts.joiners += 1
                elif kind == IS_SIGN:
                    counts.signs += 1
                else:
                    lower += 1
            length = position - run
            if position < stop and kind != IS_JOINER:
                group = 0
            elif group != 0 and _MIN_GROUP <= length <= _MAX_GROUP and group in (-1, length):
                group = length
                counts.groups += 1
            else:
                group = 0
            counts.changes += run_changes
            counts.digit_runs += run_digits
            if length > counts.best_end - counts.best_start:
                counts.best_start = run
                counts.best_end = position
                counts.best_changes = run_changes
                counts.best_digit_runs = run_digits
                counts.best_is_hex = run_is_hex
            run = position + 1
            run_changes = 0
            run_digits = 0
            run_is_hex = True
        before = kind
        position += 1
    if group == 0:
        counts.groups = 0
    counts.lower = lower
    counts.upper = upper
    counts.digits = digits
    return counts
