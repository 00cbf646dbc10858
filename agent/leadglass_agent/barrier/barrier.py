"""The second line behind the redactor: finds in a reply the values that the pod keeps as secrets.

It lives in the reader, which alone may know raw values; the front sends each serialised reply here before it leaves.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.canonical import folded, unescaped_around
from leadglass_agent.barrier.environments import Environments
from leadglass_agent.barrier.fingerprints import (
    MAX_PIECES,
    MAX_VALUES,
    SMALL_PIECES,
    Fingerprints,
    TooManyCandidates,
)
from leadglass_agent.barrier.forms import pieces
from leadglass_agent.barrier.mounts import Mounts
from leadglass_agent.barrier.origin import Origin
from leadglass_agent.errors import KnownValue, KnownValuesUnread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadglass_agent.barrier.fingerprints import Print
    from leadglass_agent.barrier.mounts import Gather
    from leadglass_agent.views.procfs import ProcRoot


_MAX_NAME: Final = 256


class Barrier:
    """Knows the values by their fingerprints, and keeps up with the processes of the pod."""

    def __init__(self, proc: ProcRoot, gather: Gather, mounts: tuple[str, ...] = ()) -> None:
        """Takes what reads the files of secret mounts, and further folders that are such."""
        self._environments = Environments(proc)
        self._mounts = Mounts(proc, mounts, gather)
        self._is_large = False
        self._is_full = False
        self._fingerprints = Fingerprints()
        self._origins: list[Origin] = []

    def held(self, text: bytes, pid: int, deadline_ns: int) -> dict[int, str]:
        """Gives the keyed digests of the pieces of known values in a text, and where each value was found first.

        `pid` is the process that the text is about, or 0. Raises KnownValuesUnread if not every source could be read
        before the deadline, KnownValue if the text cannot be searched in bounded time.
        """
        self._refresh(pid, deadline_ns)
        try:
            return {digest: self._told(self._origins[value]) for digest, value in self._found_in(text).items()}
        except TooManyCandidates:
            detail = "the reply is made of ends of known values"
            raise KnownValue(detail) from None

    def _found_in(self, text: bytes) -> dict[int, int]:
        plain = unescaped_around(text)
        found = self._fingerprints.search(folded(text))
        return found if plain is None else found | self._fingerprints.search(plain)

    def _refresh(self, pid: int, deadline_ns: int) -> None:
        self._read(pid, deadline_ns)
        if self._is_full:
            # Values of ended processes are kept until there is no room; then what lives is read again.
            self._is_large = True
            self._forget()
            self._read(pid, deadline_ns)
        if self._is_full:
            self._forget()
            detail = "the pod holds more values than can be kept"
            raise KnownValuesUnread(detail)

    def _read(self, pid: int, deadline_ns: int) -> None:
        now_ns = time.monotonic_ns()
        for origin, value in self._environments.fresh(pid, now_ns, deadline_ns):
            self._add(origin, self._fingerprints.prints(pieces(value)))
        for origin, prints in self._mounts.fresh(self._environments, self._fingerprints, pid, now_ns, deadline_ns):
            self._add(origin, prints)

    def _add(self, origin: Origin, prints: Iterable[Print]) -> None:
        most = MAX_PIECES if self._is_large else SMALL_PIECES
        if len(self._fingerprints) >= most or len(self._origins) >= MAX_VALUES:
            self._is_full = True
        elif self._fingerprints.add(prints, len(self._origins)):
            self._origins.append(origin)

    def _forget(self) -> None:
        self._is_full = False
        self._fingerprints = Fingerprints(large=self._is_large)
        self._origins = []
        self._environments.forget()
        self._mounts.forget()

    def _told(self, origin: Origin) -> str:
        """Names the place of a value, unless the name itself holds one."""
        name = origin.name[:_MAX_NAME]
        shown = "(unnamed)" if self._found_in(name.encode()) else name
        return str(Origin(origin.kind, shown, origin.pid))
