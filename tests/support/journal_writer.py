"""Spends a grant's budget until it is killed, and says after each call how much is durably spent."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from leadglass_agent.access.accounts import Shown, Spent, grant_account
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.access.grant import GrantBudget
from leadglass_agent.access.journal import Journal

ACCOUNT = grant_account("grant", GrantBudget(calls=10**9, names=10**5), not_after_unix=4_000_000_000)
_COMPACT_EVERY = 7


def restored(entries: tuple[object, ...]) -> Disclosure:
    """Gives the accounts as a journal has kept them."""
    disclosure = Disclosure()
    disclosure.restore(entry for entry in entries if isinstance(entry, Spent))
    return disclosure


def calls_spent(disclosure: Disclosure) -> tuple[int, int]:
    """Gives the calls and the names that are spent."""
    calls, names = (line.spent for line in disclosure.lines(ACCOUNT))
    return calls, names


def main() -> None:
    """Runs for ever."""
    opened = Journal.open(Path(sys.argv[1]))
    disclosure = restored(opened.entries)
    opened.journal.compact(disclosure.snapshot())
    first, _ = calls_spent(disclosure)
    for number in count(first + 1):
        entries = disclosure.spend((ACCOUNT,), Shown(calls=1, names=frozenset({f"NAME_{number}"})))
        if number % _COMPACT_EVERY:
            opened.journal.append(entries)
        else:
            opened.journal.compact(disclosure.snapshot())
        print(number, flush=True)  # noqa: T201 - its reader is the test


if __name__ == "__main__":
    main()
