"""Looks into base64, gzip in base64 and hex: a run that decodes to text with a secret is masked whole."""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING, Final, Protocol, final

from leadglass_agent.redaction.encodings import GZIP, IN_BASE64, SECRET_KIND, WORDS
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.manifest import Manifests
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, DIGITS, HEX, LOWER, UPPER, run_end, run_start, table

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODED_SECRET: Final = RuleId("encoded-secret")
# Behind what the name before a value says of it, before echoes.
_RANK: Final = 50
# 64 KiB of decoded text; what follows in the same run is a run of its own.
_MAX_RUN: Final = 87_384
_MAX_INDENT: Final = 64
# Lines of MIME have 76 characters, those of PEM 64; a shorter line is the last one.
_MIN_LINE: Final = 40
_HIT: Final = 48
_PIECE: Final = 65_536
_MAX_INFLATED: Final = 4 * _PIECE
_SEAM: Final = 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_RUN: Final = table(DIGITS + LOWER + UPPER + b"+/-_")
_PADDING: Final = table(b"=")
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_BACKSLASH: Final = 0x5C
_MOSTLY: Final = 0.9
_SHORTEST: Final = 16


class Look(Protocol):
    """What looks for secrets in decoded text, so many levels deep."""

    depth: int

    def holds(self, text: bytes) -> bool:
        """Says whether a secret was found, or there was more to look into than is allowed."""
        ...


@final
class Encoded:
    """How far one text was decoded, so that no run is decoded twice."""

    __slots__ = ("_look", "_manifests", "_read_to")

    def __init__(self, look: Look) -> None:
        self._manifests = Manifests()
        self._look = look
        self._read_to = 0

    def confirm(self, data: bytes, end: int, kind: int, out: list[Span]) -> None:
        """Masks what stands around a candidate of this kind that ends at `end`."""
        if kind == SECRET_KIND:
            self._manifests.confirm(data, end, out)
        elif self._look.depth > 0 and end > self._read_to:
            if kind == IN_BASE64:
                self._confirm_base64(data, end, out)
            else:
                self._confirm_hex(data, end, out)

    def _confirm_base64(self, data: bytes, end: int, out: list[Span]) -> None:
        packed = data.endswith(GZIP, 0, end)
        place = end - len(GZIP) if packed else _aligned(data, end, self._read_to)
        if place < 0:
            return
        first = place if packed else self._first(data, place)
        last, text, before = _run(data, first, place)
        self._read_to = last
        if self._holds(text[before % 4 :]):
            out.append(Span(first, last, _RANK, ENCODED_SECRET))

    def _confirm_hex(self, data: bytes, end: int, out: list[Span]) -> None:
        first = run_start(data, end, max(self._read_to, end - _MAX_RUN), HEX)
        first += (end - first) % 2
        last = run_end(data, end, min(len(data), first + _MAX_RUN), HEX)
        self._read_to = last
        if self._look.holds(binascii.unhexlify(data[first : last - (last - first) % 2])):
            out.append(Span(first, last, _RANK, ENCODED_SECRET))

    def _first(self, data: bytes, place: int) -> int:
        """Finds where the run begins, over the lines before the one at `place`."""
        floor = max(self._read_to, place - _MAX_RUN)
        first = _line_start(data, place, floor)
        while first > floor:
            end = _before_break(data, first, floor)
            if end < 0:
                break
            line = _line_start(data, end, floor)
            if end - line < _MIN_LINE:
                break
            first = line
        return first

    def _holds(self, text: bytes) -> bool:
        decoded = _decoded(text)
        if decoded.startswith(_GZIP_MAGIC):
            return any(self._look.holds(piece) for piece in _inflated(decoded))
        return self._look.holds(decoded)


