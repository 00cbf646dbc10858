"""Cuts a text of any length into windows by its content alone, and masks one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

from leadglass_agent.redaction.around import read_around
from leadglass_agent.redaction.echo import Echoes
from leadglass_agent.redaction.endings import LOOKBEHIND, Ending, ending_of, wide_ending
from leadglass_agent.redaction.extents import MAX_VALUE
from leadglass_agent.redaction.findings import Finding, RedactionError, RuleId
from leadglass_agent.redaction.spans import Span, interleaved, merge, token
from leadglass_agent.redaction.strict import precise_spans, strict_spans
from leadglass_agent.redaction.tables import ALNUM
from leadglass_agent.redaction.wide import Island, islands, narrowed, order_of, widened, written

if TYPE_CHECKING:
    from leadglass_agent.redaction.database import Database

Text: TypeAlias = bytes | memoryview

# No limit of a rule cuts a shorter secret.
_SHORT: Final = 4000
_MAX_KEY_BODY: Final = 32_768
_NEARLY_MOST_VALUE: Final = MAX_VALUE - 512
_LARGEST: Final = 131_072


@final
class Sizes:
    """How a text is cut, in bytes; only tests take other sizes than the largest."""

    __slots__ = ("context", "line", "margin", "most", "progress", "window")

    def __init__(self, window: int = _LARGEST) -> None:
        # New bytes of one window.
        self.window = window
        # The rules have read so far behind a cut when it is made, and read so far before it again.
        self.margin = window // 32
        self.context = min(window, 1024)
        # A line end is looked for in so many bytes before the margin.
        self.line = window // 16
        # A cut before a secret that goes on behind the window must leave so much behind; else the secret is masked to
        # its end.
        self.progress = window // 4
        # A window ends early behind so many candidates or echoes, which bounds what hostile text can ask for in memory.
        self.most = 768


@final
class Mark:
    """Where a text stood between two windows, to go back to."""

    __slots__ = ("begun", "ending", "findings", "known", "offset", "pieces", "rule_id")

    def __init__(self, windows: Windows) -> None:
        self.offset = windows.offset
        self.ending = windows._ending  # noqa: SLF001 - the other half of one class
        self.begun = windows._begun  # noqa: SLF001
        self.rule_id = windows._rule_id  # noqa: SLF001
        self.pieces = len(windows.pieces)
        self.findings = len(windows.findings)
        self.known = windows.echoes.count


@final
class Windows:
    """What is known of one text between its windows, and what came out so far: clean pieces and findings."""

    __slots__ = (
        "_begun",
        "_database",
        "_ending",
        "_has_nul",
        "_order",
        "_rule_id",
        "_sizes",
        "_wide",
        "echoes",
        "findings",
        "offset",
        "pieces",
    )

    def __init__(self, database: Database, sizes: Sizes) -> None:
        self._database = database
        self._sizes = sizes
        self.echoes = Echoes()
        # The place in the text of the next byte to decide.
        self.offset = 0
        # A secret that is longer than its window: how it ends, where it began, which rule found it.
        self._ending: Ending | None = None
        self._begun = 0
        self._rule_id = RuleId("")
        # The byte order of a text that is all UTF-16, and what is UTF-16 in the window at hand.
        self._order = 0
        self._has_nul = False
        self._wide: list[Island] = []
        self.pieces: list[Text] = []
        self.findings: list[Finding] = []

    @property
    def is_open(self) -> bool:
        """Says whether the end of a secret is still looked for."""
        return self._ending is not None

    def back(self, mark: Mark) -> None:
        """Goes back to where the text stood at the mark; nothing that was known then may have been settled since."""
        self.offset = mark.offset
        self._ending = mark.ending
        self._begun = mark.begun
        self._rule_id = mark.rule_id
        del self.pieces[mark.pieces :]
        del self.findings[mark.findings :]
        self.echoes.forget(mark.known)

    def step(self, data: bytes, cut: int, shown: Text, *, last: bool) -> tuple[int, int]:
        """Decides text behind `cut`; gives the next cut, and from which byte on the next window needs these again.

        `data` holds what stood before the cut and one window's bytes behind it; fewer only if they are the `last`.
        What needs no mask is given as a part of `shown`, which has the same bytes.
        """
        # Without a NUL, nothing in it is UTF-16.
        self._has_nul = b"\0" in data
        following = self._skip(data, cut, last=last)
        if self.is_open:
            keep = max(0, following - LOOKBEHIND)
        elif following > cut:
            # The end of a long secret is no context for what follows it.
            keep = following
        else:
            following = self._mask(data, cut, shown, last=last)
            keep = self._context(data, following)
        if following <= cut < len(data):
            raise RedactionError
        self.offset += following - cut
        return following, keep

    def _skip(self, data: bytes, cut: int, *, last: bool) -> int:
        """Drops what belongs to the secret whose end is looked for; gives the cut when there is none."""
        if self._ending is None:
            return cut
        ended, place = self._ending.after(data, cut)
        if not ended and not last:
            return place if place > cut else len(data) - LOOKBEHIND
        place = max(place, cut) if ended else len(data)
        self._ending = None
        self.findings.append(Finding(self._rule_id, self._begun, self.offset + place - cut))
        return place

    def _mask(self, data: bytes, cut: int, shown: Text, *, last: bool) -> int:
        spans, end = self._spans(data, cut)
        final = last and end >= len(data)
        following = end if final else self._cut_before(data, cut, end)
        if not spans:
            self.pieces.append(shown[cut:following])
            return following
        spans = _lengthened(data, spans)
        long: Span | None = None
        if not final:
            crossing = _crossing(spans, following)
            if crossing is not None:
                if last or crossing.end <= len(data) - self._sizes.margin:
                    following = crossing.end
                elif crossing.start - cut >= self._sizes.progress:
                    following = crossing.start
                else:
                    long = crossing
        following = self._emit(data, cut, following, spans, long)
        if self.echoes.has_room:
            self.echoes.keep(data, spans, cut, following)
        return following

    def _emit(self, text: bytes, cut: int, following: int, spans: list[Span], long: Span | None) -> int:
        pieces = self.pieces
        shift = self.offset - cut
        position = cut
        for span in spans:
            if span.end <= cut or span.start == span.end:
                continue
            if span.start >= following:
                break
            start = max(span.start, cut)
            if start > position:
                pieces.append(text[position:start])
            order = self._order_at(start) if self._wide else 0
            pieces.append(written(token(span.rule_id), order) if order else token(span.rule_id))
            if span is long:
                self._ending = wide_ending(order) if order else ending_of(text, span.start, span.end, span.rule_id)
                self._begun = start + shift
                self._rule_id = span.rule_id
                return max(cut + 1, min(span.end, len(text) - LOOKBEHIND))
            self.findings.append(Finding(span.rule_id, start + shift, span.end + shift))
            position = span.end
        if position < following:
            pieces.append(text[position:following])
        return following

    def _spans(self, data: bytes, cut: int) -> tuple[list[Span], int]:
        """Finds the spans of a window, ordered and apart, and the place up to which everything was found."""
        text = data
        found, end = self._database.candidates(data, cut, self._sizes.most)
        if end < len(data):
            # What lies further is read by the next window: reading all of it at each would not be linear.
            text = data[: end + self._sizes.margin]
        self._wide = self._islands(text, cut)
        echoes, echoes_end = self.echoes.known(text, cut, self._sizes.most)
        end = min(end, echoes_end)
        is_strict = self._database.is_strict
        spans = self._database.confirm(data, found)
        if self._wide:
            end = min(end, self._wide_spans(text, cut, spans))
            text = text[: end + self._sizes.margin]
        if is_strict:
            end = min(end, strict_spans(text, spans, cut, self._sizes.most))
        elif not self._wide:
            spans = merge(spans)
            doubtful: list[Span] = []
            read_around(text, spans, doubtful)
            end = min(end, precise_spans(text, spans, doubtful, cut, self._sizes.most))
            if doubtful:
                spans = interleaved(spans, merge(doubtful))
        if spans:
            end = min(end, self.echoes.fresh(text, cut, spans, echoes, self._sizes.most))
            spans.extend(echoes)
            return merge(spans), max(end, cut + 1)
        return merge(echoes), max(end, cut + 1)

    def _islands(self, data: bytes, cut: int) -> list[Island]:
        """Finds what is UTF-16 in a window; a byte order mark at the beginning of the text makes all of it so."""
        before = self.offset - cut
        if before + cut == 0:
            self._order = order_of(data[:4])
        if self._order:
            return [Island(before % 2, len(data) - (len(data) - before) % 2, self._order)]
        return islands(data) if self._has_nul else []

    def _wide_spans(self, text: bytes, cut: int, out: list[Span]) -> int:
        """Adds the spans of what is UTF-16; gives the place up to which it searched."""
        for island in self._wide:
            narrow = narrowed(text, island)
            inner_cut = max(0, cut - island.start) // 2
            found, end = self._database.candidates(narrow, inner_cut, self._sizes.most)
            narrow = narrow[: end + self._sizes.margin]
            spans = self._database.confirm(narrow, found)
            if self._database.is_strict:
                end = min(end, strict_spans(narrow, spans, inner_cut, self._sizes.most))
            out.extend([widened(span, island) for span in spans])
            if end < len(narrow):
                return island.start + 2 * end
        return len(text)

    def _order_at(self, position: int) -> int:
        for island in self._wide:
            if island.start <= position < island.end:
                return island.order
        return 0

    def _cut_before(self, data: bytes, cut: int, end: int) -> int:
        """Chooses the next cut: behind a line if there is one, else behind a blank, and far enough before the end."""
        margin = self._sizes.margin
        upper = end - margin
        if upper - cut < margin:
            upper = cut + (end - cut + 1) * 3 // 4
        lower = max(cut, upper - self._sizes.line)
        return (data.rfind(b"\n", lower, upper) + 1) or (data.rfind(b" ", lower, upper) + 1) or upper

    def _context(self, data: bytes, cut: int) -> int:
        if self._ending is not None:
            return max(0, cut - LOOKBEHIND)
        floor = max(0, cut - self._sizes.context)
        line = data.find(b"\n", floor, cut) + 1
        return line if floor and floor < line < cut else floor


def _crossing(spans: list[Span], cut: int) -> Span | None:
    for span in spans:
        if span.start < cut < span.end:
            return span
        if span.start >= cut:
            break
    return None


def _lengthened(text: bytes, spans: list[Span]) -> list[Span]:
    """Moves the ends of secrets that a rule's limit cut to where they end."""
    moved = False
    for span in spans:
        if span.end - span.start >= _SHORT and _was_limited(text, span):
            ended, place = ending_of(text, span.start, span.end, span.rule_id).after(text, span.end)
            end = max(span.end, place) if ended else len(text)
            moved = moved or end > span.end
            span.end = end
    return merge(spans) if moved else spans


def _was_limited(text: bytes, span: Span) -> bool:
    length = span.end - span.start
    if span.end == len(text):
        return False
    if text.startswith(b"-----BEGIN ", span.start):
        return length >= _MAX_KEY_BODY and not text.endswith(b"-----", 0, span.end)
    return length >= _NEARLY_MOST_VALUE or (ALNUM[text[span.end - 1]] != 0 and ALNUM[text[span.end]] != 0)
