"""Spans the credentials that stand before the host of a URL or a driver's address."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.findings import RuleId, Span
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token

_RANK: Final = 30
_RULE: Final = RuleId("url-password")
_MAX_AUTHORITY: Final = 4096
_AUTHORITY: Final = re.compile(rb"[^\s\"'`<>\0]*+")
_MIN_KEY: Final = 16
_PATH_BEGIN: Final = re.compile(rb"[/?#]")
_PORT: Final = re.compile(rb"[^:@]*:[0-9]{0,5}")
_ADDRESS_RUN: Final = re.compile(rb"[^\s\"'`<>=\0]{1,512}+")


def confirm_userinfo(data: bytes, end: int) -> Span | None:
    """Confirms `scheme://user:password@`; `end` is just behind the first @ after the slashes."""
    slashes = data.rfind(b"://", max(0, end - _MAX_AUTHORITY), end)
    if slashes < 0:
        return None
    start = slashes + len(b"://")
    run = _AUTHORITY.match(data, start, start + _MAX_AUTHORITY)
    if run is None:
        return None
    path = _PATH_BEGIN.search(data, start, run.end())
    at = data.rfind(b"@", start, run.end() if path is None else path.start())
    if at < 0:
        # An unescaped slash in the password; a host with a port before an ordinary @ in a path is none.
        head = data[start : end - 1 if path is None else path.start()]
        if b":" not in head or _PORT.fullmatch(head):
            return None
        at = end - 1
    return _password(data, start, at)


def confirm_driver_address(data: bytes, end: int) -> Span | None:
    """Confirms `user:password@tcp(`, the form of Go's MySQL driver; `end` is just behind the parenthesis."""
    at = data.rfind(b"@", max(0, end - len(b"@unix(")), end)
    window_start = max(0, at - 512)
    window = data[window_start:at]
    begin = max((window.rfind(byte) for byte in (b" ", b"\t", b"\n", b'"', b"'", b"`", b"=", b"\0")), default=-1)
    return _password(data, window_start + begin + 1, at)


def _password(data: bytes, start: int, at: int) -> Span | None:
    colon = data.find(b":", start, at)
    if colon < 0:
        user = data[start:at]
        # A user alone is a name, unless it is a key such as the one in a collector's address.
        return Span(start, at, _RANK, _RULE) if looks_like_token(user) and len(user) >= _MIN_KEY else None
    password = data[colon + 1 : at]
    return None if is_harmless(password, quoted=True) else Span(colon + 1, at, _RANK, _RULE)
