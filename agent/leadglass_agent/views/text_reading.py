"""Reads a window of one text file, masked, page by page; what it gives is Visible text and numbers.

Each page is asked for, so that a caller who waits costs nothing. The window begins and ends with whole lines where
lines are of ordinary length, and the redactor sees CONTEXT_BYTES before it: no edge cuts a secret in two.
"""

from __future__ import annotations

import codecs
import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.escape import visible
from leadglass_agent.views import paths
from leadglass_agent.views.file_times import shown_time
from leadglass_agent.views.masked_text import CONTEXT_BYTES, MaskedText
from leadglass_agent.views.page_budget import MAX_PAGE_ROWS
from leadglass_agent.views.rows import TextEnd, TextFile, TextLine, TextPage, TextStart, Unavailable
from leadglass_agent.views.text_lines import LineCutter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.model import Profile
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.redaction.mask import Clean
    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.views.paths import TargetRoot
    from leadglass_agent.views.rows import TextQuery
    from leadglass_agent.views.text_filter import LineFilter
    from leadglass_agent.views.text_source import TextSource

_READ_BYTES: Final = 256 * 1024
_PAGE_TEXT_BYTES: Final = 256 * 1024
_PAGE_NS: Final = 100_000_000  # then the other calls of the same worker have their turn
_MAX_NAME: Final = 1_024
_LINE_BYTES: Final = 64 * 1024  # how far an edge of the window moves to fall between lines
_FOLLOWED_BYTES: Final = 256 * 1024 * 1024  # of one stream, behind its first window


