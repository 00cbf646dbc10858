"""Opens the books of access: sessions, reveals and what was disclosed, the journal behind them, and the recordings."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent import clock
from leadglass_agent.access.accounts import Spent
from leadglass_agent.access.disclosure import Disclosure
from leadglass_agent.access.halt_reviews import HaltOwed, HaltReviewed, HaltReviews
from leadglass_agent.access.journal import Journal, JournalRefused, journal_path
from leadglass_agent.access.reveals import RevealBook
from leadglass_agent.access.session import SessionBook
from leadglass_agent.api.journal_writer import JournalWriter
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from leadglass_agent.access.journal import Entry
    from leadglass_agent.recordings.recorder import Recorder

_ID_BYTES = 24


@dataclass(frozen=True, slots=True)
class Books:
    """What is remembered of access; the journal keeps what must outlive a restart, recordings what was shown.

    `is_new` says that there was no journal: nothing is known any more of what grants have spent.
    """

    sessions: SessionBook
    reveals: RevealBook
    halt_reviews: HaltReviews
    disclosure: Disclosure
    journal: JournalWriter
    is_new: bool
    recordings: Recorder | None

    def close(self) -> None:
        """Ends the recordings, and closes the journal."""
        if self.recordings is not None:
            self.recordings.close(clock.now())
        self.journal.close()


def new_id() -> str:
    """Draws an id of 192 random bits that can be typed: one that begins with a dash would look like an option."""
    while (drawn := secrets.token_urlsafe(_ID_BYTES)).startswith("-"):
        pass
    return drawn


async def open_books(audit_path: Path, recordings: Recorder | None) -> Books:
    """Opens the journal and takes back what it holds; raises StartRefused or AuditUnavailable."""
    try:
        opened = Journal.open(journal_path(audit_path))
    except JournalRefused as error:
        raise StartRefused(str(error)) from None
    sessions = SessionBook(new_id)
    reveals = RevealBook(new_id)
    halt_reviews = HaltReviews(new_id)
    disclosure = Disclosure()
    disclosure.restore(entry for entry in opened.entries if isinstance(entry, Spent))
    halt_reviews.restore(entry for entry in opened.entries if isinstance(entry, HaltOwed | HaltReviewed))
    reveals.restore(entry for entry in opened.entries if not isinstance(entry, Spent | HaltOwed | HaltReviewed))

    def snapshot() -> Iterable[Entry]:
        return (*disclosure.snapshot(), *reveals.snapshot(), *halt_reviews.snapshot())

    journal = JournalWriter(opened.journal, snapshot)
    await journal.compact()
    return Books(sessions, reveals, halt_reviews, disclosure, journal, opened.is_new, recordings)
