"""Disclosure budgets: the end is exact, whatever way a caller takes to it, and a restart gives nothing back."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from leadglass_agent.access.accounts import Account, Dimension, Line, Shown, Spent, grant_account, session_account
from leadglass_agent.access.disclosure import KEEP_SECONDS, MAX_ACCOUNTS, MAX_ITEMS, MAX_ITEMS_OF_ONE, Disclosure
from leadglass_agent.access.grant import GrantBudget
from leadglass_agent.clock import Instant
from leadglass_agent.errors import BudgetSpent
from leadglass_agent.policy.model import Budget

if TYPE_CHECKING:
    from random import Random

END = 1_000_000
NAMES = frozenset({"DB_HOST", "DB_PORT", "LANG"})


def at(second: int) -> Instant:
    return Instant(boot_ns=second * 1_000_000_000, unix_ns=0)


def spent(disclosure: Disclosure, account: Account) -> dict[str, int]:
    return {line.what.value: line.spent for line in disclosure.lines(account)}


def test_the_dimensions_are_those_of_every_budget() -> None:
    for kind in (Budget, GrantBudget, Shown):
        assert {field.name for field in fields(kind)} == set(Dimension)


@pytest.mark.parametrize(
    ("dimension", "shown"),
    [
        (Dimension.CALLS, Shown(calls=1)),
        (Dimension.ROWS, Shown(rows=1)),
        (Dimension.REPLY_BYTES, Shown(reply_bytes=1)),
        (Dimension.ANSWERS, Shown(answers=1)),
    ],
)
def test_the_end_of_a_counter_is_exact(dimension: Dimension, shown: Shown) -> None:
    disclosure = Disclosure()
    account = grant_account("g", GrantBudget(**{dimension.value: 7}), END)
    for _ in range(7):
        disclosure.spend((account,), shown)
    with pytest.raises(BudgetSpent, match=dimension.value):
        disclosure.spend((account,), shown)
    assert disclosure.lines(account) == (Line(dimension, 7, 7),)


def test_the_end_of_names_is_exact_and_a_name_counts_once() -> None:
    disclosure = Disclosure()
    account = session_account("s", Budget(names=3))
    disclosure.spend((account,), Shown(names=NAMES))
    disclosure.spend((account,), Shown(names=NAMES))
    with pytest.raises(BudgetSpent):
        disclosure.spend((account,), Shown(names=NAMES | {"TZ"}))
    disclosure.spend((account,), Shown(names=NAMES))
    assert disclosure.lines(account) == (Line(Dimension.NAMES, 3, 3),)


def test_a_name_and_a_path_of_one_spelling_are_two_things() -> None:
    disclosure = Disclosure()
    account = session_account("s", Budget(names=1, paths=1))
    disclosure.spend((account,), Shown(names=frozenset({"/x"}), paths=frozenset({"/x"})))
    assert spent(disclosure, account) == {"names": 1, "paths": 1}


def test_a_reply_beyond_one_of_several_budgets_is_counted_nowhere() -> None:
    disclosure = Disclosure()
    wide, narrow = session_account("s", Budget(rows=100, names=9)), grant_account("g", GrantBudget(rows=5), END)
    with pytest.raises(BudgetSpent, match="grant:g:"):
        disclosure.spend((wide, narrow), Shown(rows=6, names=NAMES))
    assert spent(disclosure, wide) == {"rows": 0, "names": 0}
    assert spent(disclosure, narrow) == {"rows": 0}


def test_a_reply_beyond_one_dimension_is_counted_in_none() -> None:
    disclosure = Disclosure()
    account = session_account("s", Budget(rows=100, names=2, reply_bytes=100))
    with pytest.raises(BudgetSpent):
        disclosure.spend((account,), Shown(rows=1, reply_bytes=10, names=NAMES))
    assert set(spent(disclosure, account).values()) == {0}


def test_one_grant_has_one_budget_over_all_sessions_that_carry_it() -> None:
    disclosure = Disclosure()
    grant = grant_account("g", GrantBudget(names=3), END)
    for number, name in enumerate(sorted(NAMES)):
        disclosure.spend((session_account(f"s{number}", Budget()), grant), Shown(names=frozenset({name})))
    with pytest.raises(BudgetSpent):
        disclosure.spend((session_account("s9", Budget()), grant), Shown(names=frozenset({"TZ"})))


def test_the_same_account_given_twice_is_charged_once() -> None:
    disclosure = Disclosure()
    account = session_account("s", Budget(rows=1))
    disclosure.spend((account, account), Shown(rows=1))
    assert spent(disclosure, account) == {"rows": 1}


def test_a_session_and_a_grant_of_one_id_do_not_share_an_account() -> None:
    assert session_account("x", Budget()).key != grant_account("x", Budget(), END).key


def test_a_budget_of_nothing_shows_nothing() -> None:
    account = session_account("s", Budget(0, 0, 0, 0, 0, 0))
    disclosure = Disclosure()
    for shown in (Shown(calls=1), Shown(rows=1), Shown(names=NAMES), Shown(paths=NAMES), Shown(answers=1)):
        with pytest.raises(BudgetSpent):
            disclosure.spend((account,), shown)
    disclosure.spend((account,), Shown())


def test_what_no_budget_bounds_takes_no_room() -> None:
    disclosure = Disclosure()
    assert disclosure.spend((grant_account("g", GrantBudget(), END),), Shown(1, 2, NAMES, NAMES, 3, 4)) == ()
    assert disclosure.snapshot() == ()


def test_room_is_the_least_that_is_left_in_any_account() -> None:
    disclosure = Disclosure()
    accounts = (session_account("s", Budget(rows=50, calls=9)), grant_account("g", GrantBudget(rows=20, names=4), END))
    disclosure.spend(accounts, Shown(calls=1, rows=5, names=NAMES))
    assert disclosure.room(accounts) == Budget(calls=8, rows=15, names=1)


def test_the_account_of_a_session_outlives_it_by_a_minute_so_that_what_is_under_way_gets_no_second_budget() -> None:
    disclosure = Disclosure()
    session, grant = session_account("s", Budget(names=3)), grant_account("g", GrantBudget(names=5), END)
    disclosure.spend((session, grant), Shown(names=NAMES))
    for second in range(100):
        disclosure.retain(frozenset({session.key}), at(second))
    for second in range(100, 161):
        disclosure.retain(frozenset(), at(second))
        with pytest.raises(BudgetSpent):
            disclosure.spend((session, grant), Shown(names=frozenset({"TZ"})))
    disclosure.retain(frozenset(), at(161))
    assert spent(disclosure, session) == {"names": 0}
    assert spent(disclosure, grant) == {"names": 3}


def test_a_grant_is_forgotten_a_day_after_its_end_and_not_before() -> None:
    disclosure = Disclosure()
    grant, session = grant_account("g", GrantBudget(calls=5), END), session_account("s", Budget(calls=5))
    disclosure.spend((grant, session), Shown(calls=5))
    disclosure.prune(END + KEEP_SECONDS)
    assert spent(disclosure, grant) == {"calls": 5}
    disclosure.prune(END + KEEP_SECONDS + 1)
    assert spent(disclosure, grant) == {"calls": 0}
    assert spent(disclosure, session) == {"calls": 5}


def test_only_grants_have_entries_for_the_journal_and_these_hold_no_name() -> None:
    disclosure = Disclosure()
    accounts = (session_account("s", Budget(names=5)), grant_account("g", GrantBudget(names=5, rows=9), END))
    (entry,) = disclosure.spend(accounts, Shown(names=NAMES, rows=2))
    assert (entry.key, entry.until_unix, entry.counters) == ("grant:g:", END, {Dimension.ROWS: 2})
    assert len(entry.names) == 3
    assert all(len(digest) == 16 for digest in entry.names)
    assert not any(name in repr(entry) for name in NAMES)
    (again,) = disclosure.spend(accounts, Shown(names=NAMES, rows=1))
    assert (again.counters, again.names) == ({Dimension.ROWS: 3}, ())


def test_an_entry_is_never_too_long_for_a_line() -> None:
    disclosure = Disclosure()
    grant = grant_account("g", GrantBudget(names=10_000, paths=10_000), END)
    many = frozenset(map(str, range(2_500)))
    for entries in (disclosure.spend((grant,), Shown(names=many, paths=many)), disclosure.snapshot()):
        assert len(entries) == 5
        assert all(len(entry.names) + len(entry.paths) == 1_000 for entry in entries)


def test_the_number_of_accounts_is_bounded_and_the_known_ones_go_on() -> None:
    disclosure = Disclosure()
    for number in range(MAX_ACCOUNTS):
        disclosure.spend((session_account(str(number), Budget(calls=9)),), Shown(calls=1))
    with pytest.raises(BudgetSpent, match="room"):
        disclosure.spend((session_account("more", Budget(calls=9)),), Shown(calls=1))
    disclosure.spend((session_account("0", Budget(calls=9)),), Shown(calls=1))
    for second in (0, 61):
        disclosure.retain(frozenset(session_account(str(n), Budget()).key for n in range(100)), at(second))
    disclosure.spend((session_account("more", Budget(calls=9)),), Shown(calls=1))


def test_one_wide_account_leaves_room_for_the_others() -> None:
    disclosure = Disclosure()
    wide, other = session_account("wide", Budget(paths=10**9)), session_account("other", Budget(paths=9))
    disclosure.spend((wide,), Shown(paths=frozenset(map(str, range(MAX_ITEMS_OF_ONE)))))
    with pytest.raises(BudgetSpent, match="this account has no room"):
        disclosure.spend((wide,), Shown(paths=frozenset({"one more"})))
    disclosure.spend((other,), Shown(paths=frozenset({"one more"})))


def test_two_grants_with_one_id_have_accounts_of_their_own() -> None:
    one, other = (grant_account("g", GrantBudget(rows=1), END, key) for key in ("a", "b"))
    disclosure = Disclosure()
    disclosure.spend((one,), Shown(rows=1))
    disclosure.spend((other,), Shown(rows=1))
    with pytest.raises(BudgetSpent):
        disclosure.spend((one,), Shown(rows=1))


def test_the_number_of_items_is_bounded_in_memory_too() -> None:
    disclosure = Disclosure()
    accounts = [session_account(f"s{number}", Budget(paths=10**9)) for number in range(5)]
    tracemalloc.start()
    try:
        for part in range(0, MAX_ITEMS, 10_000):
            account = accounts[part // MAX_ITEMS_OF_ONE]
            disclosure.spend((account,), Shown(paths=frozenset(map(str, range(part, part + 10_000)))))
        account = accounts[4]
        with pytest.raises(BudgetSpent, match="the agent has no room"):
            disclosure.spend((account,), Shown(paths=frozenset({"one more"})))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 40 * 1024 * 1024
    for second in (0, 61):
        disclosure.retain(frozenset(), at(second))
    disclosure.spend((account,), Shown(paths=frozenset({"one more"})))


SHOWN = st.builds(
    Shown,
    calls=st.integers(0, 2),
    rows=st.integers(0, 9),
    names=st.frozensets(st.sampled_from("ABCDEF"), max_size=4),
    paths=st.frozensets(st.sampled_from("abcdef"), max_size=4),
    reply_bytes=st.integers(0, 900),
    answers=st.integers(0, 1),
)


@settings(max_examples=200)
@given(st.lists(SHOWN, max_size=20), st.randoms(use_true_random=False))
def test_entries_in_any_order_and_any_number_give_the_same(replies: list[Shown], random: Random) -> None:
    budget = GrantBudget(10**6, 10**6, 10**6, 10**6, 10**6, 10**6)
    disclosure = Disclosure()
    account = grant_account("g", budget, END)
    entries = list(chain.from_iterable(disclosure.spend((account,), shown) for shown in replies))
    again = entries + entries[::2] + list(disclosure.snapshot())
    random.shuffle(again)
    restored = Disclosure()
    restored.restore(again)
    assert restored.lines(account) == disclosure.lines(account)
    assert restored.snapshot() == disclosure.snapshot()


class Plain:
    """The plainest account: it keeps all that was shown."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.shown: list[Shown] = []

    def spent(self, extra: tuple[Shown, ...] = ()) -> dict[str, int]:
        """Counts everything anew."""
        shown = (*self.shown, *extra)
        return {
            "calls": sum(one.calls for one in shown),
            "rows": sum(one.rows for one in shown),
            "names": len(frozenset().union(*(one.names for one in shown))),
            "paths": len(frozenset().union(*(one.paths for one in shown))),
            "reply_bytes": sum(one.reply_bytes for one in shown),
            "answers": sum(one.answers for one in shown),
        }

    def bounds(self) -> dict[str, int]:
        """Gives what is bounded."""
        named = {field.name: getattr(self.budget, field.name) for field in fields(self.budget)}
        return {what: most for what, most in named.items() if most is not None}

    def has_room(self, extra: Shown) -> bool:
        """Says whether the reply fits; what adds nothing in a dimension always does."""
        before, after = self.spent(), self.spent((extra,))
        return all(after[what] <= most or after[what] == before[what] for what, most in self.bounds().items())


