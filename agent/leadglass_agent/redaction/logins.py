"""Reads calls that log in or take a key: `login("user", "x")`, `hmacShaKeyFor("x")`."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.phrases import is_phrase
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import CLOSE, OPEN
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import LINE_END, QUOTE

READER_RANK: Final = 45
_CREDENTIAL: Final = RuleId("credential")
_MAX_ARGUMENTS: Final = 400
_MAX_LITERALS: Final = 8
_MIN_PASSWORD: Final = 6
# Groups of letters, as a provider of mail gives them out, and phrases that recover a wallet.
_MIN_GROUPS: Final = 4


def read_login(data: bytes, end: int, out: list[Span]) -> None:
    """Reads `login("user", "x")` and its like: every string behind the first that can be a password, or the last."""
    start, stop = _read_call(data, end, 1, out)
    if stop - start >= _MIN_PASSWORD:
        out.append(Span(start, stop, READER_RANK, _CREDENTIAL))


def read_key_call(data: bytes, end: int, out: list[Span]) -> None:
    """Reads `hmacShaKeyFor("x")` and its like: every string on the line that can be a key."""
    _read_call(data, end, 0, out)


def _read_call(data: bytes, position: int, first: int, out: list[Span]) -> tuple[int, int]:
    """Spans the call's strings that are secrets by their looks, from the `first` on.

    Gives the bounds of the last word among them when there is none; equal ones mean nothing.
    """
    limit = min(len(data), position + _MAX_ARGUMENTS)
    count = len(out)
    depth = 1
    seen = 0
    last = (0, 0)
    while position < limit and depth > 0 and seen < _MAX_LITERALS:
        byte = data[position]
        if byte == OPEN:
            depth += 1
        elif byte == CLOSE:
            depth -= 1
        elif LINE_END[byte] and first == 0:
            break
        elif QUOTE[byte]:
            start, end, _quoted = quoted_value(data, position)
            if start < 0:
                position += 2
                continue
            if seen >= first and _reads_argument(data[start:end], start, end, out):
                last = (start, end)
            seen += 1
            position = end
        position += 1
    return last if len(out) == count else (0, 0)


def _reads_argument(text: bytes, start: int, end: int, out: list[Span]) -> bool:
    """Spans an argument that looks like a secret; of any other says whether it is a word that can be one."""
    if is_harmless(text, quoted=True) or _is_address(text):
        return False
    if (len(text) >= _MIN_PASSWORD and is_password(text, expected=True)) or looks_like_token(text):
        out.append(Span(start, end, READER_RANK, _CREDENTIAL))
        return False
    if is_phrase(text, _MIN_GROUPS):
        out.append(Span(start, end, READER_RANK, _CREDENTIAL))
        return False
    return text.isalnum()


def _is_address(text: bytes) -> bool:
    if is_phrase(text, _MIN_GROUPS):
        return False
    if b"://" in text or b" " in text or text.startswith(b"jdbc:"):
        return True
    at = text.find(b"@")
    return at >= 0 and text.find(b".", at) >= 0
