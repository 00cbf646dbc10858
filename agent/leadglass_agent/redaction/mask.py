"""Clean text, and the only place that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from leadglass_agent.redaction.spans import replace

if TYPE_CHECKING:
    from leadglass_agent.redaction.spans import Span


class Clean(msgspec.Struct, frozen=True, gc=False):
    """Bytes that went through the redactor; messages accept no other bytes of the target."""

    data: bytes

    def __repr__(self) -> str:
        """Says nothing of the content, which is still somebody's text."""
        return "Clean(...)"


def part(clean: Clean, start: int, end: int | None = None) -> Clean:
    """Gives a part of clean text, which is clean."""
    return Clean(clean.data[start:end])


def lines_of(clean: Clean) -> list[Clean]:
    """Splits clean text at its newlines; the last entry is what stands behind the last one, often nothing."""
    return [Clean(line) for line in clean.data.split(b"\n")]


def joined(first: Clean, second: Clean) -> Clean:
    """Puts two pieces of clean text together."""
    return Clean(first.data + second.data)


def assembled(pieces: list[bytes | memoryview]) -> Clean:
    """Puts together what the windows of one text left of it; they have masked every span."""
    if len(pieces) == 1 and isinstance(pieces[0], bytes):
        return Clean(pieces[0])
    return Clean(b"".join(pieces))


def mask(data: bytes, spans: list[Span]) -> Clean:
    """Replaces each span by the constant token of its rule; raises RedactionError unless they are ordered and apart."""
    return Clean(replace(data, spans) if spans else data)
