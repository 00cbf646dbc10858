"""Counts the calls of each identity over the last minute."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SpiffeId

MAX_IDENTITIES: Final = 4096
WINDOW_SECONDS: Final = 60

_SECOND_NS: Final = 1_000_000_000


class CallBudget:
    """Call counts by identity, so that a second session, or a new one, does not buy a second budget.

    Calls are kept by whole second, 61 numbers at most for an identity, and the oldest second counts in full: no minute,
    wherever it starts, ever holds more calls than allowed.
    """

    def __init__(self) -> None:
        self._seconds: OrderedDict[SpiffeId, deque[tuple[int, int]]] = OrderedDict()

    def spend(self, identity: SpiffeId, allowed: int, boot_ns: int) -> bool:
        """Counts one call if fewer than `allowed` were made within the last minute; says whether it did."""
        second = boot_ns // _SECOND_NS
        seconds = self._seconds.setdefault(identity, deque())
        self._seconds.move_to_end(identity)
        while seconds and seconds[0][0] < second - WINDOW_SECONDS:
            seconds.popleft()
        while len(self._seconds) > MAX_IDENTITIES:
            self._seconds.popitem(last=False)
        if sum(count for _, count in seconds) >= allowed:
            return False
        if seconds and seconds[-1][0] == second:
            seconds[-1] = (second, seconds[-1][1] + 1)
        else:
            seconds.append((second, 1))
        return True
