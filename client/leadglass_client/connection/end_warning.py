"""Warns once, on standard error, when the session nears its end; the agent tells with each call what is left of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from leadglass_client.output.screen import note
from leadglass_client.output.units import span

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY: Final = "leadglass-session-seconds-left"
_NEAR_SECONDS: Final = 300
_MAX_DIGITS: Final = 9


class EndWarning:
    """The warning of one command; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_given = False

    def heed(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> int | None:
        """Warns if the reply's metadata say that the end is near; gives the seconds that they say, if they do."""
        seconds = _seconds_left(metadata)
        if seconds is not None and seconds < _NEAR_SECONDS:
            self._give(seconds)
        return seconds

    def later(self, seconds_left: int | None) -> threading.Timer | None:
        """Starts a timer that warns when so long a session nears its end; cancel it when the call is over."""
        if seconds_left is None or seconds_left < _NEAR_SECONDS:
            return None
        timer = threading.Timer(seconds_left - _NEAR_SECONDS, self._give, (_NEAR_SECONDS,))
        timer.daemon = True
        timer.start()
        return timer

    def _give(self, seconds: int) -> None:
        with self._lock:
            if self._is_given:
                return
            self._is_given = True
        note(f"the session ends in {span(seconds)}; go on with a new one: leadglass session open")


def _seconds_left(metadata: Iterable[tuple[str, str | bytes]] | None) -> int | None:
    for key, value in metadata or ():
        if key == _KEY and isinstance(value, str) and len(value) <= _MAX_DIGITS and value.isascii() and value.isdigit():
            return int(value)
    return None
