"""Masks what looks like a token beside any name and is not known to be harmless: the strict profile's own pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.entries import stretches
from leadglass_agent.redaction.identifiers import CODE, ENDINGS
from leadglass_agent.redaction.run_counts import (
    CLASS,
    IS_DIGIT,
    IS_HIGH,
    IS_LOWER,
    IS_SIGN,
    IS_UPPER,
)
from leadglass_agent.redaction.runs import read_number, read_run
from leadglass_agent.redaction.surroundings import (
    EXPECTANT,
    LIBERAL,
    PRECISE,
    REACH,
    SILENT,
    Line,
    end_line,
    note,
)
from leadglass_agent.redaction.tables import LINE_END

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

    from leadglass_agent.redaction.spans import Span


_MAX_CODE: Final = 8

_NEWLINE: Final = 0x0A
_EQUALS: Final = 0x3D
_COLON: Final = 0x3A
_DASH: Final = 0x2D
_ANY_LETTER: Final = IS_LOWER | IS_UPPER | IS_HIGH
# A value that is longer than any line ends what its line said.
_MAX_LINE: Final = 512
_NO_SPANS: Final[list[Span]] = []
_NO_WORD: Final = IS_DIGIT | IS_SIGN | IS_HIGH
_CAMEL: Final = IS_LOWER | IS_UPPER
_LONG_WORD: Final = 16
_MIN_LOWER: Final = 8
# A password that is a word stands so close to its name, and is no shorter.
_NEAR: Final = 32
_LONG_NUMBER: Final = 16


def strict_spans(data: bytes, out: list[Span], cut: int, most: int) -> int:
    """Adds a span for each token-like string; gives the place where it stopped, having found `most` behind `cut`."""
    return _by_lines(data, _NO_SPANS, out, cut, most, EXPECTANT, LIBERAL)


def precise_spans(data: bytes, certain: list[Span], out: list[Span], cut: int, most: int) -> int:
    """Adds a span for what can only be a secret, on lines that are no entries of a log; stops as `strict_spans` does.

    What is `certain`, ordered and apart, is not looked at again.
    """
    return _by_lines(data, certain, out, cut, most, SILENT, PRECISE)


def _by_lines(
    data: bytes, certain: list[Span], out: list[Span], cut: int, most: int, in_logs: int, elsewhere: int
) -> int:
    """Reads each stretch of lines that are alike, entries of a log or others, in their mode."""
    begin = 0
    left = most
    mode = elsewhere
    for end in stretches(data):
        mode = elsewhere if mode == in_logs else in_logs
        if mode != SILENT and end > begin:
            count = len(out)
            stop = strict_stretch(data, certain, out, begin, end, cut, left, mode)
            if stop > cut:
                left -= len(out) - count
                if left <= 0:
                    return stop
            begin = stop
        begin = max(begin, end)
    return len(data)


def strict_stretch(  # noqa: C901, PLR0912, PLR0915 - one walk, without a call for each word
    data: bytes, certain: list[Span], out: list[Span], begin: int, stop: int, cut: int, most: int, mode: int
) -> int:
    """Adds a span for each token-like string that begins in this stretch; gives the place where it stopped."""
    length: i64 = len(data)
    limit: i64 = stop
    line = Line(mode)
    line.name_start = line.name_end = begin
    classes = CLASS
    endings = ENDINGS
    position: i64 = begin
    start: i64 = 0
    end: i64 = 0
    kind: i64 = 0
    kinds: i64 = 0
    found = len(out) + most
    # The first certain span that ends behind this place.
    index = _first_behind(certain, begin)
    sure_start: i64 = certain[index].start if index < len(certain) else length
    sure_end: i64 = certain[index].end if index < len(certain) else length
    sure_before: i64 = 0
    while position < limit:
        kind = classes[data[position]]
        if kind == 0:
            if data[position] == _NEWLINE or LINE_END[data[position]]:
                end_line(data, position, line)
            position += 1
            continue
        start = position
        kinds = 0
        while kind != 0:
            kinds |= kind
            position += 1
            if position >= length:
                break
            kind = classes[data[position]]
        end = position
        if end > sure_start:
            while sure_end <= start and index < len(certain):
                index += 1
                sure_before = sure_end
                sure_start = certain[index].start if index < len(certain) else length
                sure_end = certain[index].end if index < len(certain) else length
            if end > sure_start:
                position = max(end, sure_end)
                line.name_start = sure_start
                line.name_end = sure_end
                if sure_end - sure_start > _MAX_LINE:
                    line.secret_end = -1
                continue
        if kinds & _ANY_LETTER == 0:
            if kinds & IS_DIGIT != 0:
                if (
                    line.secret_kind == CODE
                    or line.asked_for_code
                    or (end - start >= _LONG_NUMBER and kinds == IS_DIGIT)
                    or (kind == 0 and end - start <= _MAX_CODE)
                ):
                    read_number(data, start, end, line, out)
                line.name_start = end
                line.name_end = end
            continue
        known = len(out)
        if (
            kinds & _NO_WORD == 0
            and end - start < _LONG_WORD
            and (kinds != _CAMEL or (line.secret_end < 0 and mode != LIBERAL))
            and (data[start] != _DASH)
        ):
            if end > 2 and endings[(data[end - 3] & 31) << 10 | (data[end - 2] & 31) << 5 | data[end - 1] & 31]:  # noqa: PLR2004
                note(data, start, end, line)
            if (
                end - start >= _MIN_LOWER
                and line.name_end == start - 1
                and (data[start - 1] == _EQUALS or data[start - 1] == _COLON)
            ) or (line.secret_end >= 0 and start - line.secret_end <= _NEAR):
                position = read_run(data, start, end, kinds, line, out)
        else:
            position = read_run(data, start, end, kinds, line, out)
        if len(out) > known and (out[-1].end > sure_start or out[-1].start < sure_before < out[-1].end):
            out.pop()
        if position <= cut:
            found = len(out) + most  # what stands before the cut does not count
        elif len(out) >= found:
            return position
        line.name_start = start
        line.name_end = end
    return position


def _first_behind(spans: list[Span], place: int) -> int:
    """Finds the first of these ordered spans that ends behind a place."""
    low = 0
    high = len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle].end <= place:
            low = middle + 1
        else:
            high = middle
    return low


def strict_argument_spans(arguments: list[bytes], index: int, out: list[Span]) -> None:
    """Adds the spans of one argument of a list; an option before it is its name, as in `--name=argument`."""
    argument = arguments[index]
    option = arguments[index - 1] if index > 0 else b""
    if option[:1] != b"-" or argument[:1] == b"-" or len(option) > REACH:
        strict_spans(argument, out, 0, len(argument))
        return
    spans: list[Span] = []
    strict_spans(option + b"=" + argument, spans, 0, len(argument) + REACH)
    begin = len(option) + 1
    for span in spans:
        if span.start >= begin:
            span.start -= begin
            span.end -= begin
            out.append(span)
