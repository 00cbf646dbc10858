"""The book of halts' reviews: each halt owes one, somebody else closes it, and no restart forgets it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.halt_reviews import (
    MAX_OWED,
    HaltEntry,
    HaltOwed,
    HaltReviewed,
    HaltReviewId,
    HaltReviews,
    HaltSeen,
)
from leadglass_agent.access.journal import Journal
from leadglass_agent.clock import Instant
from leadglass_agent.errors import ReasonRefused, Refusal, ReviewUnknown
from policies import ALICE, BOB, MALLORY

if TYPE_CHECKING:
    from pathlib import Path

_NOW = Instant(boot_ns=0, unix_ns=7)
_FINDING = "a script of the deployment that nobody had announced"
_HALT = HaltSeen(
    caller=MALLORY, cause="SENSITIVE_PATHS", session_id="s-1", ticket="OPS-1", reason="looking around in the shop"
)


def _book() -> HaltReviews:
    ids = count()
    return HaltReviews(lambda: f"halt-{next(ids)}")


def _owed(book: HaltReviews, halt: HaltSeen = _HALT) -> HaltOwed:
    owed = book.owe(halt, _NOW)
    assert owed is not None
    return owed


def test_a_halt_owes_a_review_that_says_who_was_halted_and_why() -> None:
    book = _book()

    owed = _owed(book)

    assert book.owed() == (owed,)
    assert (owed.caller, owed.cause, owed.session_id, owed.ticket, owed.reason, owed.unix_ns) == (
        MALLORY,
        "SENSITIVE_PATHS",
        "s-1",
        "OPS-1",
        "looking around in the shop",
        7,
    )


def test_every_halt_owes_its_own() -> None:
    book = _book()

    assert _owed(book).review_id != _owed(book).review_id
    assert len(book.owed()) == 2


def test_somebody_else_closes_it_once() -> None:
    book = _book()
    owed = _owed(book)

    closed = book.close(owed.review_id, BOB, _FINDING, _NOW)

    assert (closed.review, closed.entry.closer, closed.entry.finding) == (owed, BOB, _FINDING)
    assert book.owed() == ()
    with pytest.raises(ReviewUnknown):
        book.close(owed.review_id, BOB, _FINDING, _NOW)


def test_who_was_halted_does_not_judge_it() -> None:
    book = _book()
    owed = _owed(book)

    with pytest.raises(ReviewUnknown):
        book.close(owed.review_id, MALLORY, _FINDING, _NOW)
    assert book.owed() == (owed,)


def test_a_finding_that_says_nothing_closes_nothing() -> None:
    book = _book()
    owed = _owed(book)

    with pytest.raises(ReasonRefused):
        book.close(owed.review_id, BOB, "ok", _NOW)
    assert book.owed() == (owed,)


def test_a_closing_that_the_disk_did_not_take_is_taken_back() -> None:
    book = _book()
    owed = _owed(book)

    book.reopen(book.close(owed.review_id, BOB, _FINDING, _NOW))

    assert book.owed() == (owed,)
    assert book.holds(owed.review_id)


def test_beyond_the_bound_nothing_older_gives_way() -> None:
    book = _book()
    first = _owed(book)
    for _ in range(MAX_OWED - 1):
        _owed(book)

    assert book.owe(_HALT, _NOW) is None
    assert (len(book.owed()), book.owed()[0]) == (MAX_OWED, first)
    book.close(first.review_id, BOB, _FINDING, _NOW)
    assert book.owe(_HALT, _NOW) is not None


def test_an_id_that_comes_twice_is_an_error_and_overwrites_nothing() -> None:
    book = HaltReviews(lambda: "same")
    owed = _owed(book)

    with pytest.raises(Refusal):
        book.owe(_HALT, _NOW)
    assert book.owed() == (owed,)


def test_a_restart_forgets_nothing_that_the_journal_holds(tmp_path: Path) -> None:
    opened = Journal.open(tmp_path / "spent")
    opened.journal.compact(())
    book = _book()
    first, second = _owed(book), _owed(book)
    opened.journal.append((first, second))
    opened.journal.append((book.close(first.review_id, BOB, _FINDING, _NOW).entry,))
    opened.journal.close()

    again = Journal.open(tmp_path / "spent")
    again.journal.close()
    restored = _book()
    restored.restore(entry for entry in again.entries if isinstance(entry, HaltOwed | HaltReviewed))

    assert restored.owed() == book.owed() == (second,)


_ENTRIES: st.SearchStrategy[HaltEntry] = st.one_of(
    st.builds(
        HaltOwed,
        review_id=st.sampled_from("abc").map(HaltReviewId),
        caller=st.sampled_from([ALICE, MALLORY]),
        cause=st.just("CALLS"),
        session_id=st.just(""),
        ticket=st.just(""),
        reason=st.just(""),
        unix_ns=st.integers(0, 2**62),
    ),
    st.builds(
        HaltReviewed,
        review_id=st.sampled_from("abc").map(HaltReviewId),
        closer=st.just(BOB),
        finding=st.just(_FINDING),
        unix_ns=st.integers(0, 2**62),
    ),
)


@given(st.lists(_ENTRIES, max_size=12))
def test_what_is_written_anew_restores_the_same(entries: list[HaltEntry]) -> None:
    book, again = _book(), _book()
    book.restore(entries)

    again.restore(book.snapshot())

    assert again.owed() == book.owed()
