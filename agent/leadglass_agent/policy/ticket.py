"""Checks tickets against a small pattern language that cannot blow up.

A pattern is literal letters, digits and `-_./:#`, classes such as `[A-Z0-9]`, and after either a count `{n}` or
`{m,n}`; `|` separates alternatives. The whole ticket must fit: `OPS-[0-9]{1,8}|INC[0-9]{7}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_TICKET: Final = 100
MAX_PATTERN: Final = 200
MAX_ALTERNATIVES: Final = 8

_PIECE: Final = re.compile(r"(?:\[([A-Za-z0-9_.-]{1,40})\]|([A-Za-z0-9_./:#-]))(?:\{([0-9]{1,3})(?:,([0-9]{1,3}))?\})?")
_RANGES: Final = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")


class TicketPatternError(Exception):
    """A ticket pattern that the language does not have; its text says why and echoes nothing of it."""


@dataclass(frozen=True, slots=True)
class _Piece:
    characters: frozenset[str]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class TicketPattern:
    """A pattern that was read once; `text` is what the policy says."""

    text: str
    alternatives: tuple[tuple[_Piece, ...], ...]

    def fits(self, ticket: str) -> bool:
        """Says whether the whole ticket fits one of the alternatives."""
        return len(ticket) <= MAX_TICKET and any(_fits(pieces, ticket) for pieces in self.alternatives)


def parse_ticket_pattern(text: str) -> TicketPattern:
    """Reads a pattern; raises TicketPatternError if it is not one, or if an empty ticket would fit."""
    alternatives = text.split("|")
    if len(text) > MAX_PATTERN or len(alternatives) > MAX_ALTERNATIVES:
        message = f"a ticket pattern has at most {MAX_PATTERN} characters and {MAX_ALTERNATIVES} alternatives"
        raise TicketPatternError(message)
    pattern = TicketPattern(text, tuple(_pieces(alternative) for alternative in alternatives))
    if pattern.fits(""):
        message = "a ticket pattern must not fit an empty ticket"
        raise TicketPatternError(message)
    return pattern


def _pieces(alternative: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    at = 0
    while at < len(alternative):
        found = _PIECE.match(alternative, at)
        if found is None:
            message = (
                "a ticket pattern is made of letters, digits, '-_./:#', classes like [0-9], counts like {1,8} and '|'"
            )
            raise TicketPatternError(message)
        least = int(found[3]) if found[3] else 1
        most = int(found[4]) if found[4] else least
        if not least <= most <= MAX_TICKET:
            message = f"a count in a ticket pattern runs upwards and to at most {MAX_TICKET}"
            raise TicketPatternError(message)
        pieces.append(_Piece(_characters(found[1]) if found[1] else frozenset(found[2]), least, most))
        at = found.end()
    return tuple(pieces)


def _characters(members: str) -> frozenset[str]:
    characters: set[str] = set()
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            first, last = members[at], members[at + 2]
            run = next((run for run in _RANGES if first in run and last in run), "")
            if not run or run.index(first) > run.index(last):
                message = "a range in a ticket pattern runs upwards within a-z, A-Z or 0-9"
                raise TicketPatternError(message)
            characters.update(run[run.index(first) : run.index(last) + 1])
            at += 3
        else:
            characters.add(members[at])
            at += 1
    return frozenset(characters)


def _fits(pieces: tuple[_Piece, ...], ticket: str) -> bool:
    # The set of places reached so far: each piece costs at most ticket length × count, whatever the ticket holds.
    reached = {0}
    for piece in pieces:
        landed: set[int] = set()
        for start in reached:
            at = start
            for taken in range(piece.most + 1):
                if taken >= piece.least:
                    landed.add(at)
                if at >= len(ticket) or ticket[at] not in piece.characters:
                    break
                at += 1
        reached = landed
    return len(ticket) in reached