BUDGETS = st.builds(
    Budget,
    calls=st.none() | st.integers(0, 9),
    rows=st.none() | st.integers(0, 40),
    names=st.none() | st.integers(0, 6),
    paths=st.none() | st.integers(0, 6),
    reply_bytes=st.none() | st.integers(0, 4_000),
    answers=st.none() | st.integers(0, 4),
)


class Disclosures(RuleBasedStateMachine):
    """Drives two grants over many sessions, with restarts in between, against plain accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.disclosure = Disclosure()
        self.accounts: dict[str, Account] = {}
        self.plain: dict[str, Plain] = {}
        self.journal: list[Spent] = []

    @rule(key=st.sampled_from(["g1", "g2", "s1", "s2"]), budget=BUDGETS)
    def begin(self, key: str, budget: Budget) -> None:
        """Opens a session or meets a grant for the first time."""
        if key not in self.plain:
            self.plain[key] = Plain(budget)
            is_grant = key.startswith("g")
            self.accounts[key] = grant_account(key, budget, END) if is_grant else session_account(key, budget)

    @rule(keys=st.sets(st.sampled_from(["g1", "g2", "s1", "s2"]), min_size=1), shown=SHOWN)
    def show(self, keys: set[str], shown: Shown) -> None:
        """Shows a reply on several accounts."""
        charged = sorted(keys & set(self.plain))
        accounts = tuple(self.accounts[key] for key in charged)
        if all(self.plain[key].has_room(shown) for key in charged):
            self.journal += self.disclosure.spend(accounts, shown)
            for key in charged:
                self.plain[key].shown.append(shown)
        else:
            with pytest.raises(BudgetSpent):
                self.disclosure.spend(accounts, shown)

    @rule(is_compacted=st.booleans())
    def restart(self, is_compacted: bool) -> None:  # noqa: FBT001 - Hypothesis chooses it
        """Loses the memory and all sessions; what grants have spent comes back from the journal."""
        if is_compacted:
            self.journal = list(self.disclosure.snapshot())
        self.disclosure = Disclosure()
        self.disclosure.restore(self.journal)
        for key in [key for key in self.plain if key.startswith("s")]:
            del self.plain[key]

    @invariant()
    def every_account_is_as_the_plain_one(self) -> None:
        """Compares what is spent and what is left."""
        for key, plain in self.plain.items():
            lines = self.disclosure.lines(self.accounts[key])
            assert {line.what.value: line.allowed for line in lines} == plain.bounds()
            counted = plain.spent()
            assert {line.what.value: line.spent for line in lines} == {what: counted[what] for what in plain.bounds()}


TestDisclosures = Disclosures.TestCase
