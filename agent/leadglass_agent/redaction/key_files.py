"""Reads secrets in formats that name them in their own way: keys of JOSE and PuTTY, Wi-Fi codes, states, sessions."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_random
from leadglass_agent.redaction.logins import READER_RANK
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import BACKSLASH, SEMICOLON
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BASE64, BLANK, LINE_END, SPACE, run_end, table

_PASSWORD: Final = RuleId("password")
_PRIVATE_KEY: Final = RuleId("private-key")
_SESSION: Final = RuleId("session-id")
_MAX_WORD: Final = 256
_MAX_OBJECT: Final = 8192
_MAX_LINES: Final = 512
_MAX_LINE_COUNT: Final = 4
_MAX_SPACE: Final = 8
_LINE_BREAK: Final = 2
_MAX_STATE: Final = 1024
# How many bytes of the session's id the expression has read.
_SESSION_HEAD: Final = 20
_PRIVATE_MEMBERS: Final = (b'"d"', b'"p"', b'"q"', b'"dp"', b'"dq"', b'"qi"', b'"k"')
_RESULT: Final = b'"result"'
_WIFI_PASSWORD: Final = b"P:"
_MEMBER_GAP: Final = table(b" \t\r\n:")
_KEY_BYTES: Final = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def read_jwk(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the private members of a JSON Web Key (RFC 7517, RFC 7518 section 6): d, p, q, dp, dq, qi, k."""
    opening = data.rfind(b"{", max(0, end - _MAX_OBJECT), end)
    if opening < 0:
        return
    limit = min(len(data), end + _MAX_OBJECT)
    closing = data.find(b"}", end, limit)
    closing = limit if closing < 0 else closing
    for member in _PRIVATE_MEMBERS:
        found = data.find(member, opening, closing)
        if found >= 0:
            start, stop, _quoted = quoted_value(data, run_end(data, found + len(member), closing, _MEMBER_GAP))
            if start > 0:
                out.append(Span(start, stop, READER_RANK, _PRIVATE_KEY))


def read_putty_key(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the lines of a PuTTY key's private part: `Private-Lines: N`, then N lines of base64."""
    position = run_end(data, end, min(len(data), end + _MAX_SPACE), BLANK)
    position = run_end(data, position, min(len(data), position + _MAX_LINE_COUNT), ALNUM)
    start = run_end(data, position, min(len(data), position + _MAX_SPACE), SPACE)
    stop = start
    for _ in range(_MAX_LINES):
        line = run_end(data, stop, min(len(data), stop + _MAX_WORD), _KEY_BYTES)
        if line == stop:
            break
        stop = run_end(data, line, min(len(data), line + _LINE_BREAK), SPACE)
        if data.startswith(b"Private-MAC", stop):
            break
    if stop > start:
        out.append(Span(start, stop, READER_RANK, _PRIVATE_KEY))


def read_wifi_code(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the text of a Wi-Fi QR code: `WIFI:S:name;T:WPA;P:x;;`."""
    limit = min(len(data), end + _MAX_WORD)
    found = data.find(_WIFI_PASSWORD, end, limit)
    if found < 0 or (found > end and data[found - 1] != SEMICOLON):
        return
    start = found + len(_WIFI_PASSWORD)
    stop = start
    while stop < limit and data[stop] != SEMICOLON and not LINE_END[data[stop]]:
        stop += 2 if data[stop] == BACKSLASH else 1
    if stop > start:
        out.append(Span(start, min(stop, limit), READER_RANK, _PASSWORD))


def read_random_password(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the result of a `random_password` in a state of Terraform."""
    found = data.find(_RESULT, end, min(len(data), end + _MAX_STATE))
    if found < 0:
        return
    start, stop, _quoted = quoted_value(data, run_end(data, found + len(_RESULT), len(data), _MEMBER_GAP))
    if start > 0:
        out.append(Span(start, stop, READER_RANK, _PASSWORD))


def read_session(data: bytes, end: int, out: list[Span]) -> None:
    """Reads a session's id that a generator made: `SESSION: x`; `end` is behind its twentieth byte."""
    start = end - _SESSION_HEAD
    stop = run_end(data, end, min(len(data), end + _MAX_WORD), BASE64)
    if is_random(data[start:stop]):
        out.append(Span(start, stop, READER_RANK, _SESSION))
