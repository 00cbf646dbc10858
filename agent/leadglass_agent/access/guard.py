"""Halts who looks around like an abuser: by denials, sweeps, rates, sensitive paths and addresses within a minute."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.clock_watch import ClockWatch
from leadglass_agent.access.sources import Novelty, Sources, address_of
from leadglass_agent.errors import Reason
from leadglass_agent.policy.glob import matches_path

if TYPE_CHECKING:
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import GuardLimits, Permission, SpiffeId

MAX_IDENTITIES: Final = 4_096
MAX_SESSIONS: Final = 4_096
# Different pids and paths within a minute: of all identities together, and of one whatever its limits say.
MAX_ITEMS: Final = 100_000
MAX_ITEMS_OF_ONE: Final = 20_000
WINDOW_SECONDS: Final = 60

_SECOND_NS: Final = 1_000_000_000

# Refusals that somebody meets who tries what is not for them; a mistake in a request or an ended session is none, nor
# is a reply that the barrier withheld: the app chooses what stands in it, and must not have its debuggers halted.
_DENIALS: Final = frozenset(
    {
        Reason.POLICY_DENIED,
        Reason.APPROVAL_NEEDED,
        Reason.CONDITION_UNMET,
        Reason.GRANT_REFUSED,
        Reason.EVIDENCE_REFUSED,
        Reason.SESSION_UNKNOWN,
        Reason.METHOD_UNKNOWN,
        Reason.REVEAL_REFUSED,
        Reason.REVIEW_UNKNOWN,
    }
)


class HaltCause(StrEnum):
    """Which rule halted; for the audit log and metrics."""

    DENIALS = "DENIALS"
    MISSING_PIDS = "MISSING_PIDS"
    MISSING_PATHS = "MISSING_PATHS"
    DISTINCT_PIDS = "DISTINCT_PIDS"
    DISTINCT_PATHS = "DISTINCT_PATHS"
    CALLS = "CALLS"
    SENSITIVE_PATHS = "SENSITIVE_PATHS"
    TWO_ADDRESSES = "TWO_ADDRESSES"
    NEW_SOURCES = "NEW_SOURCES"
    CLOCK_JUMP = "CLOCK_JUMP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One call as the guard sees it; `host` is the peer's address without its port.

    `paths` are all that it named, `missing_paths` those of them that do not exist; `refusal` is None for an answer.
    A call may be noted at its start and again at its end, then as `noted_before`, so that it counts as one.
    """

    caller: SpiffeId
    key_digest: str
    session_id: str | None
    host: str
    permission: Permission | None
    pid: int | None = None
    paths: tuple[str, ...] = ()
    missing_paths: tuple[str, ...] = ()
    refusal: Reason | None = None
    noted_before: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """An identity that may do nothing until a moment on CLOCK_BOOTTIME; the rest is what it did, for the audit log."""

    cause: HaltCause
    caller: SpiffeId
    key_digest: str
    session_id: str | None
    permission: Permission | None
    seen: int
    allowed: int
    until_boot_ns: int


@dataclass(slots=True)
class _Minute:
    """What one identity did within the last minute: counts by second, and for each item the second it was last met."""

    counts: dict[HaltCause, OrderedDict[int, int]] = field(default_factory=dict)
    items: dict[HaltCause, OrderedDict[int, int]] = field(default_factory=dict)

    def count(self, cause: HaltCause, amount: int, second: int) -> int:
        """Adds to a counter; returns what it has counted within the minute."""
        if not amount and cause not in self.counts:
            return 0
        seconds = self.counts.setdefault(cause, OrderedDict())
        _drop_before(seconds, second - WINDOW_SECONDS, by_key=True)
        if amount:
            seconds[second] = seconds.get(second, 0) + amount
        return sum(seconds.values())

    def meet(self, cause: HaltCause, items: tuple[object, ...], second: int) -> int:
        """Meets items; returns how many different ones were met within the minute.

        An item is kept as its hash alone, which is keyed anew in each process.
        """
        if not items and cause not in self.items:
            return 0
        met = self.items.setdefault(cause, OrderedDict())
        for item in items:
            met[hash(item)] = second
            met.move_to_end(hash(item))
        _drop_before(met, second - WINDOW_SECONDS, by_key=False)
        return len(met)

    @property
    def size(self) -> int:
        """Number of items kept."""
        return sum(len(met) for met in self.items.values())


