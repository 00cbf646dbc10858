"""One pass for candidates, then each candidate's confirm step: bytes in, ordered spans out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import hyperscan

from leadglass_agent.redaction.beside import confirm_beside, confirm_companion
from leadglass_agent.redaction.commands import IN_COMMAND, Commands
from leadglass_agent.redaction.encoded import Encoded
from leadglass_agent.redaction.encodings import IN_BASE64
from leadglass_agent.redaction.heads import confirm_head
from leadglass_agent.redaction.names import IN_VALUE
from leadglass_agent.redaction.pairs import PairState, confirm_name
from leadglass_agent.redaction.wide import narrowed_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.beside import Shape
    from leadglass_agent.redaction.heads import Head
    from leadglass_agent.redaction.spans import Span

# Candidates are kept as one integer each, end << 16 | step: they sort by end, and one list costs half of two.
_STEP_BITS: Final = 16
_STEP_MASK: Final = (1 << _STEP_BITS) - 1
_NO_LIMIT: Final = 1 << 62
_DEPTH: Final = 2
# An access key's id is no secret by itself, but its secret often stands near, and has no shape of its own.
_WITH_COMPANION: Final = "aws-access-key-id"
_MAX_DECODED: Final = 1_048_576
_MOST_DECODED: Final = 1024


@final
class Collector:
    """What Hyperscan calls for each match; a compiled call costs half of what a Python function's does."""

    __slots__ = ("cut", "found", "most")

    def __init__(self, cut: int, most: int) -> None:
        self.found: list[int] = []
        self.cut = cut
        self.most = most

    def __call__(self, step: int, _start: int, end: int, _flags: int, _context: object) -> bool:
        """Keeps a candidate; says whether it is the last one that is wanted."""
        self.found.append(end << _STEP_BITS | step)
        if end <= self.cut:
            self.most += 1
        return len(self.found) >= self.most


@final
class Steps:
    """What each number that Hyperscan reports stands for.

    Numbers below len(heads) are heads, then come the words of vendors, the context rules and the readers; those behind
    are names of secrets and the images of encoded ones.
    """

    __slots__ = ("besides", "compiled", "contexts", "heads", "readers")

    def __init__(
        self,
        heads: list[Head],
        besides: list[list[Shape]],
        contexts: list[Callable[[bytes, int], Span | None]],
        readers: list[Callable[[bytes, int, list[Span]], None]],
        compiled: hyperscan.Database,
    ) -> None:
        self.heads = heads
        self.besides = besides
        self.contexts = contexts
        self.readers = readers
        self.compiled = compiled


@final
class Look:
    """Looks into decoded text with the same rules: two levels deep, and for one window into 1 MiB in all."""

    __slots__ = ("_left", "_steps", "depth")

    def __init__(self, steps: Steps) -> None:
        self.depth = _DEPTH
        self._left = _MAX_DECODED
        self._steps = steps

    def holds(self, text: bytes) -> bool:
        """Says whether the text holds a secret; what is too much to look into counts as one."""
        self._left -= len(text)
        if self._left < 0:
            return True
        text = narrowed_whole(text)
        found, end = candidates(text, self._steps.compiled, 0, _MOST_DECODED)
        self.depth -= 1
        try:
            return end < len(text) or len(confirm(text, found, self._steps, self)) > 0
        finally:
            self.depth += 1


def find(data: bytes, compiled: hyperscan.Database, steps: Steps) -> list[Span]:
    """Finds every candidate and confirms each; spans are not ordered and may overlap; linear in the data's length."""
    return confirm(data, candidates(data, compiled, 0, _NO_LIMIT)[0], steps)


def candidates(data: bytes | memoryview, compiled: hyperscan.Database, cut: int, most: int) -> tuple[list[int], int]:
    """Finds candidates for `confirm`, at most so many behind `cut`; gives the place up to which these are all."""
    collector = Collector(cut, most)
    try:
        compiled.scan(data, match_event_handler=collector)  # type: ignore[type-var]  # it takes any buffer
    except hyperscan.ScanTerminated:
        return collector.found, collector.found[-1] >> _STEP_BITS
    return collector.found, len(data)


def confirm(  # noqa: C901, PLR0912 - one dispatch: a call more for each candidate is what dense text would pay
    data: bytes, found: list[int], steps: Steps, look: Look | None = None
) -> list[Span]:
    """Confirms each candidate; spans are not ordered and may overlap; linear in the data's length."""
    spans: list[Span] = []
    if len(found) == 0:
        return spans
    found.sort()
    heads = steps.heads
    first_beside = len(heads)
    first_context = first_beside + len(steps.besides)
    first_reader = first_context + len(steps.contexts)
    first_name = first_reader + len(steps.readers)
    # A candidate inside a span that its own step already gave is part of it: without this, a credential's tail could
    # be read again for each head that it contains.
    covered: dict[int, int] = {}
    names = PairState()
    commands = Commands()
    encoded: Encoded | None = None
    before = -1
    for candidate in found:
        if candidate == before:
            continue
        before = candidate
        step = candidate & _STEP_MASK
        end = candidate >> _STEP_BITS
        span: Span | None = None
        if step >= first_name:
            kind = step - first_name
            if kind < IN_BASE64 or kind == IN_VALUE:
                confirm_name(data, end, kind, names, spans)
            elif kind == IN_COMMAND:
                commands.confirm(data, end, spans)
            else:
                if encoded is None:
                    encoded = Encoded(look or Look(steps))
                encoded.confirm(data, end, kind, spans)
            continue
        if step < first_beside:
            head = heads[step]
            if end - head.width >= covered.get(step, 0):
                span = confirm_head(data, end, head)
                if span is not None and span.rule_id == _WITH_COMPANION:
                    confirm_companion(data, span.end, spans)
        elif step < first_context:
            confirm_beside(data, end, steps.besides[step - first_beside], spans)
        elif step >= first_reader:
            steps.readers[step - first_reader](data, end, spans)
        elif end > covered.get(step, 0):
            span = steps.contexts[step - first_context](data, end)
        if span is not None:
            covered[step] = span.end
            spans.append(span)
    return spans
