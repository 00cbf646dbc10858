"""What the engines hold already comes to disk, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.access.accounts import Shown, Spent, grant_account
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.access.grant import GrantBudget
from leadglass_agent.access.journal import Journal
from leadglass_agent.api.journal_writer import JournalWriter

if TYPE_CHECKING:
    from pathlib import Path

_ACCOUNT = grant_account("grant", GrantBudget(names=10), not_after_unix=4_000_000_000)


async def test_what_waits_for_its_turn_is_written_though_its_caller_goes_away(tmp_path: Path) -> None:
    disclosure = Disclosure()
    journal = JournalWriter(Journal.open(tmp_path / "spent").journal, disclosure.snapshot)
    await journal.compact()
    first = asyncio.create_task(journal.append(disclosure.spend((_ACCOUNT,), Shown(names=frozenset({"A"})))))
    left = asyncio.create_task(journal.append(disclosure.spend((_ACCOUNT,), Shown(names=frozenset({"B"})))))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await first
    # The name counts already, so that another who is shown it has nothing more to write.
    assert disclosure.spend((_ACCOUNT,), Shown(names=frozenset({"B"}))) == ()
    await journal.append(disclosure.spend((_ACCOUNT,), Shown(names=frozenset({"C"}))))
    journal.close()
    restored = Disclosure()
    restored.restore(entry for entry in Journal.open(tmp_path / "spent").entries if isinstance(entry, Spent))
    assert restored.lines(_ACCOUNT)[0].spent == 3
