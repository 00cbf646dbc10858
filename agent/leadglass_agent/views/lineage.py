"""Decides which processes do not come from the first process of their container, by what was seen of them over time.

A container's first process has no parent in the pod, and all that the app starts descends from it. What the runtime
or somebody on the node puts into a container has no parent there either, and comes later. Orphans go to process 1, so
what was once seen below a process stays where it was placed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.views.proc_text import Origin

MAX_KNOWN: Final = 32_768  # about 6 MB; pods are given fewer processes than this
MAX_FOREIGN: Final = 256
MAX_OF_ONE_CONTAINER: Final = 64
_INIT: Final = 1


class Finding(StrEnum):
    """How a process came to be where it is."""

    OWN_CONTAINER = "OWN_CONTAINER"
    NOT_DESCENDED = "NOT_DESCENDED"


@dataclass(frozen=True, slots=True)
class Home:
    """What tells a container from others: the number of its root mount and its runtime's name for it, 0 and "" unknown.

    Whoever gives itself a mount namespace of its own is still of the cgroup that it was put into.
    """

    mount: int = 0
    container_id: str = ""

    def same(self, other: Home) -> bool:
        """Says whether both are the same container."""
        return (self.mount != 0 and self.mount == other.mount) or (
            self.container_id != "" and self.container_id == other.container_id
        )


_NOWHERE: Final = Home()


@dataclass(frozen=True, slots=True)
class Foreign:
    """A process that came from outside, or descends from one that did; `first_pid` is its container's, 0 if unknown."""

    origin: Origin
    finding: Finding
    first_pid: int
    container_id: str

    @property
    def key(self) -> tuple[int, int]:
        """Tells it from a later process of the same number."""
        return self.origin.pid, self.origin.start_ticks

    @property
    def container(self) -> tuple[Finding, str]:
        """Tells the containers apart that processes were put into."""
        return self.finding, self.container_id or str(self.first_pid)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at /proc: every number that is listed, and what was read of those that had to be.

    `homes` holds what was read of those that `Lineage.homes_wanted` named.
    """

    listed: frozenset[int]
    read: Mapping[int, Origin]
    homes: Mapping[int, Home]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a process belongs; `home` only of a first process, `again` if it has to be looked at once more."""

    start_ticks: int
    foreign: Foreign | None = None
    home: Home | None = None
    again: bool = False


