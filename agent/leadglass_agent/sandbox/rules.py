"""The words in which a filter is written: system calls by name, and conditions on the bits of their arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# The kernel takes 32 bits of an argument that it calls int or unsigned int, whatever lies above them.
INT: Final = 0xFFFF_FFFF
LONG: Final = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Bits:
    """Holds if the bits of one argument under a mask are one of the values, or with `outside` none of them."""

    argument: int
    mask: int
    values: frozenset[int]
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Admits one system call: always, or if all conditions of any of the alternatives hold."""

    call: str
    any_of: tuple[tuple[Bits, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class Filter:
    """An allow-list: what is not listed answers EPERM, and what is `absent` or newer than our tables ENOSYS."""

    rules: tuple[Rule, ...]
    absent: frozenset[str]


def always(*calls: str) -> tuple[Rule, ...]:
    """Admits calls whatever their arguments are."""
    return tuple(Rule(call) for call in calls)


def when(call: str, *conditions: Bits) -> tuple[Rule, ...]:
    """Admits a call if all conditions hold."""
    return (Rule(call, (conditions,)),)


def bits(argument: int, mask: int, *values: int) -> Bits:
    """Asks the bits under a mask for one of several values."""
    return Bits(argument, mask, frozenset(values))


def union(*groups: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Merges rules: a call is admitted if any group admits it; sorted by name, without duplicates."""
    found: dict[str, list[tuple[Bits, ...]]] = {}
    for rule in (rule for group in groups for rule in group):
        kept = found.setdefault(rule.call, [])
        kept += [alternative for alternative in rule.any_of if alternative not in kept]
    return tuple(Rule(call, ((),) if () in found[call] else tuple(found[call])) for call in sorted(found))
