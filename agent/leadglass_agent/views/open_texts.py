"""Keeps the windows that callers have open on text files below one root, as many as there is room for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import RateLimited
from leadglass_agent.policy.model import Profile
from leadglass_agent.views import paths
from leadglass_agent.views.rows import TextEnd, TextPage, Unavailable
from leadglass_agent.views.text import open_text

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.paths import TargetRoot
    from leadglass_agent.views.redactors import Redactors
    from leadglass_agent.views.rows import TextQuery
    from leadglass_agent.views.text_reading import TextReading

MAX_OPEN: Final = 32  # a stream of the redactor holds at most 1 MiB
# A caller who takes nothing is sent away sooner; a window that nobody asks for belongs to a call that has ended.
_FORGOTTEN_NS: Final = 60_000_000_000


class OpenTexts:
    """Opens windows, reads them page by page, and forgets those that nobody asks for."""

    def __init__(self, root: TargetRoot, redactors: Redactors) -> None:
        self._root = root
        self._redactors = redactors
        self._open: dict[int, tuple[TextReading, int]] = {}

    def page(self, number: int, stream: int, scope: Scope, query: TextQuery) -> TextPage:
        """Gives the next page of a window; stream 0 opens one, which is known by `number` from then on.

        The scope is that of now: a window whose file it no longer admits ends. Raises RateLimited, PatternRefused,
        InvalidRequest and RedactionError.
        """
        if stream == 0:
            self._make_room()
            opened = open_text(self._root, self._redactors, scope, query)
            if isinstance(opened, TextPage):
                return opened
            stream, reading = number, opened
        elif stream in self._open:
            reading = self._open[stream][0]
        else:
            return no_text(TextEnd.INTERRUPTED)
        self._open[stream] = (reading, time.monotonic_ns())
        try:
            is_shown = paths.admits(scope, reading.canonical) and paths.admits(scope, paths.parse_path(query.path))
            page = (
                reading.page(stream, self._root, scope)
                if is_shown
                else no_text(TextEnd.UNAVAILABLE, Unavailable.NOT_FOUND)
            )
        except OSError as error:
            page = no_text(TextEnd.UNAVAILABLE, paths.reason_of(error))  # as in open_text
        except BaseException:
            self.close(stream)
            raise
        if page.end is not None:
            self.close(stream)
        return page

    def close(self, stream: int) -> None:
        """Lets go of a window; one that is not open is no error."""
        held = self._open.pop(stream, None)
        if held is not None:
            held[0].close()

    def _make_room(self) -> None:
        now = time.monotonic_ns()
        for stream in [stream for stream, (_, used) in self._open.items() if now - used >= _FORGOTTEN_NS]:
            self.close(stream)
        if len(self._open) >= MAX_OPEN:
            detail = f"{MAX_OPEN} texts are open below this root"
            raise RateLimited(detail)


def no_text(end: TextEnd, reason: Unavailable | None = None) -> TextPage:
    """Makes the page that ends a window, or says why there is none."""
    return TextPage(0, Profile.STRICT, end=end, unavailable=reason)
