"""Decides which connections to a port have to go, so that nobody takes it, or the machine, from all others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.abuse import AbuseCause

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECOND_NS: Final = 1_000_000_000
# A session makes 100 calls a second at most, which are some 30 KB; the largest request is 256 KiB.
_BYTES_A_SECOND: Final = 1024 * 1024
_BURST_BYTES: Final = 4 * 1024 * 1024
# A handshake and the first call take some 10 ms; on a machine that is busy, some hundred. The shorter, the more
# newcomers find a place while somebody takes each that is free.
_SILENT_NS: Final = _SECOND_NS // 2
_MAX_CALLERS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a port has room for: from when on it counts as crowded, and how much of it one caller may then hold."""

    crowded: int
    share: int
    silence: AbuseCause = AbuseCause.SILENCE


@dataclass(frozen=True, slots=True)
class Seen:
    """One connection as it is now: its peer (address and port), the bytes it has sent, and a number to know it by."""

    peer: str
    received: int
    number: int


@dataclass(frozen=True, slots=True)
class Closing:
    """A connection that has to go, who called on it (empty if nobody did), and why."""

    seen: Seen
    caller: str
    cause: AbuseCause


@dataclass(slots=True)
class _Known:
    first_ns: int
    looked_ns: int
    received: int
    allowance: int
    caller: str = ""


class Crowd:
    """What is known of each connection from one look to the next; a look forgets the connections that it lacks."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds: Final = bounds
        self._known: dict[str, _Known] = {}
        self._callers: dict[str, str] = {}

    def called(self, peer: str, caller: str) -> None:
        """Notes who called on a connection, between looks."""
        if len(self._callers) < _MAX_CALLERS:
            self._callers[peer] = caller

    def look(self, seen: Sequence[Seen], boot_ns: int) -> tuple[Closing, ...]:
        """Gives the connections to close: those that flood, and on a crowded port what is silent or above a share."""
        self._known = {one.peer: self._update(one, boot_ns) for one in seen}
        self._callers = {}
        closing = [self._closing(one, AbuseCause.FLOODING) for one in seen if self._known[one.peer].allowance < 0]
        others = [one for one in seen if self._known[one.peer].allowance >= 0]
        if len(others) >= self._bounds.crowded:
            closing += self._relief(others, boot_ns)
        return tuple(closing)

    def _update(self, one: Seen, boot_ns: int) -> _Known:
        known = self._known.get(one.peer)
        if known is None:
            known = _Known(boot_ns, boot_ns, 0, _BURST_BYTES)
        gained = (boot_ns - known.looked_ns) * _BYTES_A_SECOND // _SECOND_NS
        spent = max(0, one.received - known.received)
        known.allowance = min(_BURST_BYTES, known.allowance + gained) - spent
        known.looked_ns, known.received = boot_ns, one.received
        known.caller = self._callers.get(one.peer, known.caller)
        return known

    def _relief(self, seen: list[Seen], boot_ns: int) -> list[Closing]:
        """Closes what nobody has called on for a second, and of each caller's connections the oldest above a share."""
        closing: list[Closing] = []
        held = Counter(self._known[one.peer].caller for one in seen)
        for one in sorted(seen, key=lambda one: self._known[one.peer].first_ns):
            known = self._known[one.peer]
            if not known.caller:
                if boot_ns - known.first_ns >= _SILENT_NS:
                    closing.append(self._closing(one, self._bounds.silence))
            elif held[known.caller] > self._bounds.share:
                held[known.caller] -= 1
                closing.append(self._closing(one, AbuseCause.CROWDING))
        return closing

    def _closing(self, one: Seen, cause: AbuseCause) -> Closing:
        return Closing(one, self._known[one.peer].caller, cause)