def decodes_to_secret(run: bytes, look: Look) -> bool:
    """Says whether base64 or hex holds a secret; reads 64 KiB of decoded text at most, and nothing of random bytes."""
    if len(run) < _SHORTEST:
        return False
    run = run[:_MAX_RUN]
    if not run.strip(b"0123456789abcdefABCDEF"):
        text = binascii.unhexlify(run[: len(run) // 2 * 2])
        return _is_text(text) and look.holds(text)
    decoded = _decoded(run)
    if decoded.startswith(_GZIP_MAGIC):
        return any(look.holds(piece) for piece in _inflated(decoded))
    return _is_text(decoded) and look.holds(decoded)


def _is_text(decoded: bytes) -> bool:
    sample = decoded[:_HIT]
    printable = sum(1 for byte in sample if 0x20 <= byte < 0x7F or byte in b"\r\n\t\0")  # noqa: PLR2004
    return bool(sample) and printable >= len(sample) * _MOSTLY


def _aligned(data: bytes, end: int, floor: int) -> int:
    """Finds a place before `end` where a group of four characters begins; -1 when no word shows at any alignment."""
    start = run_start(data, end, max(floor, end - _HIT), _RUN)
    stop = run_end(data, end, min(len(data), end + 8), _RUN)
    for place in range(start, min(start + 4, end)):
        decoded = _decoded(data[place:stop]).lower().replace(b"\0", b"")
        for word in WORDS:
            if word in decoded:
                return place
    return -1


def _line_start(data: bytes, end: int, floor: int) -> int:
    start = run_start(data, end, floor, _RUN)
    # The n of a newline that is escaped is no part of the run.
    if floor < start < end and data[start - 1] == _BACKSLASH and data[start] in b"nrt":
        start += 1
    return start


def _before_break(data: bytes, position: int, floor: int) -> int:
    """Gives the end of the line before the one that begins at `position`, or -1."""
    position = run_start(data, position, max(floor, position - _MAX_INDENT), BLANK)
    if position - floor > 1 and data[position - 1] == _NEWLINE:
        return position - 2 if data[position - 2] == _RETURN else position - 1
    if data.endswith(b"\\n", floor, position):
        return position - 4 if data.endswith(b"\\r\\n", floor, position) else position - 2
    return -1


def _behind_break(data: bytes, position: int) -> int:
    for mark in (b"\n", b"\r\n", b"\\n", b"\\r\\n"):
        if data.startswith(mark, position):
            position += len(mark)
            return run_end(data, position, min(len(data), position + _MAX_INDENT), BLANK)
    return -1


def _run(data: bytes, first: int, place: int) -> tuple[int, bytes, int]:
    """Reads a run over its lines: its end, its characters, and how many of them stand before `place`."""
    lines: list[bytes] = []
    before = 0
    total = 0
    line = first
    while True:
        end = run_end(data, line, min(len(data), line + _MAX_RUN - total), _RUN)
        lines.append(data[line:end])
        if line <= place:
            before = total + place - line
        total += end - line
        following = _behind_break(data, end)
        if following < 0 or end - line < _MIN_LINE or total >= _MAX_RUN:
            break
        if run_end(data, following, min(len(data), following + 1), _RUN) == following:
            break
        line = following
    return run_end(data, end, min(len(data), end + 2), _PADDING), b"".join(lines), before


def _decoded(text: bytes) -> bytes:
    text = text.translate(_TO_STANDARD)
    extra = len(text) % 4
    # One character over is no byte.
    return binascii.a2b_base64(text[: len(text) - 1] if extra == 1 else text + b"=" * (-len(text) % 4))


def _inflated(packed: bytes) -> Iterator[bytes]:
    """Gives the text behind gzip in pieces that overlap, 256 KiB at most; ends where the bytes are no gzip."""
    inflater = zlib.decompressobj(wbits=31)
    seam = b""
    total = 0
    while total < _MAX_INFLATED and not inflater.eof:
        try:
            piece = inflater.decompress(packed, _PIECE)
        except zlib.error:
            return
        if not piece:
            return
        total += len(piece)
        packed = inflater.unconsumed_tail
        yield seam + piece
        seam = piece[-_SEAM:]
