"""The places that streams may hold: fewer than those for calls, so that followers never keep others out."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leadglass_agent.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.model import SpiffeId

_MAX_STREAMS = 64  # a third of the calls that the server lets run at once
_MAX_STREAMS_OF_CALLER = 8


class StreamPlaces:
    """Counts the streams that run, by caller."""

    def __init__(self) -> None:
        self._streams: Counter[SpiffeId] = Counter()

    @contextmanager
    def taken(self, caller: SpiffeId) -> Iterator[None]:
        """Takes a place for a with-block; raises RateLimited if there is none."""
        if self._streams.total() >= _MAX_STREAMS or self._streams[caller] >= _MAX_STREAMS_OF_CALLER:
            detail = "too many streams at once"
            raise RateLimited(detail)
        self._streams[caller] += 1
        try:
            yield
        finally:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]
