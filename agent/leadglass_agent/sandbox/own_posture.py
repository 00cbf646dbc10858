"""A process's report on itself: what the kernel says of it, and what it refuses to it when it tries."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from leadglass_agent.sandbox.attempts import attempt_all, forbidden_to
from leadglass_agent.sandbox.posture import Attempted, read_posture

if TYPE_CHECKING:
    from typing import BinaryIO

    from leadglass_agent.sandbox.attempts import Tried
    from leadglass_agent.sandbox.posture import Posture, Standing


@dataclass(slots=True)
class OwnPosture:
    """This process's posture, whenever somebody asks; what it knows of itself changes once, when it is confined."""

    standing: Standing

    def read(self, opened: BinaryIO | None = None) -> Posture:
        """Asks the kernel; `opened` as in read_posture."""
        return read_posture(self.standing, opened)

    def tried(self, opened: BinaryIO | None = None) -> Posture:
        """Asks the kernel, and has it refuse what is forbidden."""
        posture = self.read(opened)
        forbidden = forbidden_to(self.standing.role, self.standing.sandbox_level)
        tried = tuple(_attempted(one, forbidden.get(one.attempt)) for one in attempt_all(self.standing.role))
        return msgspec.structs.replace(posture, attempts=tried)


def _attempted(tried: Tried, refusals: frozenset[int] | None) -> Attempted:
    number = tried.errno
    return Attempted(
        attempt=tried.attempt.value,
        error_name=errno.errorcode.get(number, str(number)) if number else "",
        forbidden=refusals is not None,
        refused=refusals is not None and number in refusals,
    )
