"""The places that calls and streams may hold: so many in all, and fewer by one caller, who never keeps others out."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leadglass_agent.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.model import SpiffeId

MAX_CALLS = 200  # running at once, over all callers
_MAX_CALLS_OF_CALLER = 64
_MAX_STREAMS = 64  # a third of the calls
_MAX_STREAMS_OF_CALLER = 8


class Places:
    """Counts what runs, by caller."""

    def __init__(self, what: str, most: int, most_of_caller: int) -> None:
        self._what = what
        self._most = most
        self._most_of_caller = most_of_caller
        self._held: Counter[SpiffeId] = Counter()

    @contextmanager
    def taken(self, caller: SpiffeId) -> Iterator[None]:
        """Takes a place for a with-block; raises RateLimited if there is none."""
        if self._held.total() >= self._most or self._held[caller] >= self._most_of_caller:
            detail = f"too many {self._what} at once"
            raise RateLimited(detail)
        self._held[caller] += 1
        try:
            yield
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]


def call_places() -> Places:
    """Gives the places for calls of any kind, streams among them."""
    return Places("calls", MAX_CALLS, _MAX_CALLS_OF_CALLER)


def stream_places() -> Places:
    """Gives the places for streams."""
    return Places("streams", _MAX_STREAMS, _MAX_STREAMS_OF_CALLER)