@dataclass(slots=True)
class Lineage:
    """What was seen so far: memory for at most MAX_KNOWN processes. `own_pid` is a process of the agent's own."""

    own_pid: int
    _known: dict[int, _Place] = field(default_factory=dict)
    _sessions: dict[int, Foreign] = field(default_factory=dict)
    _top: int = 0
    _own: Home = _NOWHERE
    _is_guest: bool = False
    _starts_no_sessions: bool = False

    def unread(self, listed: frozenset[int]) -> frozenset[int]:
        """Names those of which nothing is known, and the few of which more has to be: their origins are wanted."""
        unsettled = {pid for pid, place in self._known.items() if place.again}
        # A foreign process may run another program by now, whose name is to be told.
        foreign = {pid for pid, place in self._known.items() if place.foreign is not None}
        few = frozenset(itertools.islice(foreign, MAX_FOREIGN))
        return listed.difference(self._known) | (listed & (unsettled | few))

    def homes_wanted(self, read: Mapping[int, Origin]) -> frozenset[int]:
        """Names the processes whose home decides: those without a parent, and orphans, whom nobody vouches for."""
        fresh = {pid for pid, origin in read.items() if not origin.kernel_thread and not self._is_settled(origin)}
        roots = {pid for pid in fresh if read[pid].parent_pid == 0}
        # A first process may have moved to another mount namespace since: what is put beside it goes there.
        firsts = {pid for pid, place in self._known.items() if place.home is not None} if roots else set[int]()
        orphans = {pid for pid in fresh if read[pid].parent_pid == _INIT} if self._top != _INIT else set[int]()
        return frozenset(roots | firsts | orphans)

    def take(self, look: Look) -> tuple[Foreign, ...]:
        """Places what is new; gives the foreign processes that run, at most MAX_FOREIGN of them."""
        is_first_look = not self._known
        self._forget(look.listed, look.read)
        if is_first_look:
            self._find_own(look)
        self._move_firsts(look.homes)
        # Parents before children, and the first process of a container before what was put beside it.
        for origin in sorted(look.read.values(), key=_age):
            self._place(origin, look.homes.get(origin.pid, _NOWHERE))
        running = (place.foreign for place in self._known.values() if place.foreign is not None)
        found = _some_of_each(running)
        self._remember_sessions(found)
        return found

    def _forget(self, listed: frozenset[int], read: Mapping[int, Origin]) -> None:
        """Forgets what has ended, also if its number was given anew."""
        for pid in [pid for pid in self._known if pid not in listed]:
            del self._known[pid]
        for pid, origin in read.items():
            place = self._known.get(pid)
            if place is not None and place.start_ticks != origin.start_ticks:
                del self._known[pid]

    def _find_own(self, look: Look) -> None:
        """Finds the first process of the agent's own container: what the agent descends from."""
        pid, climbed = self.own_pid, 0
        while pid in look.read and look.read[pid].parent_pid and climbed < len(look.read):
            pid, climbed = look.read[pid].parent_pid, climbed + 1
        if pid not in look.read:
            return
        top = look.read[pid]
        self._top, self._own = pid, look.homes.get(pid, _NOWHERE)
        self._starts_no_sessions = top.session == 0
        # Somebody who starts the agent by hand in a container that is there already is a guest: who else is may stay.
        self._is_guest = any(
            origin.parent_pid == 0 and _age(origin) < _age(top) and look.homes.get(other, _NOWHERE).same(self._own)
            for other, origin in look.read.items()
            if not origin.kernel_thread
        )

    def _move_firsts(self, homes: Mapping[int, Home]) -> None:
        for pid, place in self._known.items():
            if place.home is not None and homes.get(pid, _NOWHERE) != _NOWHERE:
                self._known[pid] = replace(place, home=homes[pid])

    def _place(self, origin: Origin, home: Home) -> None:
        place = self._known.get(origin.pid)
        if place is not None and place.foreign is not None:
            self._keep(origin.pid, replace(place, foreign=replace(place.foreign, origin=origin)))
        elif place is not None and place.again:
            self._keep(origin.pid, self._first_again(origin, place))
        elif place is None and (origin.kernel_thread or origin.parent_pid == 0):
            self._keep(origin.pid, self._root(origin, home))
        elif place is None:
            parent = self._known.get(origin.parent_pid)
            if parent is not None:  # else its parent has just ended: the next look shows who took it over
                self._keep(origin.pid, self._child(origin, parent, home))

    def _root(self, origin: Origin, home: Home) -> _Place:
        """Places a process without a parent in the pod: the first of a container, or put beside the first."""
        if origin.kernel_thread or home == _NOWHERE or origin.pid == self._top:
            return _Place(origin.start_ticks)
        if home.same(self._own):
            return self._beside_the_agent(origin, home)
        beside = self._first_of(home)
        if beside:
            return _foreign(origin, Finding.NOT_DESCENDED, beside, home.container_id)
        # A runtime prepares a container's first process in its own mount namespace: the next look sees the final one.
        return _Place(origin.start_ticks, home=home, again=True)

    def _first_again(self, origin: Origin, place: _Place) -> _Place:
        """Looks a second time at what seemed to be the first process of a container that nobody had seen."""
        home = place.home or _NOWHERE
        if home.same(self._own):
            return self._beside_the_agent(origin, home)
        beside = self._first_of(home, before=_age(origin))
        # Runtimes begin a session with each container; whoever enters its namespaces by hand keeps the node's session.
        by_hand = origin.session == 0 and origin.pid != _INIT and not self._starts_no_sessions
        if beside or by_hand:
            return _foreign(origin, Finding.NOT_DESCENDED, beside, home.container_id)
        return replace(place, again=False)

    def _child(self, origin: Origin, parent: _Place, home: Home) -> _Place:
        outside = parent.foreign
        if outside is None and origin.parent_pid == _INIT:
            outside = self._of_session(origin)
        if outside is not None:
            return _foreign(origin, outside.finding, outside.first_pid, outside.container_id)
        # Process 1 is the pod's pause container: it takes over orphans of all containers, but the agent leaves none.
        if origin.parent_pid == _INIT != self._top and home.same(self._own):
            return self._beside_the_agent(origin, home)
        return _Place(origin.start_ticks)

    def _beside_the_agent(self, origin: Origin, home: Home) -> _Place:
        if self._is_guest:
            return _Place(origin.start_ticks)
        return _foreign(origin, Finding.OWN_CONTAINER, self._top, home.container_id)

    def _first_of(self, home: Home, before: tuple[int, int] | None = None) -> int:
        """Finds the first process of a container, started before that age; 0 if there is none."""
        return next(
            (
                pid
                for pid, place in self._known.items()
                if place.home is not None
                and place.home.same(home)
                and (before is None or (place.start_ticks, pid) < before)
            ),
            0,
        )

    def _of_session(self, origin: Origin) -> Foreign | None:
        """Finds the foreign process whose session an orphan is of; its number stays taken while the session lasts."""
        if origin.session == origin.pid:
            return None
        leader = self._known.get(origin.session)
        return self._sessions.get(origin.session) if leader is None else leader.foreign

    def _remember_sessions(self, running: tuple[Foreign, ...]) -> None:
        for one in running:
            if one.origin.session:
                self._sessions[one.origin.session] = one
        for session in [session for session in self._sessions if session in self._known]:
            if self._known[session].foreign is None:
                del self._sessions[session]
        while len(self._sessions) > MAX_FOREIGN:
            del self._sessions[next(iter(self._sessions))]

    def _keep(self, pid: int, place: _Place) -> None:
        if pid in self._known or len(self._known) < MAX_KNOWN:
            self._known[pid] = place

    def _is_settled(self, origin: Origin) -> bool:
        place = self._known.get(origin.pid)
        return place is not None and place.start_ticks == origin.start_ticks and not place.again


def _age(origin: Origin) -> tuple[int, int]:
    return origin.start_ticks, origin.pid


def _some_of_each(running: Iterable[Foreign]) -> tuple[Foreign, ...]:
    """Chooses MAX_FOREIGN, those beside the agent first, so that many in one container hide none in another.

    A container's first process can make any number that seem to come from outside: CLONE_PARENT of clone(2).
    """
    chosen, counts = [], Counter[tuple[Finding, str]]()
    for one in running:
        counts[one.container] += 1
        if counts[one.container] <= MAX_OF_ONE_CONTAINER:
            chosen.append(one)
    chosen.sort(key=lambda one: one.finding is not Finding.OWN_CONTAINER)
    return tuple(chosen[:MAX_FOREIGN])


def _foreign(origin: Origin, finding: Finding, first_pid: int, container_id: str) -> _Place:
    return _Place(origin.start_ticks, Foreign(origin, finding, first_pid, container_id))
