"""Sessions: who may open one, what ends it, and what nobody learns from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from leadglass_agent.access.approvals import Approver, VerifiedGrant
from leadglass_agent.access.budget import MAX_IDENTITIES, CallBudget
from leadglass_agent.access.grant import Grant, PodSelector
from leadglass_agent.access.session import (
    MAX_OPEN,
    MAX_REMEMBERED,
    Session,
    SessionBook,
    SessionState,
    seconds_left,
    why_ended,
)
from leadglass_agent.access.terms import SessionTerms
from leadglass_agent.clock import Instant
from leadglass_agent.errors import (
    GrantRefused,
    Halted,
    InvalidRequest,
    RateLimited,
    ReasonRefused,
    Refusal,
    SessionEnded,
    SessionLimit,
    SessionUnknown,
    TicketRefused,
)
from leadglass_agent.policy.model import Budget, SessionLimits, SpiffeId
from leadglass_agent.policy.standing import Evidence
from leadglass_agent.policy.ticket import parse_ticket_pattern
from leadglass_agent.views.rows import ProcessRef
from policies import ALICE, LIMITS, MALLORY

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
REASON = "checkout is slow since the deploy"
KEY = "sha256:alice"
BY_OTHERS = (
    SessionState.ENDED_BY_ADMIN,
    SessionState.HALTED,
    SessionState.REVOKED,
    SessionState.POLICY_TIGHTENED,
    SessionState.GRANT_ENDED,
    SessionState.TARGET_GONE,
)


def at(boot_ns: int, unix_ns: int = 0) -> Instant:
    return Instant(boot_ns=boot_ns, unix_ns=unix_ns)


def book() -> SessionBook:
    ids = count()
    return SessionBook(lambda: f"session-{next(ids)}")


def opened(
    sessions: SessionBook,
    boot_ns: int = 0,
    *,
    limits: SessionLimits = LIMITS,
    seconds: int | None = None,
    who: SpiffeId = ALICE,
    grants: tuple[VerifiedGrant, ...] = (),
) -> Session:
    terms = SessionTerms(grants=grants)
    return sessions.open(who, KEY, REASON, "OPS-1", seconds, limits, at(boot_ns), terms=terms)


def grant(not_after_unix: int) -> VerifiedGrant:
    """Makes a grant that was accepted; `at` starts the wall clock at 0, so it ends as many seconds after the start."""
    made = Grant(
        grant_id=f"until-{not_after_unix}",
        requester=ALICE,
        requester_key=KEY,
        permissions=("env.presence",),
        pods=(PodSelector(namespace="shop"),),
        tier="prod",
        not_before_unix=0,
        not_after_unix=not_after_unix,
        reason=REASON,
    )
    approver = Approver(
        spiffe_id=MALLORY,
        key_digest="sha256:approver",
        serial="01",
        certificate_since_unix=0,
        since_unix=0,
        certificates=b"a chain",
    )
    return VerifiedGrant(made, (approver,), "sha256:0")


def test_a_session_holds_what_it_was_opened_with() -> None:
    session = book().open(ALICE, KEY, f"  {REASON.replace(' ', '  ')} ", " OPS-1 ", 90, LIMITS, at(5, 1000))
    assert session == Session(
        session_id=session.session_id,
        caller=ALICE,
        key_digest=KEY,
        reason=REASON,
        ticket="OPS-1",
        opened=at(5, 1000),
        expires_boot_ns=5 + 90 * SECOND,
        idle_ns=15 * MINUTE,
        last_used=at(5, 1000),
        calls=0,
        state=SessionState.OPEN,
        limits=LIMITS,
        number=1,
    )
    assert session.expires_unix_ns == 1000 + 90 * SECOND


def test_the_time_asked_for_can_only_shorten_a_session() -> None:
    sessions = book()
    assert opened(sessions, seconds=None).expires_boot_ns == 60 * MINUTE
    assert opened(sessions, seconds=10**9).expires_boot_ns == 60 * MINUTE
    assert opened(sessions, seconds=1).expires_boot_ns == SECOND


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_session_of_no_time_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidRequest):
        opened(book(), seconds=seconds)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        ".",
        "." * 40,
        "a" * 23,
        "aaaa aaaa aaaa aaaa aaaa",
        "asdf asdf asdf asdf asdf",
        "aa ab ba bb aab abb bba baa",
        "debugging-the-checkout-service",
        "short reason here",
        "a b c d e f" + " " * 20,
        "checkout is slow\nsince the deploy",
        "checkout is slow\x1b[2J since the deploy",
        "checkout is slow\u202e since the deploy",
        "checkout is slow\u200b since the deploy",
        "checkout is \udcff slow since the deploy",
        "? ! . - / ; : , ? ! . - / ; : , ? !",
        "checkout is slow since the deploy " * 20,
    ],
)
def test_a_reason_that_says_nothing_is_refused(reason: str) -> None:
    with pytest.raises(ReasonRefused):
        book().open(ALICE, KEY, reason, "OPS-1", None, LIMITS, at(0))


@pytest.mark.parametrize(
    "reason",
    [
        REASON,
        "INC-7: db pool is exhausted",
        "Größere Störung beim Bezahlen",
        "決済サービスの応答が昨日のリリースから遅くなった",
    ],
)
def test_a_reason_in_words_of_any_language_is_taken(reason: str) -> None:
    assert book().open(ALICE, KEY, reason, "OPS-1", None, LIMITS, at(0)).reason == reason


def test_policy_can_ask_for_longer_reasons() -> None:
    with pytest.raises(ReasonRefused):
        opened(book(), limits=replace(LIMITS, min_reason_characters=len(REASON) + 1))
    opened(book(), limits=replace(LIMITS, min_reason_characters=len(REASON)))


@pytest.mark.parametrize(
    "ticket", ["", " ", "-", "OPS-x", "INC-1", "OPS-1\n", "OPS-\u200b1", "OPS-1 ; drop", "O" * 101]
)
def test_a_ticket_of_another_form_is_refused(ticket: str) -> None:
    limits = replace(LIMITS, ticket_patterns=(parse_ticket_pattern("OPS-[0-9]{1,8}"),))
    with pytest.raises(TicketRefused):
        book().open(ALICE, KEY, REASON, ticket, None, limits, at(0))


@pytest.mark.parametrize("ticket", ["", "  ", "-", "\t1", "1" * 101])
def test_a_ticket_is_owed_even_where_policy_asks_for_no_form(ticket: str) -> None:
    with pytest.raises(TicketRefused):
        book().open(ALICE, KEY, REASON, ticket, None, LIMITS, at(0))


def test_a_ticket_must_fit_the_patterns_of_all_roles() -> None:
    patterns = (parse_ticket_pattern("OPS-[0-9]{1,8}"), parse_ticket_pattern("[A-Z]{3}-1[0-9]{3}"))
    limits = replace(LIMITS, ticket_patterns=patterns)
    book().open(ALICE, KEY, REASON, "OPS-1234", None, limits, at(0))
    with pytest.raises(TicketRefused):
        book().open(ALICE, KEY, REASON, "OPS-1", None, limits, at(0))


def test_a_session_of_another_identity_or_key_is_as_unknown_as_one_that_never_was() -> None:
    sessions = book()
    session_id = opened(sessions).session_id
    answers = set()
    for asked, who, key in (
        (session_id, MALLORY, KEY),
        (session_id, ALICE, "sha256:other"),
        (session_id, MALLORY, "sha256:other"),
        ("never", ALICE, KEY),
        ("", ALICE, KEY),
        ("\udcff", ALICE, "\udcff"),
    ):
        for ask in (sessions.use, sessions.show, sessions.close):
            with pytest.raises(SessionUnknown) as caught:
                ask(asked, who, key, at(1))
            answers.add((str(caught.value), caught.value.public, caught.value.status))
    assert len(answers) == 1
    assert sessions.show(session_id, ALICE, KEY, at(1)).calls == 0


def test_identity_and_key_cannot_be_shifted_into_each_other() -> None:
    sessions = book()
    session_id = sessions.open(SpiffeId("spiffe://a/b"), "cd", REASON, "OPS-1", None, LIMITS, at(0)).session_id
    with pytest.raises(SessionUnknown):
        sessions.show(session_id, SpiffeId("spiffe://a/bc"), "d", at(0))


def test_a_session_expires_however_much_it_is_used() -> None:
    sessions = book()
    session_id = opened(sessions, seconds=600).session_id
    for second in range(0, 600, 60):
        sessions.use(session_id, ALICE, KEY, at(second * SECOND))
    sessions.use(session_id, ALICE, KEY, at(600 * SECOND - 1))
    with pytest.raises(SessionEnded, match="EXPIRED"):
        sessions.use(session_id, ALICE, KEY, at(600 * SECOND))
    assert sessions.show(session_id, ALICE, KEY, at(601 * SECOND)).state is SessionState.EXPIRED


def test_a_session_that_is_not_used_goes_idle_and_looking_at_it_is_no_use() -> None:
    sessions = book()
    session_id = opened(sessions).session_id
    sessions.use(session_id, ALICE, KEY, at(10 * MINUTE))
    sessions.show(session_id, ALICE, KEY, at(24 * MINUTE))
    assert sessions.show(session_id, ALICE, KEY, at(25 * MINUTE - 1)).state is SessionState.OPEN
    with pytest.raises(SessionEnded, match="IDLE"):
        sessions.use(session_id, ALICE, KEY, at(25 * MINUTE))


def test_a_closed_session_stays_closed() -> None:
    sessions = book()
    session_id = opened(sessions).session_id
    closed = sessions.close(session_id, ALICE, KEY, at(1))
    assert closed.state is SessionState.CLOSED
    assert sessions.close(session_id, ALICE, KEY, at(99 * MINUTE)) == closed
    with pytest.raises(SessionEnded, match="CLOSED"):
        sessions.use(session_id, ALICE, KEY, at(2))
    assert sessions.sweep(at(99 * MINUTE)) == ()


def test_closing_a_session_whose_time_is_over_says_how_it_ended() -> None:
    sessions = book()
    session_id = opened(sessions, seconds=10).session_id
    assert sessions.close(session_id, ALICE, KEY, at(11 * SECOND)).state is SessionState.EXPIRED


def test_a_sweep_reports_each_end_by_time_once_also_when_a_call_met_it_first() -> None:
    sessions = book()
    first, second = opened(sessions, seconds=10).session_id, opened(sessions, seconds=20).session_id
    with pytest.raises(SessionEnded):
        sessions.use(first, ALICE, KEY, at(10 * SECOND))
    swept = sessions.sweep(at(30 * SECOND))
    assert [(session.session_id, session.state) for session in swept] == [
        (first, SessionState.EXPIRED),
        (second, SessionState.EXPIRED),
    ]
    assert sessions.sweep(at(31 * SECOND)) == ()
    assert sessions.open_count == 0


@given(st.lists(st.integers(-(10**19), 10**19), min_size=5, max_size=5))
def test_a_jump_of_the_wall_clock_changes_no_end(wall: list[int]) -> None:
    sessions = book()
    session_id = sessions.open(ALICE, KEY, REASON, "OPS-1", 600, LIMITS, at(0, wall[0])).session_id
    sessions.use(session_id, ALICE, KEY, at(300 * SECOND, wall[1]))
    sessions.use(session_id, ALICE, KEY, at(600 * SECOND - 1, wall[2]))
    assert sessions.sweep(at(600 * SECOND - 1, wall[3])) == ()
    assert len(sessions.sweep(at(600 * SECOND, wall[4]))) == 1


def test_a_session_holds_the_terms_that_it_was_opened_on() -> None:
    terms = SessionTerms(
        grants=(grant(60),),
        evidence=Evidence("alice", frozenset({"mfa"}), "", 1),
        target=ProcessRef(7, 70),
        peer_host="ipv4:192.0.2.1",
        budget=Budget(calls=9),
    )
    session = book().open(ALICE, KEY, REASON, "OPS-1", None, LIMITS, at(0), terms=terms)
    held = (session.grants, session.evidence, session.target, session.peer_host, session.budget)
    assert held == (terms.grants, terms.evidence, terms.target, terms.peer_host, terms.budget)


def test_a_session_does_not_outlive_the_last_of_its_grants() -> None:
    sessions = book()
    session_id = opened(sessions, grants=(grant(300), grant(500), grant(60))).session_id
    sessions.use(session_id, ALICE, KEY, at(500 * SECOND - 1))
    with pytest.raises(SessionEnded, match="GRANT_ENDED"):
        sessions.use(session_id, ALICE, KEY, at(500 * SECOND))
    assert [ended.state for ended in sessions.sweep(at(500 * SECOND))] == [SessionState.GRANT_ENDED]


def test_a_grant_that_lasts_longer_does_not_prolong_a_session() -> None:
    session = opened(book(), seconds=90, grants=(grant(500),))
    assert (session.expires_boot_ns, session.expiry_state) == (90 * SECOND, SessionState.EXPIRED)


@pytest.mark.parametrize("wall_seconds", [60, 61, 10**9])
def test_no_session_opens_on_grants_that_have_ended(wall_seconds: int) -> None:
    with pytest.raises(GrantRefused):
        book().open(
            ALICE,
            KEY,
            REASON,
            "OPS-1",
            None,
            LIMITS,
            at(0, wall_seconds * SECOND),
            terms=SessionTerms(grants=(grant(60), grant(59))),
        )


@given(st.integers(-(10**19), 10**19))
def test_setting_the_wall_clock_back_prolongs_no_grant(wall: int) -> None:
    sessions = book()
    opened(sessions, grants=(grant(60),))
    assert sessions.sweep(at(60 * SECOND - 1, wall)) == ()
    assert len(sessions.sweep(at(60 * SECOND, wall))) == 1


@pytest.mark.parametrize("state", BY_OTHERS)
def test_an_end_by_others_needs_no_key_and_is_told_by_the_sweep_once(state: SessionState) -> None:
    sessions = book()
    session_id = opened(sessions).session_id
    assert sessions.end(session_id, state, at(1)).state is state
    assert sessions.end(session_id, SessionState.REVOKED, at(2)).state is state
    assert sessions.show(session_id, ALICE, KEY, at(3)).state is state
    assert [session.state for session in sessions.sweep(at(4))] == [state]
    assert sessions.sweep(at(5)) == ()


def test_ending_a_session_that_never_was_is_refused() -> None:
    with pytest.raises(SessionUnknown):
        book().end("never", SessionState.ENDED_BY_ADMIN, at(0))


def test_ending_a_session_whose_time_is_over_says_how_it_ended() -> None:
    sessions = book()
    session_id = opened(sessions, seconds=10).session_id
    assert sessions.end(session_id, SessionState.HALTED, at(10 * SECOND)).state is SessionState.EXPIRED
    assert len(sessions.sweep(at(10 * SECOND))) == 1


def test_a_caller_whose_session_was_halted_is_told_so() -> None:
    sessions = book()
    session_id = opened(sessions).session_id
    sessions.end(session_id, SessionState.HALTED, at(1))
    with pytest.raises(Halted):
        sessions.use(session_id, ALICE, KEY, at(2))


@pytest.mark.parametrize("state", [state for state in SessionState if state is not SessionState.OPEN])
def test_every_end_has_its_reason_in_the_refusal(state: SessionState) -> None:
    refusal = why_ended(replace(opened(book()), state=state))
    assert str(refusal) == state.value
    assert isinstance(refusal, Halted if state is SessionState.HALTED else SessionEnded)


def test_ending_by_predicate_ends_all_that_it_picks_and_no_other() -> None:
    sessions = book()
    mine = {opened(sessions, number).session_id for number in range(3)}
    theirs = opened(sessions, who=MALLORY).session_id
    short = opened(sessions, who=SpiffeId("spiffe://demo.leadglass/user/carol"), seconds=1).session_id
    ended = sessions.end_all_of(lambda session: session.caller != MALLORY, SessionState.HALTED, at(SECOND))
    assert {session.session_id for session in ended} == mine
    assert {session.session_id: session.state for session in sessions.sweep(at(SECOND))} == {
        short: SessionState.EXPIRED
    } | dict.fromkeys(mine, SessionState.HALTED)
    assert [session.session_id for session in sessions.open_sessions(at(SECOND))] == [theirs]


def test_an_ended_session_keeps_its_grants_and_not_the_keys_of_their_approvers() -> None:
    sessions = book()
    session_id = opened(sessions, grants=(grant(60),)).session_id
    (kept,) = sessions.end(session_id, SessionState.REVOKED, at(1)).grants
    assert (kept.grant, kept.approvers) == (grant(60).grant, ())


def test_ends_by_others_are_owed_to_the_audit_before_anything_new_begins() -> None:
    sessions = book()
    for number in range(MAX_OPEN):
        opened(sessions, who=SpiffeId(f"spiffe://td/user/{number}"))
    sessions.end_all_of(lambda _: True, SessionState.HALTED, at(1))
    with pytest.raises(SessionLimit, match="sweep"):
        opened(sessions, 2)
    assert len(sessions.sweep(at(3))) == MAX_OPEN
    opened(sessions, 4)


def test_pages_list_open_sessions_first_and_then_by_opening() -> None:
    sessions = book()
    ids = [opened(sessions, who=SpiffeId(f"spiffe://td/user/{number}")).session_id for number in range(7)]
    for at_index in (4, 1):
        sessions.end(ids[at_index], SessionState.ENDED_BY_ADMIN, at(1))
    listed = []
    after = None
    while page := sessions.page(after, 2, at(2), include_ended=True):
        assert len(page) <= 2
        listed += [session.session_id for session in page]
        assert len(listed) <= len(ids)
        after = page[-1].place
    assert listed == [ids[number] for number in (0, 2, 3, 5, 6, 1, 4)]
    open_ones = sessions.page(None, 100, at(2), include_ended=False)
    assert [session.session_id for session in open_ones] == listed[:5]


def test_a_session_that_ends_between_two_pages_is_not_missed() -> None:
    sessions = book()
    ids = [opened(sessions, who=SpiffeId(f"spiffe://td/user/{number}")).session_id for number in range(4)]
    first = sessions.page(None, 2, at(1), include_ended=True)
    sessions.end(ids[0], SessionState.ENDED_BY_ADMIN, at(2))
    sessions.end(ids[3], SessionState.ENDED_BY_ADMIN, at(2))
    rest = sessions.page(first[-1].place, 100, at(3), include_ended=True)
    assert {session.session_id for session in first + rest} == set(ids)


def test_the_seconds_that_are_left_are_those_to_the_nearest_end() -> None:
    sessions = book()
    session = opened(sessions, seconds=1_000)
    assert seconds_left(session, at(0)) == 15 * 60
    session = sessions.use(session.session_id, ALICE, KEY, at(600 * SECOND))
    assert seconds_left(session, at(600 * SECOND + 1)) == 399
    assert seconds_left(session, at(2_000 * SECOND)) == 0
    assert seconds_left(sessions.end(session.session_id, SessionState.HALTED, at(601 * SECOND)), at(0)) == 0


def test_one_identity_has_as_many_open_sessions_as_policy_allows() -> None:
    sessions = book()
    first = opened(sessions)
    opened(sessions)
    opened(sessions)
    with pytest.raises(SessionLimit):
        opened(sessions)
    opened(sessions, who=MALLORY)
    sessions.close(first.session_id, ALICE, KEY, at(1))
    opened(sessions, 1)


def test_a_session_whose_time_is_over_takes_no_place() -> None:
    sessions = book()
    for _ in range(3):
        opened(sessions, seconds=10)
    opened(sessions, 10 * SECOND)
    assert sessions.open_count == 1


def test_the_agent_has_a_bounded_number_of_open_sessions() -> None:
    sessions = book()
    for number in range(MAX_OPEN):
        opened(sessions, who=SpiffeId(f"spiffe://td/user/{number}"))
    with pytest.raises(SessionLimit):
        opened(sessions, who=SpiffeId("spiffe://td/user/more"))
    # Their ends are owed to the audit before anything new begins.
    with pytest.raises(SessionLimit, match="sweep"):
        opened(sessions, 2 * 60 * MINUTE, who=ALICE)
    assert len(sessions.sweep(at(2 * 60 * MINUTE))) == MAX_OPEN
    opened(sessions, 2 * 60 * MINUTE, who=ALICE)


def test_ended_sessions_are_forgotten_oldest_first() -> None:
    sessions = book()
    ids = []
    for number in range(MAX_REMEMBERED + 1):
        ids.append(opened(sessions, number * SECOND).session_id)
        sessions.close(ids[-1], ALICE, KEY, at(number * SECOND))
    with pytest.raises(SessionUnknown):
        sessions.show(ids[0], ALICE, KEY, at(0))
    assert sessions.show(ids[1], ALICE, KEY, at(0)).state is SessionState.CLOSED


def test_calls_beyond_the_budget_are_refused_and_neither_counted_nor_taken_as_use() -> None:
    sessions = book()
    limits = replace(LIMITS, calls_per_minute=3)
    session_id = opened(sessions, limits=limits).session_id
    for number in range(2):
        sessions.use(session_id, ALICE, KEY, at(number))
    with pytest.raises(RateLimited):
        sessions.use(session_id, ALICE, KEY, at(59 * SECOND))
    shown = sessions.show(session_id, ALICE, KEY, at(59 * SECOND))
    assert (shown.calls, shown.last_used) == (2, at(1))
    sessions.use(session_id, ALICE, KEY, at(61 * SECOND))


def test_neither_a_second_nor_a_new_session_buys_a_second_budget() -> None:
    sessions = book()
    limits = replace(LIMITS, calls_per_minute=4)
    first, second = opened(sessions, limits=limits), opened(sessions, limits=limits)
    sessions.use(first.session_id, ALICE, KEY, at(1))
    sessions.use(second.session_id, ALICE, KEY, at(1))
    for session in (first, second):
        with pytest.raises(RateLimited):
            sessions.use(session.session_id, ALICE, KEY, at(2))
    sessions.close(first.session_id, ALICE, KEY, at(3))
    with pytest.raises(RateLimited):
        opened(sessions, 3, limits=limits)
    opened(sessions, 3, limits=limits, who=MALLORY)


def test_a_source_of_ids_that_repeats_itself_opens_nothing() -> None:
    sessions = SessionBook(lambda: "same")
    first = opened(sessions)
    with pytest.raises(Refusal, match="repeats"):
        opened(sessions)
    sessions.close(first.session_id, ALICE, KEY, at(0))
    with pytest.raises(Refusal, match="repeats"):
        opened(sessions)


@settings(max_examples=300)
@given(
    st.lists(st.integers(0, 40 * SECOND), min_size=1, max_size=60),
    st.integers(1, 8),
)
def test_no_minute_ever_holds_more_calls_than_allowed(steps: list[int], allowed: int) -> None:
    budget = CallBudget()
    spent: list[int] = []
    now = 0
    for step in steps:
        now += step
        recent = [moment for moment in spent if moment > now - 60 * SECOND]
        surely_recent = [moment for moment in spent if moment > now - 62 * SECOND]
        counted = budget.spend(ALICE, allowed, now)
        if counted:
            assert len(recent) < allowed
            spent.append(now)
        else:
            assert len(surely_recent) >= allowed


def test_the_number_of_identities_that_are_counted_is_bounded() -> None:
    budget = CallBudget()
    assert budget.spend(ALICE, 1, 0)
    for number in range(MAX_IDENTITIES):
        budget.spend(SpiffeId(f"spiffe://td/{number}"), 1, 0)
    assert budget.spend(ALICE, 1, 0)
    assert not budget.spend(SpiffeId(f"spiffe://td/{MAX_IDENTITIES - 1}"), 1, 0)


class Modelled:
    """What the model knows of one session."""

    def __init__(self, session: Session) -> None:
        self.session_id = session.session_id
        self.owner = (session.caller, session.key_digest)
        self.expires = session.expires_boot_ns
        self.last_used = session.opened.boot_ns
        self.idle = session.idle_ns
        self.calls = 0
        self.expiry_state = session.expiry_state
        self.ended: SessionState | None = None
        self.swept = False

    def state(self, now: int) -> SessionState:
        """Says what the state is by the plainest reading of the rules."""
        if self.ended is not None:
            return self.ended
        if now >= self.expires and self.expires <= self.last_used + self.idle:
            return self.expiry_state
        return SessionState.IDLE if now >= self.last_used + self.idle else SessionState.OPEN


class Sessions(RuleBasedStateMachine):
    """Drives a book and a plain model of it through the same steps."""

    callers = (ALICE, MALLORY)
    keys = ("sha256:one", "sha256:two")
    limits = SessionLimits(max_minutes=5, idle_minutes=2, max_open=2, calls_per_minute=6000, min_reason_characters=20)

    def __init__(self) -> None:
        super().__init__()
        self.book = book()
        self.model: list[Modelled] = []
        self.now = 0

    def live(self, caller: SpiffeId) -> int:
        """Counts the caller's open sessions."""
        return sum(known.owner[0] == caller and known.state(self.now) is SessionState.OPEN for known in self.model)

    @rule(seconds=st.one_of(st.integers(0, 200), st.sampled_from([59, 60, 119, 120, 299, 300])))
    def wait(self, seconds: int) -> None:
        """Lets time pass on the one clock that counts."""
        self.now += seconds * SECOND

    @rule(
        caller=st.sampled_from(callers),
        key=st.sampled_from(keys),
        seconds=st.one_of(st.none(), st.integers(1, 400)),
        grant_seconds=st.lists(st.integers(-50, 400), max_size=2),
    )
    def open(self, caller: SpiffeId, key: str, seconds: int | None, grant_seconds: list[int]) -> None:
        """Opens a session, unless the caller has two or all grants have ended; the wall clock stands at 1,000 s."""
        terms = SessionTerms(grants=tuple(grant(1_000 + left) for left in grant_seconds))
        now = at(self.now, 1_000 * SECOND)
        if self.live(caller) >= 2:
            with pytest.raises(SessionLimit):
                self.book.open(caller, key, REASON, "OPS-1", seconds, self.limits, now, terms=terms)
            return
        if grant_seconds and max(grant_seconds) <= 0:
            with pytest.raises(GrantRefused):
                self.book.open(caller, key, REASON, "OPS-1", seconds, self.limits, now, terms=terms)
            return
        session = self.book.open(caller, key, REASON, "OPS-1", seconds, self.limits, now, terms=terms)
        longest = min(300, seconds or 300)
        lasts = min([longest, max(grant_seconds)]) if grant_seconds else longest
        assert session.expires_boot_ns == self.now + lasts * SECOND
        assert session.expiry_state is (SessionState.EXPIRED if lasts == longest else SessionState.GRANT_ENDED)
        self.model.append(Modelled(session))

    @rule(index=st.integers(0, 7), caller=st.sampled_from(callers), key=st.sampled_from(keys))
    def use(self, index: int, caller: SpiffeId, key: str) -> None:
        """Makes a call as somebody, the owner or not."""
        if index >= len(self.model):
            return
        known = self.model[-1 - index]
        state = known.state(self.now)
        if known.owner != (caller, key):
            with pytest.raises(SessionUnknown):
                self.book.use(known.session_id, caller, key, at(self.now))
        elif state is not SessionState.OPEN:
            refusal = Halted if state is SessionState.HALTED else SessionEnded
            with pytest.raises(refusal, match=state):
                self.book.use(known.session_id, caller, key, at(self.now))
        else:
            known.calls, known.last_used = known.calls + 1, self.now
            assert self.book.use(known.session_id, caller, key, at(self.now)).calls == known.calls

    @rule(index=st.integers(0, 7))
    def close(self, index: int) -> None:
        """Closes a session as its owner."""
        if index < len(self.model):
            known = self.model[-1 - index]
            if known.state(self.now) is SessionState.OPEN:
                known.ended, known.swept = SessionState.CLOSED, True
            assert self.book.close(known.session_id, *known.owner, at(self.now)).state is known.state(self.now)

    @rule(index=st.integers(0, 7), state=st.sampled_from(BY_OTHERS))
    def end(self, index: int, state: SessionState) -> None:
        """Ends a session as somebody else."""
        if index < len(self.model):
            known = self.model[-1 - index]
            if known.state(self.now) is SessionState.OPEN:
                known.ended = state
            assert self.book.end(known.session_id, state, at(self.now)).state is known.state(self.now)

    @rule(caller=st.sampled_from(callers), state=st.sampled_from(BY_OTHERS))
    def end_all_of(self, caller: SpiffeId, state: SessionState) -> None:
        """Ends all sessions of one caller."""
        mine = [known for known in self.model if known.owner[0] == caller]
        due = {known.session_id for known in mine if known.state(self.now) is SessionState.OPEN}
        ended = self.book.end_all_of(lambda session: session.caller == caller, state, at(self.now))
        assert {session.session_id for session in ended} == due
        for known in mine:
            if known.session_id in due:
                known.ended = state

    @rule(limit=st.integers(1, 5), include_ended=st.booleans())
    def list(self, limit: int, include_ended: bool) -> None:  # noqa: FBT001 - Hypothesis chooses it
        """Lists everything page by page."""
        listed: list[Session] = []
        after = None
        while page := self.book.page(after, limit, at(self.now), include_ended=include_ended):
            listed += page
            assert len(listed) <= len(self.model)
            after = page[-1].place
        states = {session.session_id: session.state for session in listed}
        assert len(states) == len(listed)
        assert states == {
            known.session_id: known.state(self.now)
            for known in self.model
            if include_ended or known.state(self.now) is SessionState.OPEN
        }

    @rule()
    def sweep(self) -> None:
        """Sweeps what ended otherwise than by its caller."""
        due = [known for known in self.model if not known.swept and known.state(self.now) is not SessionState.OPEN]
        swept = {session.session_id: session.state for session in self.book.sweep(at(self.now))}
        assert swept == {known.session_id: known.state(self.now) for known in due}
        for known in due:
            known.swept = True

    @invariant()
    def every_session_is_as_the_model_says(self) -> None:
        """Looks at every session as its owner."""
        for known in self.model:
            shown = self.book.show(known.session_id, *known.owner, at(self.now))
            assert (shown.state, shown.calls) == (known.state(self.now), known.calls)
            left = seconds_left(shown, at(self.now))
            assert left == (
                max(0, min(known.expires, known.last_used + known.idle) - self.now) // SECOND
                if known.state(self.now) is SessionState.OPEN
                else 0
            )
        assert self.book.open_count == sum(known.state(self.now) is SessionState.OPEN for known in self.model)


TestSessions = Sessions.TestCase
