"""Keeps the secret part of a word, by its shape."""

from __future__ import annotations

from leadglass_agent.redaction.argv import named
from leadglass_agent.redaction.argv.found import ARGUMENT, Found
from leadglass_agent.redaction.argv.program import OPTION_LIST
from leadglass_agent.redaction.argv.shapes import NOWHERE, address_start, secret_end, secret_start, stream_key_start


def mark(word: bytes, index: int, start: int, shape: int, found: Found) -> bool:
    """Spans the secret of a value of this shape that begins at `start`; says whether there is one."""
    if shape == OPTION_LIST:
        named.option_list(word, start, index, found)
        return True
    begin = secret_start(word, start, shape, literal=found.literal)
    if begin == NOWHERE:
        return False
    found.add(index, begin, secret_end(word, begin, shape), ARGUMENT)
    return True


def mark_address(word: bytes, start: int, index: int, found: Found) -> None:
    """Spans the password of user:password@host."""
    begin = address_start(word, start, known=False)
    if begin != NOWHERE:
        found.add(index, begin, word.rfind(b"@"), ARGUMENT)


def mark_stream_key(word: bytes, index: int, found: Found) -> None:
    """Spans the key at the end of a stream's address."""
    start = stream_key_start(word)
    if start != NOWHERE:
        found.add(index, start, len(word), ARGUMENT)
