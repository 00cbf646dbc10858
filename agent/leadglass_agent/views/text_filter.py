"""Keeps the lines of a redacted text that fit a pattern, in time linear in their length whatever the pattern.

A regular expression runs on Hyperscan, which has no backtracking and refuses what would need it. It sees bytes: `.` is
one byte, and ignoring case concerns ASCII letters; a fixed string is compared by characters.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

import hyperscan

from leadglass_agent.errors import PatternRefused
from leadglass_agent.redaction.escape import visible_line
from leadglass_agent.views.rows import TextLine
from leadglass_agent.views.text_lines import MAX_LINE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.redaction.mask import Clean
    from leadglass_agent.views.rows import TextFilter

MAX_PATTERN_BYTES: Final = 256
MAX_AROUND: Final = 50
_MAX_COUNT: Final = 255  # compiling takes under a second at this bound, and a megabyte
_COUNT: Final = re.compile(rb"\{(\d{0,9})(?:,(\d{0,9}))?\}")
_CLASS: Final = re.compile(rb"\[[^\]]*[\x80-\xff]")
_FOREIGN: Final = re.compile(rb"[\x80-\xbf]*[\xc0-\xff][\x80-\xbf]+")
_WHOLE_TEXT: Final = re.compile(rb"\\[AzZ]")


class Pattern:
    """A pattern that was compiled once."""

    def __init__(self, wanted: TextFilter) -> None:
        """Compiles it; raises PatternRefused."""
        raw = wanted.pattern.encode("utf-8", "surrogatepass")
        if len(raw) > MAX_PATTERN_BYTES or b"\0" in raw or b"\n" in raw:
            detail = f"the pattern is longer than {MAX_PATTERN_BYTES} bytes or holds a NUL or a newline"
            raise PatternRefused(detail)
        self._literal = raw if wanted.fixed and not wanted.ignore_case else None
        self._is_text = wanted.fixed and not raw.isascii()
        if self._literal is None:
            expression = re.escape(wanted.pattern).encode() if wanted.fixed else _in_bytes(raw)
            flags = hyperscan.HS_FLAG_CASELESS if wanted.ignore_case else 0
            flags |= hyperscan.HS_FLAG_UTF8 if self._is_text else 0
            # Lines are tried one by one only in a block that has a match at all; \A and \z are about a line.
            self._of_line = _compiled(expression, flags)
            sparse = None if _WHOLE_TEXT.search(expression) else expression
            self._of_block = None if sparse is None else _compiled(sparse, flags | hyperscan.HS_FLAG_MULTILINE)

    def fits_any(self, lines: list[Clean]) -> bool:
        """Says quickly whether some line may fit."""
        block = b"\n".join(line.data for line in lines)
        if self._literal is not None:
            return self._literal in block
        return self._of_block is None or self._found(self._of_block, block)

    def fits(self, line: Clean) -> bool:
        """Says whether the pattern stands somewhere in the line."""
        return self._literal in line.data if self._literal is not None else self._found(self._of_line, line.data)

    def _found(self, database: hyperscan.Database, data: bytes) -> bool:
        if self._is_text and not data.isascii():
            # In this mode Hyperscan asks for valid UTF-8, and log files promise nothing.
            data = data.decode("utf-8", "replace").encode()
        found: list[int] = []

        def on_match(_id: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append(end)

        database.scan(data, match_event_handler=on_match)
        return bool(found)


class LineFilter:
    """Lets lines through one after the other; without a filter, all of them."""

    def __init__(self, wanted: TextFilter | None) -> None:
        """Compiles the pattern; raises PatternRefused."""
        self._pattern = Pattern(wanted) if wanted is not None else None
        self._before: deque[Clean] = deque(maxlen=wanted.before if wanted is not None else 0)
        self._after = wanted.after if wanted is not None else 0
        self._still_after = 0
        self._has_gap = False
        self._has_shown = False

    def feed(self, lines: list[Clean]) -> Iterator[TextLine]:
        """Gives the lines to show, made visible as they are taken; those after a match that limits end come with it."""
        if self._pattern is None:
            for line in lines:
                yield TextLine(visible_line(line, MAX_LINE_CHARACTERS))
            return
        if not self._still_after and lines and not self._pattern.fits_any(lines):
            self._skip(lines)
            return
        for line in lines:
            if self._pattern.fits(line):
                for earlier in self._before:
                    yield self._shown(earlier, is_context=True)
                self._before.clear()
                self._still_after = self._after
                yield self._shown(line, is_context=False)
            elif self._still_after:
                self._still_after -= 1
                yield self._shown(line, is_context=True)
            else:
                self._skip([line])

    def _skip(self, lines: list[Clean]) -> None:
        self._has_gap = self._has_gap or len(self._before) + len(lines) > (self._before.maxlen or 0)
        self._before.extend(lines[-MAX_AROUND:])

    def _shown(self, line: Clean, *, is_context: bool) -> TextLine:
        after_gap, self._has_gap, self._has_shown = self._has_gap and self._has_shown, False, True
        return TextLine(visible_line(line, MAX_LINE_CHARACTERS), is_context=is_context, after_gap=after_gap)


def _in_bytes(raw: bytes) -> bytes:
    """Makes an expression over bytes of one over characters; raises PatternRefused where that is not possible."""
    if _CLASS.search(raw):
        detail = "a class holds a character that is not ASCII"
        raise PatternRefused(detail)
    if any(int(count or 0) > _MAX_COUNT for found in _COUNT.finditer(raw) for count in found.groups()):
        detail = f"a count is above {_MAX_COUNT}"
        raise PatternRefused(detail)
    return _FOREIGN.sub(lambda found: b"(?:" + b"".join(b"\\x%02x" % byte for byte in found[0]) + b")", raw)


def _compiled(expression: bytes, flags: int) -> hyperscan.Database:
    flags |= hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=[expression], ids=[0], elements=1, flags=[flags])
    except hyperscan.error:
        detail = "the pattern is no expression of those that can be searched for"
        raise PatternRefused(detail) from None
    return database
