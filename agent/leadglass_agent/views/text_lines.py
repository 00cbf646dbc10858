"""Cuts clean text into lines of bounded length, however the pieces fall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.mask import joined, lines_of, part

if TYPE_CHECKING:
    from leadglass_agent.redaction.mask import Clean

MAX_LINE_CHARACTERS: Final = 16_384
# Enough for one character more than is shown, so that a line that was cut here is told to be cut.
_MAX_LINE_BYTES: Final = (MAX_LINE_CHARACTERS + 1) * 4


class LineCutter:
    """Collects clean text and gives its lines; of an overlong line it keeps the beginning alone."""

    def __init__(self) -> None:
        self._rest: Clean | None = None
        self._skipping = False

    def feed(self, clean: Clean) -> list[Clean]:
        """Gives the lines that are whole, and an unfinished one as soon as it is too long."""
        if self._skipping:
            newline = clean.data.find(b"\n")
            if newline < 0:
                return []
            clean = part(clean, newline + 1)
            self._skipping = False
        *lines, rest = lines_of(clean if self._rest is None else joined(self._rest, clean))
        if len(rest.data) >= _MAX_LINE_BYTES:
            lines.append(rest)
            rest, self._skipping = part(rest, 0, 0), True
        self._rest = rest
        return [part(line, 0, _MAX_LINE_BYTES) if len(line.data) > _MAX_LINE_BYTES else line for line in lines]

    def finish(self, *, without_bytes: int = 0) -> list[Clean]:
        """Gives the last line if it has no newline, without so many bytes at its end, and starts anew."""
        rest, self._rest, self._skipping = self._rest, None, False
        if rest is None or len(rest.data) <= without_bytes:
            return []
        return [part(rest, 0, len(rest.data) - without_bytes)]
