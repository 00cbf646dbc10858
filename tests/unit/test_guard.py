"""The guard: what halts an identity, after how many calls, for how long, and what never does."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.access.clock_watch import JUMP_SECONDS, ClockWatch
from leadglass_agent.access.guard import (
    MAX_IDENTITIES,
    MAX_ITEMS,
    MAX_ITEMS_OF_ONE,
    Guard,
    Halt,
    HaltCause,
    Observation,
)
from leadglass_agent.access.sources import MAX_NETWORKS, Novelty, address_of, network_of
from leadglass_agent.clock import Instant
from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import GuardLimits, Permission, SpiffeId
from policies import ALICE, MALLORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOME = "ipv4:192.0.2.1"
LIMITS = GuardLimits(sensitive_paths=("/run/secrets/**", "/**/id_rsa"))

CALL = Observation(
    caller=ALICE, key_digest="sha256:alice", session_id="session", host=HOME, permission=Permission.FILES_METADATA
)


def at(boot_ns: int, unix_ns: int = 0) -> Instant:
    return Instant(boot_ns=boot_ns, unix_ns=unix_ns)


def run(calls: Iterator[Observation], limits: GuardLimits = LIMITS, *, gap_ns: int = SECOND // 10) -> tuple[int, Halt]:
    """Makes calls until one is halted; returns how many were made, and the halt."""
    guard = Guard()
    for number, call in enumerate(calls, start=1):
        halt = guard.note(call, limits, at(number * gap_ns))
        if halt is not None:
            return number, halt
        assert number < 5_000
    raise AssertionError


def denied() -> Iterator[Observation]:
    return cycle([replace(CALL, refusal=Reason.POLICY_DENIED)])


def missing_pids() -> Iterator[Observation]:
    return (replace(CALL, pid=pid, refusal=Reason.PROCESS_NOT_FOUND) for pid in count(1))


def found_pids() -> Iterator[Observation]:
    return (replace(CALL, pid=pid) for pid in count(1))


def missing_paths() -> Iterator[Observation]:
    return (replace(CALL, paths=(f"/app/{n}",), missing_paths=(f"/app/{n}",)) for n in count())


def found_paths() -> Iterator[Observation]:
    return (replace(CALL, paths=(f"/app/{n}", f"/lib/{n}")) for n in count())


def same_call() -> Iterator[Observation]:
    return cycle([CALL])


def permitted_secrets() -> Iterator[Observation]:
    return cycle([replace(CALL, paths=("/run/secrets/db/password",))])


def refused_secrets() -> Iterator[Observation]:
    return cycle([replace(CALL, paths=("/home/app/.ssh/id_rsa", "/etc/hosts"), refusal=Reason.POLICY_DENIED)])


@pytest.mark.parametrize(
    ("calls", "cause", "halted_at"),
    [
        (denied, HaltCause.DENIALS, LIMITS.denials + 1),
        (missing_pids, HaltCause.MISSING_PIDS, LIMITS.missing_pids + 1),
        (found_pids, HaltCause.DISTINCT_PIDS, LIMITS.distinct_pids + 1),
        (missing_paths, HaltCause.MISSING_PATHS, LIMITS.missing_paths + 1),
        (found_paths, HaltCause.DISTINCT_PATHS, LIMITS.distinct_paths // 2 + 1),
        (permitted_secrets, HaltCause.SENSITIVE_PATHS, LIMITS.sensitive_hits + 1),
        (refused_secrets, HaltCause.SENSITIVE_PATHS, LIMITS.sensitive_hits + 1),
        (same_call, HaltCause.CALLS, LIMITS.calls + 1),
    ],
)
def test_abuse_is_halted_by_the_call_after_the_last_one_that_is_allowed(
    calls: Callable[[], Iterator[Observation]], cause: HaltCause, halted_at: int
) -> None:
    made, halt = run(calls(), gap_ns=SECOND // 100)
    assert (made, halt.cause) == (halted_at, cause)
    assert halt.seen > halt.allowed


@pytest.mark.parametrize(
    "refusal",
    [
        Reason.POLICY_DENIED,
        Reason.APPROVAL_NEEDED,
        Reason.CONDITION_UNMET,
        Reason.GRANT_REFUSED,
        Reason.EVIDENCE_REFUSED,
        Reason.SESSION_UNKNOWN,
        Reason.METHOD_UNKNOWN,
        Reason.REVEAL_REFUSED,
        Reason.REVIEW_UNKNOWN,
    ],
)
def test_every_refusal_of_what_is_not_for_the_caller_is_a_denial(refusal: Reason) -> None:
    assert run(cycle([replace(CALL, refusal=refusal)]))[1].cause is HaltCause.DENIALS


@pytest.mark.parametrize(
    "refusal",
    [
        *(Reason.INVALID_REQUEST, Reason.SESSION_ENDED, Reason.TIMED_OUT, Reason.BUDGET_SPENT, Reason.INTERNAL),
        Reason.KNOWN_VALUE,
    ],
)
def test_a_mistake_or_a_fault_of_ours_or_of_the_app_is_no_denial(refusal: Reason) -> None:
    assert run(cycle([replace(CALL, refusal=refusal)]), gap_ns=0)[1].cause is HaltCause.CALLS


def test_a_mixed_sweep_is_halted_by_whichever_limit_it_meets_first() -> None:
    mixed = (call for calls in zip(missing_pids(), found_paths(), denied(), strict=True) for call in calls)
    made, halt = run(mixed)
    assert (made, halt.cause) == (63, HaltCause.DENIALS)


def test_looking_at_the_same_things_again_is_no_sweep() -> None:
    guard = Guard()
    for number in range(3_600):
        call = replace(CALL, pid=number % 5, paths=tuple(f"/app/{n}" for n in range(50)))
        missing = replace(call, pid=99, refusal=Reason.PROCESS_NOT_FOUND, missing_paths=("/app/1",), noted_before=True)
        assert guard.note(call, LIMITS, at(number * SECOND)) is None
        assert guard.note(missing, LIMITS, at(number * SECOND)) is None


def test_a_call_that_is_noted_twice_counts_once() -> None:
    guard = Guard()
    limits = replace(LIMITS, calls=3, sensitive_hits=3)
    secret = replace(CALL, paths=("/run/secrets/db",))
    for _ in range(3):
        assert guard.note(secret, limits, at(0)) is None
        assert guard.note(replace(secret, noted_before=True), limits, at(0)) is None
    assert guard.note(CALL, limits, at(0)) is not None


def test_a_session_that_is_used_from_a_second_address_is_halted_at_once() -> None:
    guard = Guard()
    assert guard.note(CALL, LIMITS, at(0)) is None
    halt = guard.note(replace(CALL, host="ipv4:192.0.2.2"), LIMITS, at(1))
    assert halt is not None
    assert (halt.cause, halt.session_id, halt.caller) == (HaltCause.TWO_ADDRESSES, "session", ALICE)


def test_an_identity_may_have_two_sessions_at_two_addresses() -> None:
    guard = Guard()
    for number in range(100):
        assert guard.note(CALL, LIMITS, at(number)) is None
        assert guard.note(replace(CALL, session_id="other", host="ipv4:192.0.2.2"), LIMITS, at(number)) is None
        assert guard.note(replace(CALL, session_id=None, host="ipv6:[2001:db8::1]"), LIMITS, at(number)) is None


def test_a_stranger_who_guesses_a_session_does_not_bind_it_to_an_address() -> None:
    guard = Guard()
    stranger = replace(CALL, caller=MALLORY, host="ipv4:203.0.113.9", refusal=Reason.SESSION_UNKNOWN)
    assert guard.note(stranger, LIMITS, at(0)) is None
    assert guard.note(CALL, LIMITS, at(1)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipv4:127.0.0.1", "ipv6:[::1]"),
        ("ipv6:[::1]", "ipv6:%5B::1%5D"),
        ("ipv4:10.0.0.1", "ipv6:[::ffff:10.0.0.1]"),
        ("ipv6:[2001:db8::1]", "2001:DB8:0::1"),
    ],
)
def test_two_spellings_of_one_address_are_one(one: str, other: str) -> None:
    assert address_of(one) == address_of(other)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("ipv4:192.0.2.77", "192.0.2.0/24"),
        ("ipv6:[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("unix:/run/agent.sock", "unix:/run/agent.sock"),
        ("ipv4:127.0.0.1", "loopback"),
        ("", ""),
    ],
)
def test_the_network_of_an_address_is_what_one_site_usually_has(host: str, network: str) -> None:
    assert network_of(host) == network


@given(st.text(max_size=60))
def test_any_text_for_an_address_is_taken(host: str) -> None:
    assert address_of(host) == address_of(host)
    Guard().first_seen(ALICE, host)


def test_what_is_new_of_a_caller_is_told_once() -> None:
    guard = Guard()
    assert guard.first_seen(ALICE, HOME) == (Novelty.IDENTITY, Novelty.NETWORK)
    assert guard.first_seen(ALICE, "ipv4:192.0.2.200") == ()
    assert guard.first_seen(ALICE, "ipv4:198.51.100.1") == (Novelty.NETWORK,)
    assert guard.first_seen(MALLORY, HOME) == (Novelty.IDENTITY, Novelty.NETWORK)
    assert guard.first_seen(ALICE, HOME) == ()


def test_too_many_new_networks_within_a_minute_halt() -> None:
    guard = Guard()
    for number in range(LIMITS.new_sources):
        guard.first_seen(ALICE, f"ipv4:10.0.{number}.1")
        assert guard.note(replace(CALL, session_id=None), LIMITS, at(number)) is None
    guard.first_seen(ALICE, "ipv4:10.9.9.9")
    halt = guard.note(replace(CALL, session_id=None), LIMITS, at(9))
    assert halt is not None
    assert halt.cause is HaltCause.NEW_SOURCES


def test_a_traveller_is_not_halted() -> None:
    guard = Guard()
    for number in range(200):
        guard.first_seen(ALICE, f"ipv4:10.0.{number}.1")
        call = replace(CALL, session_id=f"session-{number}", host=f"ipv4:10.0.{number}.1")
        assert guard.note(call, LIMITS, at(number * 31 * SECOND)) is None


def test_an_identity_that_calls_from_everywhere_is_known_for_it() -> None:
    guard = Guard()
    novel = [guard.first_seen(ALICE, f"ipv4:10.{n // 256}.{n % 256}.1") for n in range(4 * MAX_NETWORKS)]
    assert sum(Novelty.NETWORK in novelties for novelties in novel) == MAX_NETWORKS


def test_a_halt_lasts_as_long_as_policy_says_and_trying_does_not_prolong_it() -> None:
    guard = Guard()
    limits = replace(LIMITS, denials=1, halt_minutes=15)
    refused = replace(CALL, refusal=Reason.POLICY_DENIED)
    guard.note(refused, limits, at(0))
    halt = guard.note(refused, limits, at(1))
    assert halt is not None
    assert halt.until_boot_ns == 15 * MINUTE + 1
    for moment in range(1, 15):
        assert guard.halted(ALICE, at(moment * MINUTE)) == halt
        assert guard.note(replace(CALL, refusal=Reason.HALTED), limits, at(moment * MINUTE)) is None
    assert guard.halted(ALICE, at(15 * MINUTE)) == halt
    assert guard.halted(ALICE, at(15 * MINUTE + 1)) is None
    # What was counted before is paid for.
    assert guard.note(refused, limits, at(15 * MINUTE + 2)) is None
    assert guard.note(refused, limits, at(15 * MINUTE + 3)) is not None


def test_a_halt_is_of_one_identity_alone() -> None:
    guard = Guard()
    limits = replace(LIMITS, denials=1)
    for moment in range(2):
        guard.note(replace(CALL, refusal=Reason.POLICY_DENIED), limits, at(moment))
    assert guard.halted(ALICE, at(2)) is not None
    assert guard.halted(MALLORY, at(2)) is None
    assert guard.note(replace(CALL, caller=MALLORY, session_id="hers"), limits, at(2)) is None


def test_a_stricter_policy_counts_what_was_done_before_it() -> None:
    guard = Guard()
    for number in range(10):
        assert guard.note(replace(CALL, refusal=Reason.POLICY_DENIED), LIMITS, at(number)) is None
    assert guard.note(replace(CALL, refusal=Reason.POLICY_DENIED), replace(LIMITS, denials=5), at(11)) is not None


def test_a_halt_says_what_was_seen_for_the_audit_log() -> None:
    _, halt = run(permitted_secrets())
    assert halt == Halt(
        cause=HaltCause.SENSITIVE_PATHS,
        caller=ALICE,
        key_digest="sha256:alice",
        session_id="session",
        permission=Permission.FILES_METADATA,
        seen=LIMITS.sensitive_hits + 1,
        allowed=LIMITS.sensitive_hits,
        until_boot_ns=halt.until_boot_ns,
    )


# Around the window's end most of all: what is just in, and what is just out.
GAPS = st.integers(0, 25 * SECOND) | st.sampled_from([30, 59, 60, 61, 62, 90]).map(lambda seconds: seconds * SECOND)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(GAPS, st.integers(0, 12), st.booleans()), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_the_window_is_the_last_minute(steps: list[tuple[int, int, bool]], most_denials: int, most_pids: int) -> None:
    guard = Guard()
    limits = GuardLimits(denials=most_denials, distinct_pids=most_pids)
    calls: list[tuple[int, int, bool]] = []
    now = 0
    for gap, pid, is_denied in steps:
        now += gap
        calls.append((now // SECOND, pid, is_denied))
        recent = [call for call in calls if call[0] >= now // SECOND - 60]
        halt = guard.note(replace(CALL, pid=pid, refusal=Reason.POLICY_DENIED if is_denied else None), limits, at(now))
        denials, pids = sum(call[2] for call in recent), len({call[1] for call in recent})
        assert (halt is not None) == (denials > most_denials or pids > most_pids)
        if halt is not None:
            assert (halt.cause is HaltCause.DENIALS) == (denials > most_denials)
            return


@dataclass(frozen=True, slots=True)
class Phase:
    """Some calls of one kind, and a while of thinking."""

    kind: str
    length: int
    gap_ns: int
    first: int
    slips: int
    pause_seconds: int


PHASES = st.builds(
    Phase,
    kind=st.sampled_from(["watch", "environments", "files", "log"]),
    length=st.integers(5, 200),
    gap_ns=st.sampled_from([SECOND // 20, SECOND // 4, SECOND, 3 * SECOND]),
    first=st.integers(0, 299),
    slips=st.integers(0, 3),
    pause_seconds=st.integers(5, 90),
)


class Debugging:
    """Somebody who looks for a fault: watches, compares, reads, mistypes, and thinks in between."""

    pids = tuple(range(1, 61))
    files = tuple(f"/app/config/{name}" for name in range(300))
    gone = frozenset(files[::10])

    def __init__(self, phases: list[Phase]) -> None:
        self.phases = phases

    def calls(self, most: int) -> Iterator[tuple[Observation, int]]:
        """Gives calls with their moments: phase after phase, and all over again until there are enough."""
        now = made = 0
        for phase in cycle(self.phases):
            for number in range(phase.length):
                now += phase.gap_ns
                yield self._call(phase.kind, phase.first, number, is_slip=number < phase.slips), now
                made += 1
                if made == most:
                    return
            now += phase.pause_seconds * SECOND

    def _call(self, kind: str, first: int, number: int, *, is_slip: bool) -> Observation:
        pid = self.pids[(first + number) % len(self.pids)]
        if is_slip:
            # A process that was just restarted, a path that is spelled wrongly, a view that is for others.
            slips = (
                replace(CALL, pid=10_000 + first, refusal=Reason.PROCESS_NOT_FOUND),
                replace(CALL, pid=pid, paths=(f"/app/confg/{first}",), missing_paths=(f"/app/confg/{first}",)),
                replace(CALL, refusal=Reason.POLICY_DENIED),
            )
            return slips[number % len(slips)]
        match kind:
            case "watch":
                return replace(CALL, permission=Permission.PROCESSES_LIST)
            case "environments":
                return replace(CALL, permission=Permission.ENV_PRESENCE, pid=pid)
            case "files":
                paths = tuple(self.files[(first + 3 * number + step) % len(self.files)] for step in range(20))
                return replace(
                    CALL,
                    pid=self.pids[first % 5],
                    paths=paths,
                    missing_paths=tuple(path for path in paths if path in self.gone),
                )
            case _:
                return replace(CALL, permission=Permission.TEXT_REDACTED, pid=pid, paths=("/var/log/app.log",))


@settings(max_examples=60, deadline=None)
@given(st.lists(PHASES, min_size=1, max_size=10))
def test_a_normal_hour_of_debugging_is_never_halted(phases: list[Phase]) -> None:
    guard = Guard()
    assert guard.first_seen(ALICE, HOME)
    for call, moment in Debugging(phases).calls(2_000):
        assert guard.note(call, LIMITS, at(moment)) is None


def test_the_number_of_identities_is_bounded_and_the_quiet_ones_go_first() -> None:
    guard = Guard()
    limits = replace(LIMITS, calls=2)
    guard.note(CALL, limits, at(0))
    for number in range(MAX_IDENTITIES):
        guard.first_seen(SpiffeId(f"spiffe://td/{number}"), HOME)
        guard.note(replace(CALL, caller=SpiffeId(f"spiffe://td/{number}"), session_id=None), limits, at(0))
    assert guard.first_seen(SpiffeId(f"spiffe://td/{MAX_IDENTITIES - 1}"), HOME) == ()
    assert guard.first_seen(ALICE, HOME) == (Novelty.IDENTITY, Novelty.NETWORK)


def test_halts_sessions_and_new_networks_are_remembered_for_a_bounded_number_the_oldest_go_first() -> None:
    guard = Guard()
    limits = replace(LIMITS, denials=1, calls=10**6)
    many = [SpiffeId(f"spiffe://td/{number}") for number in range(MAX_IDENTITIES + 1)]
    for number, caller in enumerate(many):
        guard.first_seen(caller, HOME)
        guard.first_seen(caller, "ipv4:198.51.100.1")
        guard.note(replace(CALL, session_id=str(number)), limits, at(0))
    for caller in many:
        refused = replace(CALL, caller=caller, session_id=None, refusal=Reason.POLICY_DENIED)
        guard.note(refused, limits, at(0))
        assert guard.note(refused, limits, at(0)) is not None
    assert guard.halted(many[0], at(0)) is None
    assert guard.halted(many[1], at(0)) is not None
    elsewhere = replace(CALL, host="ipv4:192.0.2.2")
    assert guard.note(replace(elsewhere, session_id="0"), limits, at(0)) is None
    assert guard.note(replace(elsewhere, session_id=str(MAX_IDENTITIES)), limits, at(0)) is not None


def test_many_identities_that_sweep_at_once_take_a_bounded_amount_of_memory() -> None:
    guard = Guard()
    limits = GuardLimits(distinct_paths=10**9, distinct_pids=10**9, calls=10**9)
    tracemalloc.start()
    try:
        for number in range(5 * MAX_ITEMS // 1_000):
            caller = SpiffeId(f"spiffe://td/{number % 97}")
            paths = tuple(f"/{number}/{path}" for path in range(1_000))
            guard.note(replace(CALL, caller=caller, session_id=None, paths=paths), limits, at(number))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 24 * 1024 * 1024


def test_one_identity_alone_cannot_fill_the_memory_either() -> None:
    made, halt = run(
        (replace(CALL, paths=tuple(f"/{n}/{path}" for path in range(1_000))) for n in count()),
        GuardLimits(distinct_paths=10**9, calls=10**9),
        gap_ns=0,
    )
    assert halt.cause is HaltCause.DISTINCT_PATHS
    assert made <= MAX_ITEMS_OF_ONE // 1_000 + 1


def test_a_clock_that_runs_or_is_slewed_has_not_jumped() -> None:
    watch = ClockWatch()
    for second in range(0, 100_000, 7):
        assert watch.jumped(at(second * SECOND, 10**18 + second * (SECOND + 500_000))) == 0


@given(st.integers(-(10**9), 10**9).filter(lambda seconds: abs(seconds) > JUMP_SECONDS), st.integers(0, 10**6))
def test_a_jump_is_told_once_in_seconds(seconds: int, later: int) -> None:
    guard = Guard()
    assert guard.clock_jumped(at(0, 10**18)) == 0
    assert guard.clock_jumped(at(SECOND, 10**18 + (1 + seconds) * SECOND)) == seconds
    moment = SECOND + later
    assert guard.clock_jumped(at(moment, 10**18 + seconds * SECOND + moment)) == 0


@pytest.mark.parametrize("direction", [1, -1])
def test_creeping_steps_add_up_to_a_jump(direction: int) -> None:
    watch = ClockWatch()
    told = [watch.jumped(at(n * SECOND, 10**18 + n * SECOND + direction * n * SECOND // 10)) for n in range(200)]
    assert sum(told) * direction >= 10


def test_a_suspended_machine_has_not_jumped() -> None:
    watch = ClockWatch()
    watch.jumped(at(0, 10**18))
    assert watch.jumped(at(8 * 3600 * SECOND, 10**18 + 8 * 3600 * SECOND)) == 0
