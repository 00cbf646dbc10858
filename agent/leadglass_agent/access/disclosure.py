"""Counts what sessions and grants have disclosed, and refuses what would go beyond their budgets."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.accounts import Dimension, Line, Spent
from leadglass_agent.errors import BudgetSpent
from leadglass_agent.policy.model import Budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.access.accounts import Account, AccountKey, Bounds, ItemDigest, Shown
    from leadglass_agent.clock import Instant

MAX_ACCOUNTS: Final = 8_192
MAX_ITEMS: Final = 200_000  # of all accounts together: some 25 MB
MAX_ITEMS_OF_ONE: Final = MAX_ITEMS // 4  # else one wide grant keeps all others from counting
# A grant cannot be opened after its end, but a wall clock that is set back makes that end come twice.
KEEP_SECONDS: Final = 24 * 60 * 60

_UNDER_WAY_NS: Final = 60 * 1_000_000_000  # longer than any call goes on once its session has ended
_DIGEST_BYTES: Final = 16
_ENTRY_ITEMS: Final = 1_000  # keeps a line of the journal below 64 KiB


@dataclass(slots=True)
class _Ledger:
    """The mutable counts of one account: only of what its budget bounds."""

    until_unix: int
    ended_boot_ns: int | None = None
    counters: dict[Dimension, int] = field(default_factory=dict)
    items: dict[Dimension, set[ItemDigest]] = field(default_factory=dict)

    def spent(self, dimension: Dimension) -> int:
        return self.counters.get(dimension, 0) + len(self.items.get(dimension, ()))

    def item_count(self) -> int:
        return sum(len(items) for items in self.items.values())


@dataclass(frozen=True, slots=True)
class _Change:
    """What one reply adds to one account."""

    account: Account
    counters: Mapping[Dimension, int]
    items: Mapping[Dimension, frozenset[ItemDigest]]


class Disclosure:
    """All accounts of one agent. Names and paths are kept as digests: the counts need no more."""

    def __init__(self) -> None:
        self._ledgers: OrderedDict[AccountKey, _Ledger] = OrderedDict()
        self._item_count = 0

    def spend(self, accounts: Iterable[Account], shown: Shown) -> tuple[Spent, ...]:
        """Counts what a reply discloses on all accounts, or on none and raises BudgetSpent.

        Returns the entries that have to be durable before the reply leaves; accounts of sessions have none.
        """
        unique = {account.key: account for account in accounts}
        counters, items = _counters(shown), _items(shown)
        changes = tuple(self._change(account, counters, items) for account in unique.values())
        more = sum(len(new) for change in changes for new in change.items.values())
        new_accounts = sum(change.account.key not in self._ledgers for change in changes)
        if any(self._size_with(change) > MAX_ITEMS_OF_ONE for change in changes):
            detail = "this account has no room to count more"
            raise BudgetSpent(detail)
        if self._item_count + more > MAX_ITEMS or len(self._ledgers) + new_accounts > MAX_ACCOUNTS:
            detail = "the agent has no room to count more"
            raise BudgetSpent(detail)
        for change in changes:
            self._apply(change)
        return tuple(entry for change in changes for entry in self._entries(change))

    def lines(self, account: Account) -> tuple[Line, ...]:
        """Tells each bound of the account and what of it is spent; nothing is said of what is not bounded."""
        ledger = self._ledgers.get(account.key, _Ledger(account.until_unix))
        return tuple(Line(what, ledger.spent(what), allowed) for what, allowed in _allowed(account.budget).items())

    def room(self, accounts: Iterable[Account]) -> Budget:
        """Tells how much is left before the first of the accounts is spent, so that a page can be made to fit."""
        least: dict[str, int] = {}
        for account in accounts:
            for line in self.lines(account):
                left = max(0, line.allowed - line.spent)
                least[line.what.value] = min(left, least.get(line.what.value, left))
        return Budget(**least)

    def retain(self, open_sessions: frozenset[AccountKey], now: Instant) -> None:
        """Drops the accounts of sessions that ended a minute ago: what was under way at their end counted on till then.

        Ask each second, with the accounts of the sessions that are open.
        """
        for key, ledger in tuple(self._ledgers.items()):
            if ledger.until_unix or key in open_sessions:
                ledger.ended_boot_ns = None
            elif ledger.ended_boot_ns is None:
                ledger.ended_boot_ns = now.boot_ns
            elif now.boot_ns - ledger.ended_boot_ns > _UNDER_WAY_NS:
                self._forget(key)

    def prune(self, now_unix: int) -> None:
        """Drops the accounts of grants that ended a day ago."""
        over = [key for key, ledger in self._ledgers.items() if 0 < ledger.until_unix < now_unix - KEEP_SECONDS]
        for key in over:
            self._forget(key)

    def snapshot(self) -> tuple[Spent, ...]:
        """Returns all that the accounts of grants have spent, in entries of bounded size."""
        return tuple(
            entry
            for key, ledger in self._ledgers.items()
            if ledger.until_unix
            for entry in _split(
                key, ledger, ledger.items.get(Dimension.NAMES, ()), ledger.items.get(Dimension.PATHS, ())
            )
        )

    def restore(self, entries: Iterable[Spent]) -> None:
        """Takes back what was written before a restart."""
        for entry in entries:
            ledger = self._ledgers.setdefault(entry.key, _Ledger(entry.until_unix))
            ledger.until_unix = max(ledger.until_unix, entry.until_unix)
            for what, count in entry.counters.items():
                ledger.counters[what] = max(count, ledger.counters.get(what, 0))
            before = ledger.item_count()
            for what, digests in ((Dimension.NAMES, entry.names), (Dimension.PATHS, entry.paths)):
                if digests:
                    ledger.items.setdefault(what, set()).update(digests)
            self._item_count += ledger.item_count() - before

    def _forget(self, key: AccountKey) -> None:
        self._item_count -= self._ledgers.pop(key).item_count()

    def _change(
        self,
        account: Account,
        counters: Mapping[Dimension, int],
        items: Mapping[Dimension, frozenset[ItemDigest]],
    ) -> _Change:
        """Works out what the reply adds to an account; raises BudgetSpent if that is more than is left."""
        ledger = self._ledgers.get(account.key, _Ledger(account.until_unix))
        allowed = _allowed(account.budget)
        added = {what: count for what, count in counters.items() if what in allowed and count}
        new = {what: digests - ledger.items.get(what, set()) for what, digests in items.items() if what in allowed}
        for what, most in allowed.items():
            more = added.get(what, 0) + len(new.get(what, ()))
            # A call that adds nothing is no disclosure, even if a bound was spent to the last.
            if more and ledger.spent(what) + more > most:
                detail = (
                    f"{account.key}: {ledger.spent(what)} of {most} {what.value} are spent, and this is {more} more"
                )
                raise BudgetSpent(detail)
        return _Change(account, added, {what: digests for what, digests in new.items() if digests})

    def _size_with(self, change: _Change) -> int:
        ledger = self._ledgers.get(change.account.key)
        return (ledger.item_count() if ledger else 0) + sum(len(new) for new in change.items.values())

    def _apply(self, change: _Change) -> None:
        if not change.counters and not change.items:
            return
        ledger = self._ledgers.setdefault(change.account.key, _Ledger(change.account.until_unix))
        for what, count in change.counters.items():
            ledger.counters[what] = ledger.counters.get(what, 0) + count
        for what, digests in change.items.items():
            ledger.items.setdefault(what, set()).update(digests)
            self._item_count += len(digests)

    def _entries(self, change: _Change) -> tuple[Spent, ...]:
        if not change.account.until_unix or not (change.counters or change.items):
            return ()
        names, paths = change.items.get(Dimension.NAMES, ()), change.items.get(Dimension.PATHS, ())
        return _split(change.account.key, self._ledgers[change.account.key], names, paths)


def _allowed(budget: Bounds) -> dict[Dimension, int]:
    bounds = {
        Dimension.CALLS: budget.calls,
        Dimension.ROWS: budget.rows,
        Dimension.NAMES: budget.names,
        Dimension.PATHS: budget.paths,
        Dimension.REPLY_BYTES: budget.reply_bytes,
        Dimension.ANSWERS: budget.answers,
    }
    return {what: most for what, most in bounds.items() if most is not None}


def _counters(shown: Shown) -> dict[Dimension, int]:
    return {
        Dimension.CALLS: shown.calls,
        Dimension.ROWS: shown.rows,
        Dimension.REPLY_BYTES: shown.reply_bytes,
        Dimension.ANSWERS: shown.answers,
    }


def _items(shown: Shown) -> dict[Dimension, frozenset[ItemDigest]]:
    return {
        Dimension.NAMES: frozenset(map(_digest, shown.names)),
        Dimension.PATHS: frozenset(map(_digest, shown.paths)),
    }


def _digest(item: str) -> ItemDigest:
    return hashlib.sha256(item.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]


def _split(
    key: AccountKey, ledger: _Ledger, names: Iterable[ItemDigest], paths: Iterable[ItemDigest]
) -> tuple[Spent, ...]:
    """Gives entries of at most a thousand items each; the counters stand in all of them."""
    items = [(Dimension.NAMES, name) for name in sorted(names)] + [(Dimension.PATHS, path) for path in sorted(paths)]
    parts = [items[at : at + _ENTRY_ITEMS] for at in range(0, len(items), _ENTRY_ITEMS)] or [[]]
    return tuple(
        Spent(
            key=key,
            until_unix=ledger.until_unix,
            counters=dict(ledger.counters),
            names=tuple(item for what, item in part if what is Dimension.NAMES),
            paths=tuple(item for what, item in part if what is Dimension.PATHS),
        )
        for part in parts
    )
