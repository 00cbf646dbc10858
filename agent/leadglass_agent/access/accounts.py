"""The words of disclosure budgets: whose budget it is, what a reply adds to it, what of it is spent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol, TypeAlias

import msgspec

AccountKey = NewType("AccountKey", str)
ItemDigest: TypeAlias = bytes


class Dimension(StrEnum):
    """What a budget bounds; the names are those of leadglass.v1.BudgetLine."""

    CALLS = "calls"
    ROWS = "rows"
    NAMES = "names"
    PATHS = "paths"
    REPLY_BYTES = "reply_bytes"
    ANSWERS = "answers"


class Bounds(Protocol):
    """How much may be disclosed; a policy's Budget and a grant's GrantBudget both are that."""

    @property
    def calls(self) -> int | None: ...  # noqa: D102 - a field of Budget
    @property
    def rows(self) -> int | None: ...  # noqa: D102 - a field of Budget
    @property
    def names(self) -> int | None: ...  # noqa: D102 - a field of Budget
    @property
    def paths(self) -> int | None: ...  # noqa: D102 - a field of Budget
    @property
    def reply_bytes(self) -> int | None: ...  # noqa: D102 - a field of Budget
    @property
    def answers(self) -> int | None: ...  # noqa: D102 - a field of Budget


@dataclass(frozen=True, slots=True)
class Shown:
    """What one reply discloses."""

    calls: int = 0
    rows: int = 0
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    reply_bytes: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Whose budget it is: one session's, or one grant's over all sessions that carry it.

    `grant_id` is empty, and `until_unix` is 0, for a session's.
    """

    key: AccountKey
    budget: Bounds
    grant_id: str = ""
    until_unix: int = 0


class Spent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="entry", tag="spent"):
    """What a grant has spent by now, for the journal: counters in all, and items of which some may be new.

    Reading an entry twice, or two in the other order, gives the same: the larger counter and the union count.
    """

    key: AccountKey
    until_unix: int
    counters: dict[Dimension, int] = {}
    names: tuple[ItemDigest, ...] = ()
    paths: tuple[ItemDigest, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One bound of an account, and what of it is used."""

    what: Dimension
    spent: int
    allowed: int


def session_account(session_id: str, budget: Bounds) -> Account:
    """Gives the account of one session; it outlives no restart, as the session does not."""
    return Account(AccountKey(f"session:{session_id}"), budget)


def grant_account(grant_id: str, budget: Bounds, not_after_unix: int, requester_key: str = "") -> Account:
    """Gives the account of one grant; ids are their requesters' choice, so that the key is part of what it is."""
    return Account(AccountKey(f"grant:{grant_id}:{requester_key}"), budget, grant_id, not_after_unix)