class TextReading:
    """One open window; it owns the descriptor of its source."""

    def __init__(
        self,
        source: TextSource,
        redactor: Redactor,
        query: TextQuery,
        filtered: LineFilter,
        profile: Profile,
        canonical: bytes,
    ) -> None:
        """Finds the window's edges."""
        self._source = source
        self._redactor = redactor
        self._query = query
        self._filter = filtered
        self._profile = profile
        self.canonical = canonical
        self._found = os.fstat(source.fd)
        self._size = self._found.st_size
        self._wanted = 0
        self._start = self._position = self._first()
        self._cut_bytes = 0
        self._stop = self._last()
        self._followed_from = self._stop
        self.is_binary = source.is_binary_at(self._start)
        self._masked: MaskedText | None = None
        self._decoder = codecs.getincrementaldecoder(source.encoding.codec or "utf-8")("replace")
        self._cutter = LineCutter()
        self._ready: Iterator[TextLine] = iter(())
        self._lines = 0
        self._is_told = False
        self._is_waiting = False
        self._end: TextEnd | None = None
        self._counted: Counter[RuleId] = Counter()
        self._told: Counter[RuleId] = Counter()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._source.fd)

    def page(self, stream: int, root: TargetRoot, scope: Scope) -> TextPage:
        """Reads on until a page is full, its time is over or nothing is left; raises RedactionError."""
        deadline_ns = time.monotonic_ns() + _PAGE_NS
        lines: list[TextLine] = []
        size = 0
        self._is_waiting = False
        while len(lines) < MAX_PAGE_ROWS and size < _PAGE_TEXT_BYTES:
            line = next(self._ready, None)
            if line is not None:
                lines.append(line)
                size += _size(line.text.text)
                self._count(line)
            elif self._end is not None or self._is_waiting or time.monotonic_ns() >= deadline_ns:
                break
            else:
                self._step(root, scope)
        is_over = self._end is not None and (len(lines) < MAX_PAGE_ROWS and size < _PAGE_TEXT_BYTES)
        return TextPage(
            stream=0 if is_over else stream,
            redaction=self._profile,
            file=None if self._is_told else self._told_file(),
            lines=tuple(lines),
            position_bytes=self._position,
            redactions=self._new_counts(),
            is_waiting=self._is_waiting and not lines,
            end=self._end if is_over else None,
        )

    def _first(self) -> int:
        """Finds where the window begins."""
        query, source = self._query, self._source
        first = len(source.encoding.mark)
        if query.start is TextStart.HEAD:
            return first
        wanted = min(query.offset_bytes, self._size)
        if query.start is TextStart.TAIL:
            wanted = max(0, self._size - query.max_bytes)
            if query.filter is None and query.max_lines:
                unfinished = not source.is_line_start(self._size)
                found = source.tail_start(self._size, query.max_lines - unfinished, wanted)
                if found is not None:
                    return max(found, first)
        wanted -= wanted % source.encoding.unit
        self._wanted = wanted
        found = wanted if source.is_line_start(wanted) else source.line_start(wanted, max(0, wanted - _LINE_BYTES))
        return max(first, wanted if found is None else found)

    def _last(self) -> int:
        """Finds where the window ends, for now if it is followed."""
        wanted = self._size if self._query.start is TextStart.TAIL else self._wanted + self._query.max_bytes
        if wanted >= self._size:
            return self._whole_lines(self._start) if self._query.follow else self._size
        wanted -= wanted % self._source.encoding.unit
        if self._source.is_line_start(wanted):
            return wanted
        ceiling = min(self._size, wanted + _LINE_BYTES)
        found = self._source.line_end(wanted, ceiling)
        if found is None and ceiling < self._size:
            # The end falls into a giant line. What is read beyond it is for the redactor alone.
            self._cut_bytes = _LINE_BYTES
        return ceiling if found is None else found

    def _whole_lines(self, start: int) -> int:
        """Gives the end of the last whole line: who follows a file sees a line when it is written to its end."""
        found = self._source.line_start(self._size, max(start, self._size - 2 * _LINE_BYTES))
        if found is not None and found >= start:
            return found
        # A line that is longer than what is shown of one is not waited for.
        return self._size - self._size % self._source.encoding.unit if self._size - start >= 2 * _LINE_BYTES else start

    def _step(self, root: TargetRoot, scope: Scope) -> None:
        """Reads one block, or finds out what comes after the last one."""
        if self._position < self._stop:
            raw = self._source.read(self._position, min(_READ_BYTES, self._stop - self._position))
            if not raw:
                self._finish()
                self._end = TextEnd.FILE_TRUNCATED
                return
            if self._masked is None:
                self._masked = self._mask_from(self._position, raw)
            self._position += len(raw)
            self._show(self._cutter.feed(self._masked.feed(self._decoded(raw))))
        elif self._masked is not None and self._query.follow:
            # Whoever follows shall not wait for what the redactor holds back; a new stream knows what came before.
            self._show(self._cutter.feed(self._rest()))
        elif self._query.follow:
            self._follow(root, scope)
        else:
            self._finish()
            self._end = TextEnd.END_OF_FILE if self._stop >= self._size else TextEnd.BYTE_LIMIT

    def _follow(self, root: TargetRoot, scope: Scope) -> None:
        """Looks whether the file grew, shrank, or gave its name to another."""
        self._size = os.fstat(self._source.fd).st_size
        if self._size < self._position:
            self._end = TextEnd.FILE_TRUNCATED
        elif self._position - self._followed_from >= _FOLLOWED_BYTES:
            self._end = TextEnd.BYTE_LIMIT
        else:
            self._stop = self._whole_lines(self._position)
            if self._stop == self._position:
                # A page that waits is not sent, and the last one has to be.
                self._is_waiting = self._still_has_its_name(root, scope)
                self._end = None if self._is_waiting else TextEnd.FILE_ROTATED

    def _still_has_its_name(self, root: TargetRoot, scope: Scope) -> bool:
        opened = paths.open_path(root, paths.parse_path(self._query.path), scope, follow=True)
        if isinstance(opened, Unavailable):
            return False
        with opened:
            return os.path.samestat(os.fstat(opened.fd), self._found)

    def _mask_from(self, position: int, ahead: bytes) -> MaskedText:
        """Begins to mask at a position, with what stands before it as context."""
        unit = self._source.encoding.unit
        size = min(CONTEXT_BYTES, position - len(self._source.encoding.mark))
        context = self._source.read(position - size, size)
        self._decoder.reset()
        if unit == 1:
            return MaskedText(self._redactor, context, ahead[:CONTEXT_BYTES])
        codec = self._source.encoding.codec
        before, after = (piece.decode(codec, "replace").encode() for piece in (context, ahead[:CONTEXT_BYTES]))
        return MaskedText(self._redactor, before, after)

    def _decoded(self, raw: bytes) -> bytes:
        return raw if self._source.encoding.unit == 1 else self._decoder.decode(raw).encode()

    def _rest(self) -> Clean:
        """Takes what the redactor held back, and lets go of it."""
        masked, self._masked = self._masked, None
        if masked is None:
            masked = MaskedText(self._redactor, b"", b"")
        rest = masked.finish()
        self._counted += masked.counts()
        return rest

    def _finish(self) -> None:
        lines = self._cutter.feed(self._rest())
        self._show([*lines, *self._cutter.finish(without_bytes=self._cut_bytes)])

    def _show(self, lines: list[Clean]) -> None:
        self._ready = self._filter.feed(lines)

    def _count(self, line: TextLine) -> None:
        """Ends the window at its last line; who follows or asked for a tail has chosen another end."""
        self._lines += not line.is_context
        is_bounded = self._query.start is not TextStart.TAIL or self._query.filter is not None
        if is_bounded and self._query.max_lines and self._lines >= self._query.max_lines and not self._query.follow:
            self._ready = iter(())
            self._end = TextEnd.LINE_LIMIT

    def _new_counts(self) -> tuple[tuple[RuleId, int], ...]:
        total = self._counted + (self._masked.counts() if self._masked is not None else Counter())
        new, self._told = total - self._told, total
        return tuple(sorted(new.items()))

    def _told_file(self) -> TextFile:
        self._is_told = True
        return TextFile(
            path=visible(self._redactor.redact(self.canonical).text, _MAX_NAME),
            size_bytes=self._found.st_size,
            modify_unix_ns=shown_time(self._found.st_mtime_ns),
            start_bytes=self._start,
            starts_within_line=not self._source.is_line_start(self._start)
            and self._start != len(self._source.encoding.mark),
        )


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
