"""The book of reveals: a grant reveals once, ever; a month has its number; an owed review blocks the next reveal."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from leadglass_agent.access.reveals import (
    MAX_OWED,
    MONTH_SECONDS,
    Begun,
    RevealAsked,
    RevealBook,
    RevealEntry,
    RevealId,
)
from leadglass_agent.clock import Instant
from leadglass_agent.errors import ReasonRefused, Refusal, RevealRefused, ReviewOwed, ReviewUnknown
from leadglass_agent.policy.model import BreakGlass, SpiffeId
from policies import ALICE, BOB, MALLORY

SECOND = 1_000_000_000
MONTH = MONTH_SECONDS * SECOND
CAROL = SpiffeId("spiffe://demo.leadglass/user/carol")
FINDING = "the outage needed it, and the password was rotated"

BREAK_GLASS = BreakGlass(
    names=("DB_*", "API_TOKEN"), approvals=2, approvers=("approver",), max_minutes=5, per_month=3, review_owed=True
)
ASKED = RevealAsked(
    caller=ALICE,
    grant_id="grant-0",
    name="DB_PASSWORD",
    ticket="OPS-1",
    reason="checkout cannot log in since the rotation",
    approvals=2,
    minutes=5,
)


def at(unix_ns: int) -> Instant:
    return Instant(boot_ns=0, unix_ns=unix_ns)


def book() -> RevealBook:
    ids = count()
    return RevealBook(lambda: f"reveal-{next(ids)}")


def reviewed(reveals: RevealBook, number: int, now: int, break_glass: BreakGlass = BREAK_GLASS) -> Begun:
    """Reveals once with a grant of its own, and has it reviewed."""
    begun = reveals.begin(replace(ASKED, grant_id=f"grant-{number}"), break_glass, at(now))
    reveals.close(begun.reveal_id, MALLORY, FINDING, at(now))
    return begun


def test_a_reveal_owes_a_review_that_says_who_saw_what_and_why() -> None:
    reveals = book()
    begun = reveals.begin(ASKED, BREAK_GLASS, at(7))
    review = reveals.review_of(begun.reveal_id)
    assert review is not None
    assert (review.caller, review.name, review.ticket, review.reason) == (
        ALICE,
        ASKED.name,
        ASKED.ticket,
        ASKED.reason,
    )
    assert (review.review_id, review.reveal_unix_ns, review.grant_id) == (begun.reveal_id, 7, "grant-0")
    assert reveals.owed() == (review,)


def test_nothing_is_owed_where_policy_asks_for_no_review() -> None:
    reveals = book()
    begun = reveals.begin(ASKED, replace(BREAK_GLASS, review_owed=False), at(0))
    assert reveals.review_of(begun.reveal_id) is None
    assert reveals.owed() == ()


@pytest.mark.parametrize(
    ("asked", "break_glass"),
    [
        (ASKED, None),
        (replace(ASKED, name="LANG"), BREAK_GLASS),
        (ASKED, replace(BREAK_GLASS, names=())),
        (replace(ASKED, approvals=1), BREAK_GLASS),
        (replace(ASKED, approvals=0), replace(BREAK_GLASS, approvals=0)),
        (replace(ASKED, approvals=1), replace(BREAK_GLASS, approvals=1, review_owed=False)),
        (replace(ASKED, minutes=6), BREAK_GLASS),
        (replace(ASKED, minutes=0), BREAK_GLASS),
        (replace(ASKED, minutes=-1), BREAK_GLASS),
        (replace(ASKED, grant_id=""), BREAK_GLASS),
        (ASKED, replace(BREAK_GLASS, per_month=0)),
    ],
)
def test_a_reveal_beyond_what_policy_says_is_refused_and_uses_up_nothing(
    asked: RevealAsked, break_glass: BreakGlass | None
) -> None:
    reveals = book()
    with pytest.raises(RevealRefused):
        reveals.begin(asked, break_glass, at(0))
    assert reveals.owed() == ()
    assert reveals.snapshot() == ()
    reveals.begin(ASKED, BREAK_GLASS, at(0))


def test_one_approval_is_enough_with_a_review_that_is_owed() -> None:
    book().begin(replace(ASKED, approvals=1), replace(BREAK_GLASS, approvals=1), at(0))


def test_a_grant_reveals_once_ever() -> None:
    reveals = book()
    reviewed(reveals, 0, 0)
    for now in (1, MONTH, 100 * MONTH):
        with pytest.raises(RevealRefused, match="already"):
            reveals.begin(ASKED, BREAK_GLASS, at(now))
    restored = book()
    restored.restore(reveals.snapshot())
    with pytest.raises(RevealRefused, match="already"):
        restored.begin(ASKED, BREAK_GLASS, at(200 * MONTH))


def test_a_review_that_is_owed_blocks_the_next_reveal_of_the_same_person_alone() -> None:
    reveals = book()
    begun = reveals.begin(ASKED, BREAK_GLASS, at(0))
    another = replace(ASKED, grant_id="grant-1")
    for break_glass in (BREAK_GLASS, replace(BREAK_GLASS, review_owed=False), None):
        with pytest.raises(ReviewOwed):
            reveals.begin(another, break_glass, at(100 * MONTH))
    reveals.begin(replace(another, caller=CAROL), BREAK_GLASS, at(0))
    reveals.close(begun.reveal_id, MALLORY, FINDING, at(1))
    reveals.begin(replace(another, grant_id="grant-2"), BREAK_GLASS, at(2))


def test_another_persons_grant_with_the_same_id_uses_up_nothing() -> None:
    reveals = book()
    reveals.begin(replace(ASKED, caller=BOB), BREAK_GLASS, at(0))
    assert reveals.begin(ASKED, BREAK_GLASS, at(1)).caller == ALICE
    again = book()
    again.restore(reveals.snapshot())
    again.close(again.owed()[0].review_id, MALLORY, FINDING, at(2))
    with pytest.raises(RevealRefused):
        again.begin(replace(ASKED, caller=BOB), BREAK_GLASS, at(3))


def test_who_approved_a_reveal_does_not_close_its_review() -> None:
    reveals = book()
    begun = reveals.begin(replace(ASKED, approvers=(BOB,)), BREAK_GLASS, at(0))
    with pytest.raises(ReviewUnknown):
        reveals.close(begun.reveal_id, BOB, FINDING, at(1))
    again = book()
    again.restore(reveals.snapshot())
    with pytest.raises(ReviewUnknown):
        again.close(begun.reveal_id, BOB, FINDING, at(1))
    assert again.close(begun.reveal_id, MALLORY, FINDING, at(1)).review.caller == ALICE


def test_who_revealed_cannot_close_the_review_and_learns_no_more_than_of_an_unknown_one() -> None:
    reveals = book()
    begun = reveals.begin(ASKED, BREAK_GLASS, at(0))
    answers = set()
    for review_id, closer in ((begun.reveal_id, ALICE), ("never", ALICE), ("never", MALLORY), ("\udcff", MALLORY)):
        with pytest.raises(ReviewUnknown) as caught:
            reveals.close(review_id, closer, FINDING, at(0))
        answers.add((str(caught.value), caught.value.public))
    assert len(answers) == 1
    assert len(reveals.owed()) == 1


def test_a_review_is_closed_once_by_somebody_else_in_words() -> None:
    reveals = book()
    begun = reveals.begin(ASKED, BREAK_GLASS, at(0))
    for finding in ("", "ok", "." * 40, "fine fine fine fine fine fine", "x" * 501):
        with pytest.raises(ReasonRefused):
            reveals.close(begun.reveal_id, MALLORY, finding, at(1))
    closed = reveals.close(begun.reveal_id, MALLORY, f"  {FINDING} ", at(9))
    assert closed.review.review_id == begun.reveal_id
    assert (closed.entry.closer, closed.entry.finding, closed.entry.unix_ns) == (MALLORY, FINDING, 9)
    with pytest.raises(ReviewUnknown):
        reveals.close(begun.reveal_id, MALLORY, FINDING, at(10))


def test_a_month_has_as_many_reveals_as_policy_says_and_the_next_one_begins_exactly_then() -> None:
    reveals = book()
    for number in range(3):
        reviewed(reveals, number, number)
    with pytest.raises(RevealRefused, match="30 days"):
        reviewed(reveals, 9, MONTH - 1)
    reviewed(reveals, 9, MONTH)
    with pytest.raises(RevealRefused, match="30 days"):
        reviewed(reveals, 10, MONTH)
    reviewed(reveals, 10, MONTH + 1)


@given(st.lists(st.integers(-(10**19), 0), max_size=5))
def test_setting_the_wall_clock_back_begins_no_new_month(walls: list[int]) -> None:
    reveals = book()
    for number in range(3):
        reviewed(reveals, number, number)
    for wall in walls:
        with pytest.raises(RevealRefused):
            reviewed(reveals, 9, wall)
    restored = book()
    restored.restore(reveals.snapshot())
    with pytest.raises(RevealRefused):
        reviewed(restored, 9, -(10**19))


def test_a_reveal_that_showed_nothing_neither_counts_nor_owes_nor_uses_up_its_grant() -> None:
    reveals = book()
    for _ in range(10):
        begun = reveals.begin(ASKED, BREAK_GLASS, at(0))
        reveals.undo(begun.reveal_id)
    assert reveals.owed() == ()
    assert reveals.snapshot() == ()
    reveals.begin(ASKED, BREAK_GLASS, at(0))


def test_a_reveal_that_was_never_begun_cannot_be_taken_back() -> None:
    with pytest.raises(Refusal):
        book().undo(RevealId("never"))


def test_a_reveal_that_nobody_ended_before_a_crash_counts_and_owes() -> None:
    reveals = book()
    entry = reveals.begin(ASKED, BREAK_GLASS, at(0))
    restored = book()
    restored.restore((entry,))
    assert restored.owed() == reveals.owed()
    with pytest.raises(ReviewOwed):
        restored.begin(replace(ASKED, grant_id="grant-1"), BREAK_GLASS, at(1))


def test_a_source_of_ids_that_repeats_itself_reveals_nothing() -> None:
    reveals = RevealBook(lambda: "same")
    reveals.begin(ASKED, BREAK_GLASS, at(0))
    with pytest.raises(Refusal, match="repeats"):
        reveals.begin(replace(ASKED, caller=CAROL, grant_id="grant-1"), BREAK_GLASS, at(0))


def test_the_number_of_reviews_that_are_owed_is_bounded() -> None:
    reveals = book()
    for number in range(MAX_OWED):
        asked = replace(ASKED, caller=SpiffeId(f"spiffe://td/{number}"), grant_id=f"grant-{number}")
        reveals.begin(asked, BREAK_GLASS, at(number))
    with pytest.raises(RevealRefused, match="owed"):
        reveals.begin(replace(ASKED, grant_id="more"), BREAK_GLASS, at(0))
    assert [review.reveal_unix_ns for review in reveals.owed()] == list(range(MAX_OWED))


def test_used_grants_are_kept_in_entries_that_fit_a_line() -> None:
    reveals = book()
    for number in range(2_500):
        reviewed(reveals, number, number * MONTH)
    snapshot = reveals.snapshot()
    assert len(snapshot) == 4
    restored = book()
    restored.restore(snapshot)
    for number in (0, 1_234, 2_499):
        with pytest.raises(RevealRefused, match="already"):
            reviewed(restored, number, 9_999 * MONTH)


class Reveals(RuleBasedStateMachine):
    """Drives a book with two people, restarts and a clock that is set at will, against plain lists."""

    people = (ALICE, CAROL)
    break_glass = replace(BREAK_GLASS, per_month=2)

    def __init__(self) -> None:
        super().__init__()
        self.ids = count()
        self.book = RevealBook(lambda: f"reveal-{next(self.ids)}")
        self.journal: list[RevealEntry] = []
        self.wall = 0
        self.grown = 0
        self.begun: list[Begun] = []
        self.owing: set[str] = set()

    @rule(days=st.integers(-60, 60))
    def wait(self, days: int) -> None:
        """Sets the wall clock."""
        self.wall += days * 24 * 3600 * SECOND

    @rule(caller=st.sampled_from(people), number=st.integers(0, 30))
    def begin(self, caller: SpiffeId, number: int) -> None:
        """Asks for a reveal."""
        self.grown = max(self.grown, self.wall)
        asked = replace(ASKED, caller=caller, grant_id=f"grant-{number}")
        mine = [begun for begun in self.begun if begun.caller == caller]
        if any(begun.reveal_id in self.owing for begun in mine):
            with pytest.raises(ReviewOwed):
                self.book.begin(asked, self.break_glass, at(self.wall))
            return
        month = [begun for begun in mine if begun.unix_ns > self.grown - MONTH]
        if any(begun.grant_id == asked.grant_id for begun in mine) or len(month) >= 2:
            with pytest.raises(RevealRefused):
                self.book.begin(asked, self.break_glass, at(self.wall))
            return
        begun = self.book.begin(asked, self.break_glass, at(self.wall))
        assert begun.unix_ns == self.grown
        self.begun.append(begun)
        self.owing.add(begun.reveal_id)
        self.journal.append(begun)

    @rule(index=st.integers(0, 5))
    def undo(self, index: int) -> None:
        """Takes back one of the latest reveals, if it is one that nobody has reviewed."""
        if index < len(self.begun) and self.begun[-1 - index].reveal_id in self.owing:
            begun = self.begun.pop(-1 - index)
            self.owing.remove(begun.reveal_id)
            self.journal.append(self.book.undo(begun.reveal_id))

    @rule(index=st.integers(0, 5), closer=st.sampled_from([*people, MALLORY]))
    def close(self, index: int, closer: SpiffeId) -> None:
        """Closes a review."""
        if index < len(self.begun):
            begun = self.begun[-1 - index]
            if begun.reveal_id not in self.owing or begun.caller == closer:
                with pytest.raises(ReviewUnknown):
                    self.book.close(begun.reveal_id, closer, FINDING, at(self.wall))
                return
            self.grown = max(self.grown, self.wall)
            self.journal.append(self.book.close(begun.reveal_id, closer, FINDING, at(self.wall)).entry)
            self.owing.remove(begun.reveal_id)

    @rule(is_compacted=st.booleans(), repeats=st.integers(1, 2))
    def restart(self, is_compacted: bool, repeats: int) -> None:  # noqa: FBT001 - Hypothesis chooses it
        """Loses the memory; the journal, or a compacted one, gives it back."""
        if is_compacted:
            self.journal = list(self.book.snapshot())
        self.book = RevealBook(lambda: f"reveal-{next(self.ids)}")
        for _ in range(repeats):
            self.book.restore(self.journal)
        # Of the clock only what an entry says is kept.
        stamps = [getattr(entry, "unix_ns", 0) for entry in self.journal]
        self.grown = max([0, *stamps])

    @invariant()
    def what_is_owed_is_as_the_lists_say(self) -> None:
        """Compares the reviews."""
        assert {review.review_id for review in self.book.owed()} == self.owing


TestReveals = Reveals.TestCase
