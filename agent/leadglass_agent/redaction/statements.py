"""Spans secrets that a keyword and a space introduce: SQL statements, netrc entries, server directives."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.spans import Span

_RANK: Final = 40
_RULE: Final = RuleId("password")
_LOOKBACK: Final = 256
_MAX_VALUE: Final = 4096
_QUOTED: Final = {b"'": re.compile(rb"[^'\r\n\0]*+"), b'"': re.compile(rb'[^"\r\n\0]*+')}
_WORD: Final = re.compile(rb"[^\s\0]*+")
_NETRC_LOGIN: Final = re.compile(
    rb"(?:^|\s)(?:machine\s+\S{1,128}|default)\s+(?:login|user)\s+\S{1,128}\s+(?:account\s+\S{1,64}\s+)?\Z"
)


def confirm_statement(data: bytes, end: int) -> Span | None:
    """Confirms `IDENTIFIED BY '…'` and `PASSWORD '…'`; `end` is just behind the opening quote."""
    value = _QUOTED[data[end - 1 : end]].match(data, end, end + _MAX_VALUE)
    if value is None or value.end() == end or is_harmless(value[0], quoted=True):
        return None
    return Span(end, value.end(), _RANK, _RULE)


def confirm_netrc(data: bytes, end: int) -> Span | None:
    """Confirms `machine … login … password …`; `end` is just behind the first byte of the value."""
    window = data[max(0, end - 1 - _LOOKBACK) : end - 1]
    keyword = max(window.lower().rfind(b"password"), window.lower().rfind(b"passwd"))
    if keyword < 0 or _NETRC_LOGIN.search(window, 0, keyword) is None:
        return None
    return confirm_directive(data, end)


def confirm_directive(data: bytes, end: int) -> Span | None:
    """Spans the word behind a directive that takes a password; `end` is just behind the word's first byte."""
    value = _WORD.match(data, end - 1, end - 1 + _MAX_VALUE)
    if value is None or is_harmless(value[0], quoted=True):
        return None
    return Span(end - 1, value.end(), _RANK, _RULE)
