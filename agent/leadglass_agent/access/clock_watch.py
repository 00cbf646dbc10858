"""Notices when somebody sets the wall clock, by holding it against the clock that no one can set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.clock import Instant

JUMP_SECONDS: Final = 5

_SECOND_NS: Final = 1_000_000_000
# adjtimex(2) corrects a drifting clock by at most 500 parts in a million; twice that is no jump either.
_SLEW_DIVISOR: Final = 1_000


class ClockWatch:
    """The difference between both clocks as it should be; it follows a slow correction and nothing faster."""

    def __init__(self) -> None:
        self._last_boot_ns: int | None = None
        self._difference_ns = 0

    def jumped(self, now: Instant) -> int:
        """Tells by how many seconds the wall clock was set, forwards or back, since it was last right; else 0.

        Many small steps add up to a jump.
        """
        difference_ns = now.unix_ns - now.boot_ns
        if self._last_boot_ns is None:
            self._last_boot_ns, self._difference_ns = now.boot_ns, difference_ns
            return 0
        slew_ns = max(0, now.boot_ns - self._last_boot_ns) // _SLEW_DIVISOR
        self._last_boot_ns = now.boot_ns
        jump_ns = difference_ns - self._difference_ns
        if abs(jump_ns) >= JUMP_SECONDS * _SECOND_NS:
            self._difference_ns = difference_ns
            return round(jump_ns / _SECOND_NS)
        self._difference_ns += max(-slew_ns, min(slew_ns, jump_ns))
        return 0
