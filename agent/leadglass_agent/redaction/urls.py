"""Spans the credentials that stand before the host of a URL or a driver's address."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import DIGIT

_RANK: Final = 30
_RULE: Final = RuleId("url-password")
_MAX_AUTHORITY: Final = 4096
# Angle brackets within a password, but no tag of markup behind an address.
_AUTHORITY: Final = re.compile(rb"[^\s\"'`<>\0/@:]*+:[^\s\"'`\0/@]*+@[^\s\"'`<>\0]*+|[^\s\"'`<>\0]*+")
_MIN_KEY: Final = 16
_LONG_KEY: Final = 30
_MIN_DIGITS: Final = 2
_MAX_ADDRESS: Final = 512
_PATH_BEGIN: Final = re.compile(rb"[/?#]")
_PORT: Final = re.compile(rb"[^:@]*:[0-9]{0,5}")
# What hosts of source code take in the place of a password when the user is a token.
_NO_PASSWORDS: Final = (b"x-oauth-basic", b"", b"x", b"oauth2", b"api_token", b"x-token-auth")


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
    window_start = max(0, at - _MAX_ADDRESS)
    window = data[window_start:at]
    begin = max((window.rfind(byte) for byte in (b" ", b"\t", b"\n", b'"', b"'", b"`", b"=", b"\0")), default=-1)
    return _password(data, window_start + begin + 1, at)


def _password(data: bytes, start: int, at: int) -> Span | None:
    colon = data.find(b":", start, at)
    if colon < 0:
        user = data[start:at]
        # A user alone is a name, unless it is a key such as the one in a collector's address.
        return Span(start, at, _RANK, _RULE) if _is_key(user) else None
    password = data[colon + 1 : at]
    if is_harmless(password, quoted=True) or password in _NO_PASSWORDS:
        return Span(start, colon, _RANK, _RULE) if _is_key(data[start:colon]) else None
    if _is_key(data[start:colon]) and colon - start >= _LONG_KEY:
        return Span(start, at, _RANK, _RULE)
    return Span(colon + 1, at, _RANK, _RULE)


def _is_key(user: bytes) -> bool:
    """Says whether a user's name is a key: letters beside digits in one run, no address and no name with a number."""
    if len(user) < _MIN_KEY or not looks_like_token(user) or b"." in user or b"%40" in user:
        return False
    digits = sum(1 for byte in user if DIGIT[byte])
    return digits >= _MIN_DIGITS and not user.rstrip(b"0123456789").isalpha()