class Guard:
    """The last minute of each identity, and who is halted. Each call is noted before its reply leaves."""

    def __init__(self) -> None:
        self._minutes: OrderedDict[SpiffeId, _Minute] = OrderedDict()
        self._item_count = 0
        self._halts: OrderedDict[SpiffeId, Halt] = OrderedDict()
        self._session_hosts: OrderedDict[str, str] = OrderedDict()
        self._sources = Sources()
        self._new_networks: OrderedDict[SpiffeId, int] = OrderedDict()
        self._clock = ClockWatch()

    def note(self, observation: Observation, limits: GuardLimits, now: Instant) -> Halt | None:
        """Counts one call; returns the halt that it causes, and None for whoever is halted already.

        An identity may do as much as the limits say within a minute, and is halted by the next thing.
        """
        caller = observation.caller
        if self.halted(caller, now) is not None:
            return None
        minute = self._minutes.setdefault(caller, _Minute())
        self._minutes.move_to_end(caller)
        size = minute.size
        new_networks = self._new_networks.pop(caller, 0)
        broken = _broken_limit(minute, observation, limits, new_networks, now.boot_ns // _SECOND_NS)
        self._item_count += minute.size - size
        if self._is_elsewhere(observation):
            broken = (HaltCause.TWO_ADDRESSES, 2, 1)
        self._make_room()
        if broken is None:
            return None
        cause, seen, allowed = broken
        halt = Halt(
            cause=cause,
            caller=caller,
            key_digest=observation.key_digest,
            session_id=observation.session_id,
            permission=observation.permission,
            seen=seen,
            allowed=allowed,
            until_boot_ns=now.boot_ns + limits.halt_minutes * WINDOW_SECONDS * _SECOND_NS,
        )
        self._halt(halt)
        return halt

    def halted(self, caller: SpiffeId, now: Instant) -> Halt | None:
        """Returns the halt of an identity if it lasts."""
        halt = self._halts.get(caller)
        if halt is not None and halt.until_boot_ns <= now.boot_ns:
            del self._halts[caller]
            return None
        return halt

    def first_seen(self, caller: SpiffeId, host: str) -> tuple[Novelty, ...]:
        """Tells what of a caller is new; a new network counts with the caller's next `note`."""
        novelties = self._sources.first_seen(caller, host)
        if Novelty.NETWORK in novelties:
            self._new_networks[caller] = self._new_networks.get(caller, 0) + 1
            while len(self._new_networks) > MAX_IDENTITIES:
                self._new_networks.popitem(last=False)
        return novelties

    def clock_jumped(self, now: Instant) -> int:
        """Tells by how many seconds the wall clock was set since the last look; 0 if it only ran. Ask each second."""
        return self._clock.jumped(now)

    def _is_elsewhere(self, observation: Observation) -> bool:
        """Says whether the session was used from another address before; the first one that is noted is its own."""
        if observation.session_id is None or observation.refusal is Reason.SESSION_UNKNOWN:
            return False
        host = address_of(observation.host)
        first = self._session_hosts.setdefault(observation.session_id, host)
        self._session_hosts.move_to_end(observation.session_id)
        while len(self._session_hosts) > MAX_SESSIONS:
            self._session_hosts.popitem(last=False)
        return first != host

    def _halt(self, halt: Halt) -> None:
        self._forget(halt.caller)
        self._halts[halt.caller] = halt
        while len(self._halts) > MAX_IDENTITIES:
            self._halts.popitem(last=False)

    def _make_room(self) -> None:
        while len(self._minutes) > MAX_IDENTITIES or (self._item_count > MAX_ITEMS and len(self._minutes) > 1):
            self._forget(next(iter(self._minutes)))

    def _forget(self, caller: SpiffeId) -> None:
        minute = self._minutes.pop(caller, None)
        self._item_count -= minute.size if minute else 0


def _broken_limit(
    minute: _Minute, observation: Observation, limits: GuardLimits, new_networks: int, second: int
) -> tuple[HaltCause, int, int] | None:
    """Counts the call in every rule; returns cause, what was seen and what is allowed of the first that is broken."""
    paths, pids = observation.paths, () if observation.pid is None else (observation.pid,)
    new = not observation.noted_before
    sensitive = new * sum(any(matches_path(glob, path) for glob in limits.sensitive_paths) for path in paths)
    missing_pids = pids if observation.refusal is Reason.PROCESS_NOT_FOUND else ()
    counted = (
        (HaltCause.SENSITIVE_PATHS, sensitive, limits.sensitive_hits),
        (HaltCause.DENIALS, int(observation.refusal in _DENIALS), limits.denials),
        (HaltCause.NEW_SOURCES, new_networks, limits.new_sources),
        (HaltCause.CALLS, int(new), limits.calls),
    )
    met = (
        (HaltCause.MISSING_PIDS, missing_pids, limits.missing_pids),
        (HaltCause.MISSING_PATHS, observation.missing_paths, limits.missing_paths),
        (HaltCause.DISTINCT_PIDS, pids, limits.distinct_pids),
        (HaltCause.DISTINCT_PATHS, paths, limits.distinct_paths),
    )
    # All of them count every call: none stops at the first that is broken.
    seen = [(cause, minute.count(cause, amount, second), allowed) for cause, amount, allowed in counted]
    seen += [
        (cause, minute.meet(cause, items, second), min(allowed, MAX_ITEMS_OF_ONE)) for cause, items, allowed in met
    ]
    return next((broken for broken in seen if broken[1] > broken[2]), None)


def _drop_before(seconds: OrderedDict[int, int], oldest: int, *, by_key: bool) -> None:
    """Drops the entries of seconds that are over; the first ones are the oldest."""
    while seconds:
        key, second = next(iter(seconds.items()))
        if (key if by_key else second) >= oldest:
            return
        del seconds[key]
